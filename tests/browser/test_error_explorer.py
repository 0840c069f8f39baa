"""From a cell of the confusion matrix to its images, by mouse and by keyboard."""

import re

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core.config import FRAMEWORK_TITLES
from core.datasets import load
from core.runs import Run, Store
from core.training.checkpoints import read_arrays
from core.training.loop import split_of
from core.training.metrics import confusion
from tests.browser.app import Server, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS, wait_until
from ui.shared.test_image import PAGE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(trained_server: Server) -> Server:
    return trained_server


@pytest.fixture(scope="module")
def run(server: Server) -> Run:
    return Store(f"sqlite:///{server.home / 'duet.sqlite3'}").find(states=("done",))[0]


def test_cell_is_clicked_and_walked_to(page: Page, server: Server, run: Run, complaints: list[str]):
    arrays = read_arrays(server.home / "runs" / run.id / "test.safetensors")
    predicted, labels = arrays["probabilities"].argmax(axis=1), arrays["labels"]
    open_page(page, "results", run=run.id, view="Errors")
    cell(page, 4, 9).click()

    fours = np.flatnonzero((labels == 4) & (predicted == 9))
    shows(page, fours, "4 → 9")
    screenshot(page, "cell")
    expect(cell(page, 4, 9)).to_be_focused()
    assert sorted(turn_through_all(page, len(fours))) == fours.tolist()

    cell(page, 4, 9).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(cell(page, 3, 8)).to_be_focused()
    page.keyboard.press("Enter")
    shows(page, np.flatnonzero((labels == 3) & (predicted == 8)), "3 → 8")
    expect(cell(page, 3, 8)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    shows(page, np.flatnonzero(labels == 3), "True class 3")

    page.get_by_role("option").nth(5).click()
    settled(page)
    expect(page.get_by_role("option").nth(5)).to_have_attribute("aria-selected", "true")
    picked = page.get_by_role("option").nth(5).get_attribute("aria-label") or ""
    expect(page.get_by_text(f"3, {picked.rpartition(', ')[2]}")).to_be_visible()

    page.get_by_text("What the network looked at").click()
    expect(page.get_by_role("img", name=re.compile(r"why \d")).first).to_be_visible(timeout=PATIENCE_MS)
    screenshot(page, "explained")

    page.reload()  # the address leads to the same cell
    settled(page)
    expect(page.get_by_text("True class 3")).to_be_visible()
    assert complaints == []


def cell(page: Page, label: int, predicted: int) -> Locator:
    return page.get_by_role("gridcell", name=re.compile(rf"^{label}, predicted {predicted}: "))


def shows(page: Page, expected: np.ndarray, heading: str) -> None:
    """See how many images a cell has, and on the first page only such as the file of predictions counts to it."""
    expect(page.get_by_text(re.compile(rf"^{heading}: {len(expected):,} test image"))).to_be_visible()
    wait_until(lambda: len(images(page)) == min(len(expected), PAGE))
    shown = images(page)
    assert len(set(shown)) == len(shown)
    assert set(shown) <= set(expected.tolist())


def images(page: Page) -> list[int]:
    """Return the indices of the test images in the grid."""
    names = page.get_by_role("option").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    return [int(name.rpartition(" ")[2].replace(",", "")) for name in names]


def turn_through_all(page: Page, count: int) -> list[int]:
    """Return the indices of the test images on all pages."""
    newest = images(page)
    shown = list(newest)
    while len(shown) < count:
        page.get_by_role("button", name="Next page").click()
        wait_until(lambda before=newest: images(page) != before)
        newest = images(page)
        shown += newest
    return shown


def test_cell_is_clicked_at_an_earlier_epoch(page: Page, server: Server, run: Run, complaints: list[str]):
    open_page(page, "results", run=run.id)
    page.get_by_text("Validation errors").click()
    slider = page.get_by_role("slider", name="Epoch")
    expect(slider).to_be_visible()
    slider.focus()
    page.keyboard.press("Home")
    title = FRAMEWORK_TITLES[run.config.framework]
    matrix = page.get_by_role("grid", name=f"Confusion matrix of the validation images, {title}, epoch 1")
    expect(matrix).to_be_visible()

    arrays = read_arrays(server.home / "runs" / run.id / "epochs" / "1.safetensors")
    labels = load("mnist").train.labels[split_of(run.config, load("mnist")).validation]
    counts = confusion(labels, arrays["predicted"].astype(int), 10)
    np.fill_diagonal(counts, 0)
    label, predicted = (int(place) for place in np.unravel_index(counts.argmax(), counts.shape))
    matrix.get_by_role("gridcell", name=re.compile(rf"^{label}, predicted {predicted}: ")).click()

    grid = page.get_by_role("listbox", name=f"Validation images, {title}")
    told = f"{label}, predicted {predicted}"
    expect(grid.get_by_role("option", name=told, exact=True)).to_have_count(int(counts.max()))
    expect(grid.get_by_role("option")).to_have_count(int(counts.max()))
    grid.get_by_role("option").first.click()
    expect(page.get_by_text(f"{title}, epoch 1: {predicted}")).to_be_visible()
    screenshot(page, "epoch")
    assert complaints == []
