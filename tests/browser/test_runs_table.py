"""The table of runs in Chromium: a column's head sorts and nothing else, and a network opens its run."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from core.config import configure
from core.runs import Results, Store, new_id
from tests.browser.app import Server, open_page, screenshot

NETWORKS = ("cnn-quick", "ann-100", "cnn-64-32-32")
_HEAD_PX, _ROW_PX = 36, 35


@pytest.fixture
def runs(own_server: Server) -> Iterator[dict[str, str]]:
    """A finished run of each network, by its name; the last one is listed first."""
    store = Store(f"sqlite:///{own_server.home / 'duet.sqlite3'}")
    made = {}
    for number, network in enumerate(NETWORKS):
        run_id = store.create(configure(architecture=network), submission=new_id(), claimed=True)
        store.finish(run_id, 1, "done", Results(test_accuracy=0.5 + number / 10, train_seconds=3.0))
        made[network] = run_id
    yield made
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("url_path", ["", "results"])
def test_a_head_sorts_and_a_network_opens_its_run(
    own_server: Server, new_page, runs: dict[str, str], url_path: str
) -> None:
    page = new_page(own_server)
    open_page(page, url_path)
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    expect(table.locator("canvas").first).to_be_visible()
    ticks = 40 if url_path else 0  # the column of boxes to tick
    first_row = {"x": ticks + 45, "y": _HEAD_PX + _ROW_PX / 2}

    table.click(position={"x": ticks + 45, "y": _HEAD_PX / 2})
    page.wait_for_timeout(1000)
    assert "run=" not in page.url, "a click on a head opened a run"

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(1000)
    assert "run=" not in page.url, "an arrow key opened a run"

    table.click(position=first_row)
    page.wait_for_url(re.compile(f"run={runs[min(NETWORKS)]}"))  # the head has sorted by network


@pytest.mark.slow
@pytest.mark.parametrize("url_path", ["", "results"])
def test_a_run_is_opened_by_keyboard(own_server: Server, new_page, runs: dict[str, str], url_path: str) -> None:
    page = new_page(own_server)
    open_page(page, url_path)

    page.get_by_role("button", name="Open a run").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem").first).to_have_attribute("data-focused", "true")
    # The first one is marked a moment before the keys go to the menu.
    page.wait_for_function("() => document.activeElement.closest('[role=menu]')")
    screenshot(page, f"menu-of-runs-{url_path or 'home'}")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem").nth(1)).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(f"run={runs[NETWORKS[-2]]}"))
