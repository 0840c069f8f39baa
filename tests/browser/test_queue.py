"""The queue as two visitors fill it: one run at a time, moved and stopped, and disturbed by kills."""

from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest
from playwright.sync_api import Page, expect

from core.runs import INACTIVE, Run, Store
from tests import processes
from tests.browser.app import Server, choose, fill, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS, wait_until

_EACH = 10
_STOPPED = 11


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


@pytest.fixture
def store(server: Server) -> Store:
    return Store(f"sqlite:///{server.home / 'duet.sqlite3'}")


@pytest.mark.slow
def test_two_visitors_fill_the_queue_and_nothing_but_a_pause_comes_of_kills(
    server: Server, store: Store, new_page: Callable[..., Page], complaints: list[str]
):
    pages = [new_page(server) for _ in range(2)]
    for page in pages:
        launch_ten(page)
    everything = store.find(limit=100)
    assert len(everything) == 2 * _EACH
    assert len({run.submitter for run in everything}) == 2

    page = pages[0]
    open_page(page, "results")
    *_, last = store.queue()
    page.locator(f".st-key-queue-front-{last.id}").get_by_role("button").click()
    wait_until(lambda: last.id in [run.id for run in store.queue()[:2]])
    screenshot(page, "queue")
    waiting = store.queue()
    stopped = [run.id for run in waiting[-_STOPPED:]]
    for run_id in stopped:
        # While the list is drawn anew, the same button is there twice.
        page.locator(f".st-key-queue-stop-{run_id}").get_by_role("button").first.click()
        wait_until(lambda run_id=run_id: store.get(run_id).state == "stopped")

    assert complaints == []  # before the server is gone, as the browser will say
    kill_scheduler(server)
    server.kill()
    before, expected = store.find(limit=100), [run.id for run in store.queue()]
    server.start()
    page.reload()
    settled(page)
    # One training after the other, each of which may take as long as anything on a busy machine.
    wait_until(lambda: all(run.state in INACTIVE for run in store.find(limit=100)), PATIENCE_MS * len(expected))

    expect(page.get_by_text("Waiting:")).to_have_count(0, timeout=PATIENCE_MS)
    after = {run.id: run for run in store.find(limit=100)}
    assert len(expected) > 2, "too little was left to do when all was killed"
    assert {run_id for run_id, run in after.items() if run.state == "stopped"} == set(stopped)
    assert all(run.state == "done" for run_id, run in after.items() if run_id not in stopped)
    assert all(after[run.id].attempt == 1 for run in before if run.id not in stopped)
    assert sorted(expected, key=lambda run_id: after[run_id].started_at) == expected
    overtaken = [run.id for run in waiting[:-_STOPPED] if run.submitter == last.submitter and run.id != last.id]
    assert all(after[last.id].started_at < after[run_id].started_at for run_id in overtaken)
    check_one_at_a_time(after.values())


def launch_ten(page: Page) -> None:
    """Queue ten seeds of a short training in PyTorch, by the form."""
    open_page(page, "train")
    page.get_by_role("radio", name="PyTorch").click()
    settled(page)
    choose(page, "Network", "ann-100")
    for label, value in (("Epochs", 1), ("Seeds", _EACH)):
        fill(page, label, value)
    page.get_by_text("Advanced").click()
    fill(page, "Training limit", 1000)
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/results?run=*")


def kill_scheduler(server: Server) -> None:
    for process in processes.of_home(server.home, "core.jobs.scheduler"):
        process.kill()
        psutil.wait_procs([process])


def check_one_at_a_time(runs: list[Run]) -> None:
    trained = sorted((run for run in runs if run.attempt), key=lambda run: run.started_at)
    for before, after in pairwise(trained):
        assert before.ended_at <= after.started_at, f"{before.id} and {after.id} were trained at once"
