"""Letting a network read: draw, upload, bad files; and what the dashboard's process stays free of."""

import base64
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from core.config import configure
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.jobs.scheduler import submit
from core.runs import Store
from tests.browser.app import Server, draw, open_page, screenshot, settled
from tests.browser.pictures import SEVEN
from tests.browser.waiting import PATIENCE_MS, wait_until

PAGES = ("", "data", "train", "results", "predict")


@pytest.fixture(scope="module")
def run_ids(server: Server) -> list[str]:
    """A finished pair that reads most digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(server.home))
        store = Store(f"sqlite:///{server.home / 'duet.sqlite3'}")
        configs = [
            configure(
                framework=framework,
                architecture="cnn-quick",
                optimizer="adam",
                learning_rate=0.002,
                epochs=1,
                train_limit=12_000,
                threads=1,
            )
            for framework in ("pytorch", "keras")
        ]
        found = submit(store, configs, submission="predict")
        wait_until(lambda: all(store.get(run_id).state == "done" for run_id in found))
    return found


def test_a_drawn_digit_is_read_by_both(page: Page, run_ids: list[str], complaints: list[str]):
    open_page(page, "predict", run=run_ids[0])
    draw(page, SEVEN)

    expect(page.get_by_text("Prediction: 7")).to_have_count(2, timeout=PATIENCE_MS)
    screenshot(page, "drawn")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Prediction: 7")).to_have_count(0)
    assert complaints == []


def test_an_upload_is_read_and_a_bad_file_explained(page: Page, run_ids: list[str], complaints: list[str]):
    test = load("mnist").test
    row = int((test.labels == 0).argmax())
    open_page(page, "predict", run=run_ids[1], **{"from": "Upload"})
    page.locator("input[type=file]").set_input_files(
        [
            {"name": "zero.png", "mimeType": "image/png", "buffer": png(test.images[row])},
            {"name": "note.png", "mimeType": "image/png", "buffer": b"This is no image."},
            {"name": "empty.png", "mimeType": "image/png", "buffer": b""},
        ]
    )

    expect(page.get_by_text("note.png").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Prediction: 0").first).to_be_visible(timeout=PATIENCE_MS)
    settled(page)
    screenshot(page, "uploaded")
    assert complaints == []


def test_a_pasted_image_is_read_like_an_uploaded_one(page: Page, run_ids: list[str], complaints: list[str]):
    test = load("mnist").test
    data = base64.b64encode(png(test.images[int((test.labels == 0).argmax())])).decode()
    open_page(page, "predict", run=run_ids[1], **{"from": "Upload"})
    expect(page.get_by_role("button", name="Paste an image")).to_be_visible(timeout=PATIENCE_MS)
    page.evaluate(
        """(data) => {
            const image = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
            const clipboardData = new DataTransfer()
            clipboardData.items.add(new File([image], "image.png", { type: "image/png" }))
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }))
        }""",
        data,
    )

    expect(page.get_by_text("Prediction: 0").first).to_be_visible(timeout=PATIENCE_MS)
    settled(page)
    screenshot(page, "pasted")
    assert complaints == []


@pytest.mark.slow
def test_the_dashboard_has_loaded_no_framework(page: Page, server: Server, run_ids: list[str]):
    for address in PAGES:
        open_page(page, address, **({"run": run_ids[0]} if address in ("results", "predict") else {}))
    draw(page, SEVEN)
    expect(page.get_by_text("Prediction: 7").first).to_be_visible(timeout=PATIENCE_MS)

    libraries = {Path(mapped.path).parts for mapped in psutil.Process(server.pid).memory_maps()}
    loaded = {part for parts in libraries for part in parts}
    assert "pandas" in loaded, "the libraries of the process are not what was looked at"
    assert not loaded & {"torch", "tensorflow", "keras"}
