"""What SECURITY.md promises is held by the tests that docs/promises.md names."""

import re
import tomllib

import pytest

from core.system.paths import PROJECT

NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (PROJECT / "docs" / "promises.md").read_text())


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_each_is_there(file: str, test: str):
    content = (PROJECT / file).read_text()

    assert re.search(rf"^def {test or 'test_'}", content, re.MULTILINE)


def test_it_is_bound_to_this_machine():
    served = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())

    assert served["server"]["address"] == "127.0.0.1"
    assert served["browser"]["gatherUsageStats"] is False
