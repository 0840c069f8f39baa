"""A search as a visitor meets it: watched, paused, killed with all that works on it, resumed, extended."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from core.config import configure
from core.runs import Store
from core.studies.search.control import start_search
from core.studies.search.specification import specify
from core.system.paths import store_url
from tests import processes
from tests.browser.app import Server, choose, open_page, screenshot, settled
from tests.browser.slow import SlowPage, press, type_into
from tests.browser.waiting import PATIENCE_MS
from tests.waiting import wait_for

CONFIG = configure(architecture="ann-100", train_limit=600, epochs=1, threads=1)


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    """One with no other runs, as all that works in its home is killed, and what is there at the end is counted."""
    return own_server


@pytest.mark.slow
def test_a_search_survives_all_that_works_on_it(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch, complaints: list[str]
):
    monkeypatch.setenv("DUET_HOME", str(server.home))
    store = Store(store_url())
    vary = ["learning-rate=0.001..1:log", "batch-size=16,32,64"]
    search_id = start_search(store, specify(CONFIG, vary, trials=6), submission="a search")
    open_page(page, "search", search=search_id)
    expect(page.get_by_test_id("stMetricValue")).to_be_visible(timeout=2 * PATIENCE_MS)

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    wait_for(lambda: all(run.state in ("done", "paused") for run in store.find()), 60, "It did not pause.")
    server.kill()
    processes.end(server.home)
    server.start()
    open_page(page, "search", search=search_id)
    complaints.clear()  # that nobody served the page for a while
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: store.search(search_id).state == "done", 180, "It did not go on to its end.")
    open_page(page, "search", search=search_id)
    page.get_by_role("button", name="10 trials more").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    wait_for(lambda: store.count_trials(search_id).get("done", 0) >= 8, 180, "It was not extended.")
    expect(page.get_by_text(re.compile(r"^([89]|1\d) trials of 16 ended"))).to_be_visible()  # the page follows it
    page.get_by_role("button", name="Stop").click()
    wait_for(lambda: "running" not in store.count_trials(search_id), 60, "It did not stop.")

    trials = store.trials(search_id)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert len({run_id for trial in trials for run_id in trial.run_ids}) == len(trials) == store.count()
    for view in ("Parallel coordinates", "Importance", "Slices", "Contour"):
        open_page(page, "search", search=search_id, view=view)
        settled(page)
        expect(page.get_by_text("Which settings do well")).to_be_visible()
        screenshot(page, f"search-{view}")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, "search", search=search_id)
    screenshot(page, "search-dark-390")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    store.close()
    assert complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["mouse", "enter"])
def test_a_comma_list_typed_on_train_is_launched_as_a_grid(server: Server, new_page: Callable[..., Page], way: str):
    """In a slow browser, the button is pressed at once after the list; below the test that counts all trials."""
    slow_page = SlowPage(new_page(server), "slow-browser")
    page = slow_page.open("train", frameworks="PyTorch", architecture="ann-100", train_limit=600, epochs=1)
    with slow_page.hurried():
        choose(page, "Vary", "Batch size")
        page.keyboard.press("Escape")  # a list of several choices stays open, and hides what is behind it
    type_into(page.get_by_role("textbox", name="Batch size"), "32, 64, 128", way)
    press(page.get_by_role("button", name="Launch"))

    page.wait_for_url("**/search?search=*", timeout=2 * PATIENCE_MS)
    expect(page.get_by_text("Batch size 32, 64, 128")).to_be_visible(timeout=2 * PATIENCE_MS)
    expect(page.get_by_text(re.compile(r"of 3 ended · Grid"))).to_be_visible(timeout=2 * PATIENCE_MS)
