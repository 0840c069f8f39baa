"""Training as a visitor lives it: launch, watch, zoom, stop, reload, and a server that dies in the middle."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import Page, expect

from core.charts.curves import KINDS
from core.charts.runs import FRAMEWORK_COLOURS
from core.config import configure
from core.jobs.scheduler import submit
from core.runs import ENDED, Store
from tests.browser.app import Server, fill, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS, wait_until

LOSS_LINE = "[data-testid=stVegaLiteChart] path[aria-roledescription='line mark']"
CHART = "document.querySelector('[data-testid=stVegaLiteChart]')"
AXIS_LABELS = f"[...{CHART}.querySelectorAll('.role-axis-label text')].map(label => label.textContent)"
PROGRESS = f"{CHART}.querySelector('.role-mark path').getAttribute('d')"


@pytest.fixture
def store(server: Server) -> Store:
    """The server's own store, to see what really happened."""
    return Store(f"sqlite:///{server.home / 'duet.sqlite3'}")


@pytest.fixture
def train_for_long(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Launch runs that train for minutes unless they are stopped, which they are at the end of the test."""
    monkeypatch.setenv("DUET_HOME", str(server.home))
    launched = []

    def launch(*frameworks: str) -> list[str]:
        configs = [
            configure(framework=framework, architecture="ann-100", epochs=1000, train_limit=20_000, threads=1)
            for framework in frameworks
        ]
        launched.extend(submit(store, configs, submission=f"long-{time.monotonic_ns()}"))
        return launched

    yield launch
    for run_id in launched:
        with suppress(ValueError):  # it has ended
            store.request_stop(run_id)
    wait_until(lambda: all(store.get(run_id).state in ENDED for run_id in launched))


@pytest.fixture
def long_run(train_for_long: Callable[..., list[str]]) -> list[str]:
    """A run for what is the same with one as with two, which take all of a small machine."""
    return train_for_long("pytorch")


@pytest.fixture
def long_pair(train_for_long: Callable[..., list[str]]) -> list[str]:
    return train_for_long("pytorch", "keras")


def test_a_pair_is_launched_watched_and_understood(page: Page, store: Store, complaints: list[str]):
    before = store.count()
    open_page(page, "train")
    fill(page, "Epochs", 3)
    page.get_by_text("Advanced").click()
    fill(page, "Training limit", 2000)
    screenshot(page, "train")
    page.get_by_role("button", name="Launch").dblclick()

    page.wait_for_url(re.compile(r"/results\?run="))
    page.evaluate("window.sameDocument = true")
    lines = page.locator(LOSS_LINE)
    expect(lines.first).to_be_visible(timeout=PATIENCE_MS)
    screenshot(page, "running")
    expect(page.get_by_text("Keras: done")).to_be_visible(timeout=PATIENCE_MS)
    settled(page)

    assert page.evaluate("window.sameDocument"), "the page was loaded anew"
    chart = page.get_by_test_id("stVegaLiteChart").first
    for colour in FRAMEWORK_COLOURS.values():  # both in one chart: measured, running mean and validation of each
        expect(chart.locator(f"path[aria-roledescription='line mark'][stroke='{colour}']")).to_have_count(len(KINDS))
    assert store.count() == before + 2, "the double click made more than one pair"
    for title in ("Test accuracy, PyTorch", "Test accuracy, Keras", "Difference, Keras − PyTorch"):
        expect(page.get_by_text(title)).to_be_visible()
    page.get_by_role("tab", name="Errors").click()
    for title in ("Most confused", "All errors"):
        expect(page.get_by_text(title, exact=True)).to_be_visible()
    expect(page.get_by_role("grid", name="Confusion matrix").get_by_role("gridcell")).to_have_count(100)
    assert complaints == []


def test_curves_grow_in_place_and_keep_the_zoom(page: Page, store: Store, long_run: list[str], complaints: list[str]):
    open_page(page, "results", run=long_run[0])
    wait_for_line(page)
    page.evaluate(f"window.figure = {CHART}.querySelector('svg')")
    whole = axis_labels(page)
    chart = page.get_by_test_id("stVegaLiteChart").first.bounding_box()
    page.mouse.move(chart["x"] + 250, chart["y"] + 180)
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"whole => {CHART} && JSON.stringify({AXIS_LABELS}) !== JSON.stringify(whole)", arg=whole)
    zoomed = axis_labels(page)
    shown = progress(page)

    for _ in range(10):
        # Whether it is the same chart all along is asked afterwards.
        page.wait_for_function(f"shown => {CHART} && {PROGRESS} !== shown", arg=shown)
        shown = progress(page)

    assert axis_labels(page) == zoomed
    assert page.evaluate("window.figure.isConnected"), "the chart was built anew"
    screenshot(page, "zoomed")
    stop_all(page, store, long_run)
    assert complaints == []


@pytest.mark.slow
def test_a_reload_in_the_middle_shows_everything_again(page: Page, store: Store, long_run: list[str]):
    open_page(page, "results", run=long_run[0])
    wait_for_line(page)
    page.reload()
    settled(page)

    wait_for_line(page)
    shown = progress(page)
    page.wait_for_function(f"shown => {PROGRESS} !== shown", arg=shown)
    stop_all(page, store, long_run)


@pytest.mark.slow
def test_a_killed_server_loses_no_step(page: Page, server: Server, store: Store, long_pair: list[str]):
    open_page(page, "results", run=long_pair[0])
    wait_for_line(page)
    server.kill()
    before = [store.get(run_id).step for run_id in long_pair]
    wait_until(lambda: all(store.get(i).step > step for i, step in zip(long_pair, before, strict=True)))
    server.start()

    page.reload()
    settled(page)
    wait_for_line(page)
    stop_all(page, store, long_pair)
    for run_id in long_pair:
        numbers = [number for number, _ in store.metrics(run_id)]
        assert numbers == list(range(1, len(numbers) + 1))
        steps = [point.step for _, point in store.metrics(run_id) if point.split == "train"]
        assert steps == sorted(set(steps))


@pytest.mark.slow
def test_a_killed_training_says_so(page: Page, store: Store, long_pair: list[str]):
    open_page(page, "results", run=long_pair[0])
    wait_for_line(page)
    # The line may be the other one's; and without a number, psutil takes this very process.
    wait_until(lambda: store.get(long_pair[0]).pid is not None)
    killed = store.get(long_pair[0])
    psutil.Process(killed.pid).kill()

    expect(page.get_by_text("killed (signal 9, SIGKILL)")).to_be_visible(timeout=PATIENCE_MS)
    assert store.get(killed.id).state == "failed"
    screenshot(page, "killed")
    stop_all(page, store, long_pair[1:])


def wait_for_line(page: Page) -> None:
    expect(page.locator(LOSS_LINE).first).to_be_attached(timeout=PATIENCE_MS)


def axis_labels(page: Page) -> list[str]:
    return page.evaluate(AXIS_LABELS)


def progress(page: Page) -> str:
    return page.evaluate(PROGRESS)


def stop_all(page: Page, store: Store, run_ids: list[str]) -> None:
    """Stop runs by their buttons, and see both the page and the store say so."""
    pending = page.get_by_role("button", name="Stop", disabled=False)
    expect(pending).to_have_count(len(run_ids))
    for left in reversed(range(len(run_ids))):
        pending.first.click()
        expect(pending).to_have_count(left, timeout=PATIENCE_MS)
    wait_until(lambda: all(store.get(run_id).state == "stopped" for run_id in run_ids))
    expect(page.get_by_text(": stopped").first).to_be_visible(timeout=PATIENCE_MS)
