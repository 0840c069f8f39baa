"""A page of the dashboard without a browser, opened as by a link.

page = page_at("results", run=run_id).run()
plain(page.error[0].value)
"""

import json
import re
import string
from typing import Any

from streamlit.testing.v1 import AppTest

from core.system.paths import PROJECT

_MAIN = PROJECT / "ui" / "main.py"


def page_at(name: str = "", *, timeout: float = 20, **query: str) -> AppTest:
    """Return a page by its name, the first one without; nothing of it has run yet.

    Args:
        timeout: the seconds that a run may take.
        query: what its address says.
    """
    page = AppTest.from_file(str(_MAIN), default_timeout=timeout)
    if name:
        page.switch_page(f"../pages/{name}.py")
    for key, value in query.items():
        page.query_params[key] = value
    return page


def given(page: AppTest, key: str) -> dict[str, Any]:
    """Return what a component of the page was given."""
    return next(json.loads(each.proto.json) for each in page.get("bidi_component") if each.key == key)


def plain(markdown: str) -> str:
    """Return the text that Markdown shows which `ui.shared.formatting.escape_markdown` has made."""
    return re.sub(rf"\\([{re.escape(string.punctuation)}])", r"\1", markdown).replace("\u2060", "")
