"""What axe-core finds wrong on the pages, in light and dark: nothing serious, in any state that a visitor meets.

`DUET_SCREENSHOTS` names a folder for a picture of each state.
"""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from core.runs import Store
from tests.browser.app import Server, open_page, screenshot
from ui.data import VIEWS as DATA_VIEWS
from ui.results.views import VIEWS

pytestmark = pytest.mark.slow

GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def server(trained_server: Server) -> Server:
    return trained_server


@pytest.fixture(scope="module")
def run_ids(server: Server) -> list[str]:
    return [run.id for run in Store(f"sqlite:///{server.home / 'duet.sqlite3'}").find(states=("done",))]


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, server: Server, new_page: Callable[..., Page]) -> Page:
    return new_page(server, color_scheme=request.param)


def faults(page: Page, state: str) -> list[str]:
    """Return a line for each element with a grave violation."""
    # A part that a slow machine has long been drawing anew is faint for that time.
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    is_dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    screenshot(page, f"{state}-{'dark' if is_dark else 'light'}")
    found = Axe().run(page).response["violations"]
    return [
        f"{state}: {each['id']} ({each['impact']}): {node['html'][:160]}: {' '.join(node['failureSummary'].split())}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("path", ["", "train", "results", "compare", "predict", "search", "replication", "data"])
def test_a_page(page: Page, path: str):
    open_page(page, path)

    found = faults(page, path or "home")

    assert not found, "\n".join(found)


def test_the_views_of_a_run(page: Page, run_ids: list[str]):
    found = []
    for view in VIEWS:
        open_page(page, "results", run=run_ids[0], view=view)
        found += faults(page, f"run {view}")
    open_page(page, "results", run=run_ids[0])
    page.get_by_text("Validation errors").click()
    page.get_by_role("rowheader").first.click()
    page.get_by_role("option").first.click()
    page.get_by_text("Predicted after epoch").first.wait_for()
    found += faults(page, "run at an epoch")

    assert not found, "\n".join(found)


def test_the_views_of_a_data_set(page: Page):
    found = []
    for view in DATA_VIEWS:
        open_page(page, "data", view=view)
        found += faults(page, f"data {view}")

    assert not found, "\n".join(found)


def test_train_with_all_settings(page: Page):
    open_page(page, "train")
    page.get_by_text("Advanced").click()
    found = faults(page, "train advanced")
    page.get_by_role("button", name="Change a copy").click()
    page.get_by_role("dialog").wait_for()
    found += faults(page, "layer editor")

    assert not found, "\n".join(found)


def test_a_comparison(page: Page, run_ids: list[str]):
    open_page(page, "compare", runs=",".join(run_ids[:2]))

    found = faults(page, "comparison")

    assert not found, "\n".join(found)
