"""A new page is one file in `pages/` and the line of `ui/main.py` that lists it."""

import os

import pytest

from tests.browser.app import find_browser
from tests.contributing.copying import copy_project, insert, run_tests

PAGE = '''"""Tried: how many runs there are."""

import streamlit as st

from core.runs import open_store

st.title("Tried")
st.metric("Runs", len(open_store().find()))
'''

LINE = '        st.Page(_PAGES / "tried.py", title="Tried", icon=":material/science:"),\n'


@pytest.mark.browser
@pytest.mark.skipif(
    find_browser() is None and os.environ.get("DUET_REQUIRE_BROWSER") != "1", reason="no Chromium on this machine"
)
def test_a_new_page_is_one_file_and_its_line(tmp_path):
    project = copy_project(tmp_path)
    (project / "pages/tried.py").write_text(PAGE)
    insert(project / "ui/main.py", '        st.Page(_PAGES / "replication.py"', LINE)

    passed = run_tests(project, "tried or navigation", "tests/browser/test_frame.py")

    assert {test.rpartition(".")[2] for test in passed} == {
        "test_page_opens_from_a_link[tried]",
        "test_navigation_leads_to_every_page",
    }
