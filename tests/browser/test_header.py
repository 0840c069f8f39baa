"""The header of every page and the title of its tab: where one is, and how far running work is."""

import os
import re

import psutil
import pytest
from playwright.sync_api import expect

from core.config import configure
from core.runs import Store
from core.system.processes import started_at
from core.training.records import StepMetrics
from tests.browser.app import Server, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS


@pytest.fixture
def store(server: Server) -> Store:
    return Store(f"sqlite:///{server.home / 'duet.sqlite3'}")


def _running(store, **options) -> str:
    run_id = store.create(configure(architecture="ann-100"), submission="header", claimed=True, **options)
    store.enter(run_id, 1, pid=os.getpid(), process_started_at=started_at(psutil.Process()))
    store.begin(run_id, 1, total_steps=100)
    return run_id


def _take_steps(store, run_id: str, number: int, step: int) -> None:
    store.add_metrics(run_id, 1, number, [StepMetrics(step, step / 100, "train", 1.0, 0.5, 1.0, 100.0)])


def test_header_tells_how_far_running_work_is_on_any_page(server, store, new_page, complaints):
    page = new_page(server)
    open_page(page, "replication")
    expect(page).to_have_title("Replication – Duet")
    run_id = _running(store, name="Seen afar")
    _take_steps(store, run_id, 1, 20)
    open_page(page, "data")

    expect(page).to_have_title("20% · MNIST · Overview – Duet")
    sign = page.get_by_role("link", name="Runs: 1 training · 20%")
    expect(sign).to_be_visible()
    page.evaluate("window.stillThere = true")

    _take_steps(store, run_id, 2, 40)

    expect(page.get_by_role("link", name="Runs: 1 training · 40%")).to_be_visible(timeout=PATIENCE_MS)
    expect(page).to_have_title("40% · MNIST · Overview – Duet")
    screenshot(page, "header")

    page.get_by_role("link", name="Runs: ").press("Enter")
    page.wait_for_url(re.compile(rf"/results\?run={run_id}"))
    settled(page)
    expect(page).to_have_title("40% · Seen afar · PyTorch · running – Duet")
    assert page.evaluate("window.stillThere"), "the page was not loaded anew"

    store.fail(run_id, 1, failure="Out of memory.", advice="", cause="out_of_memory")

    expect(page).to_have_title("Seen afar · PyTorch · failed: out of memory – Duet", timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name="Runs: ")).to_have_count(0)
    assert complaints == []


def test_brand_leads_home_and_the_header_fits_a_phone(server, new_page, complaints):
    page = new_page(server)
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, "compare")
    bell = page.get_by_role("button", name="Tell me when a run ends")
    box = bell.bounding_box()
    assert box["y"] + box["height"] < 64
    assert box["x"] + box["width"] <= 390

    page.get_by_test_id("stToolbar").get_by_role("button", name="Navigate to home page").click()

    page.wait_for_url(f"{server.url}/")
    settled(page)
    expect(page).to_have_title("Home – Duet")
    assert complaints == []
