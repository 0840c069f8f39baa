"""The replication page, without a browser: the table that was written last, or what to do for one."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs import open_store
from core.studies import replication
from core.studies.replication import Row, write_report
from tests.page import page_at


@pytest.fixture(autouse=True)
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(replication, "DOCUMENT", tmp_path / "replication.md")
    return replication.DOCUMENT


def replication_page() -> AppTest:
    return page_at("replication").run()


def test_without_a_report_it_says_what_to_do() -> None:
    page = replication_page()

    assert not page.exception
    assert "python -m core replicate" in page.info[0].value


def test_rows_are_shown_with_where_they_were_measured(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Row("ann-100", "keras", "MNIST", "test accuracy", 0.9758, (0.97, 0.98), 8.0, "")
    missing = Row("cnn-64-32-32", "keras", "MNIST", "test accuracy", 0.9896, (), None, "run `this`")
    monkeypatch.setattr(replication, "rows", lambda _store: [measured, missing])
    write_report(open_store(), document, "python -m core replicate --seeds 2")

    page = replication_page()

    assert not page.exception
    table = page.dataframe[0].value
    assert list(table["Measured"]) == ["0.9750 ± 0.0071", "not yet"]
    assert list(table["Difference"]) == ["-0.0008", ""]
    assert "For what is not measured yet: run `this`." in [caption.value for caption in page.caption]
    assert "python -m core replicate --seeds 2" in page.caption[1].value
    assert replication.machine() in page.caption[1].value
