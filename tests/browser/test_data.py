"""Data as a visitor meets them: photographs brought in and browsed, faults found and opened, a map that answers."""

import io
import re
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from core.system.paths import PROJECT
from tests.browser.app import Server, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS
from tests.sample_data import noise, plant_faults, store, store_checked

SIGNS = PROJECT.parent / "shared" / "data" / "sign_mnist" / "sign_mnist_test.csv.gz"


def photographs() -> bytes:
    """Return a zip of colour photographs of mixed sizes in class folders, and a file that is none."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(24):
            width, height = 40 + 7 * (number % 5), 36 + 9 * (number % 4)
            pixels = noise(1, (height, width, 3), seed=number)[0] // 4
            kind = ("reds", "blues")[number % 2]
            pixels[..., 0 if kind == "reds" else 2] += 150
            photograph = io.BytesIO()
            Image.fromarray(pixels).save(photograph, "JPEG")
            archive.writestr(f"{kind}/{number}.jpg", photograph.getvalue())
        archive.writestr("reds/note.jpg", b"This is no photograph.")
    return packed.getvalue()


def see(element: Locator) -> None:
    """Wait until an element is there to see."""
    expect(element).to_be_visible(timeout=PATIENCE_MS)


def test_photographs_are_brought_in_and_browsed(page: Page, complaints: list[str]):
    open_page(page, "data", view="Add data")
    page.locator("input[type=file]").set_input_files(
        [{"name": "colours.zip", "mimeType": "application/zip", "buffer": photographs()}]
    )
    see(page.get_by_text("As a network will see them"))
    see(page.get_by_text("2 classes: blues, reds."))
    settled(page)
    screenshot(page, "import-plan")
    page.get_by_role("button", name="Import", exact=True).click()

    see(page.get_by_text("colours is here: 24 images."))
    see(page.get_by_text("1 file left out."))
    screenshot(page, "import-report")
    page.get_by_role("button", name="See the images").click()
    see(page.get_by_text("32×32×3"))
    settled(page)
    page.get_by_role("radio", name="Images", exact=True).first.click()
    see(page.get_by_role("listbox", name="Images").get_by_role("option").first)
    page.get_by_role("listbox", name="Images").get_by_role("option").nth(4).click()
    page.wait_for_url(re.compile("image="), timeout=PATIENCE_MS)
    settled(page)
    see(page.get_by_role("radio", name="Green"))
    screenshot(page, "photographs")
    assert complaints == []


@pytest.mark.slow
@pytest.mark.skipif(not SIGNS.exists(), reason="the sample of Sign Language MNIST is not beside the project")
def test_signs_are_brought_in_from_a_path(page: Page, complaints: list[str]):
    open_page(page, "data", view="Add data", source="Path on this machine")
    page.get_by_label("File or folder").fill(str(SIGNS))
    page.get_by_label("File or folder").press("Enter")
    see(page.get_by_text("24 classes: A, B, C"))
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("button", name="See the images").click(timeout=PATIENCE_MS)

    see(page.get_by_text("the most frequent, E, has 498 images, the rarest, R, has 144."))
    chart = page.get_by_test_id("stVegaLiteChart")
    for count in ("144", "498"):
        see(chart.get_by_text(count, exact=True))
    screenshot(page, "signs")
    assert complaints == []


def test_planted_faults_are_found_and_opened(
    page: Page, server: Server, complaints: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DUET_HOME", str(server.home))
    store(plant_faults((16, 16, 1), name="faulty"))
    open_page(page, "data", dataset="Tiny", view="Health")
    see(page.get_by_text("1 test image is also among the training images"))
    see(page.get_by_text("1 image is of one colour throughout"))
    page.get_by_role("listbox", name="Duplicates across the splits").get_by_role("option").nth(1).click()
    see(page.get_by_text("Same as training image 3"))
    page.get_by_role("radio", name="Duplicates with different labels").click()
    see(page.get_by_text("Also labelled dog"))
    screenshot(page, "faults")
    assert complaints == []


def test_a_mark_on_the_map_shows_its_image_and_so_does_the_keyboard(page: Page, complaints: list[str]):
    open_page(page, "data", view="Map")
    see(page.locator("[data-testid=stVegaLiteChart] canvas"))
    box = page.get_by_test_id("stVegaLiteChart").bounding_box()
    for share in np.linspace(0.3, 0.6, 30):  # one of so many places in the thick of it has a mark
        page.mouse.click(box["x"] + share * box["width"], box["y"] + 0.35 * box["height"])
        with suppress(PlaywrightTimeoutError):  # one click at a time, as a second would come in between
            page.wait_for_url(re.compile("point="), timeout=2000)
            break
    settled(page)
    clicked = re.search(r"point=(\d+)", page.url)[1]
    split, row = ("training", int(clicked)) if int(clicked) < 60_000 else ("test", int(clicked) - 60_000)
    see(page.get_by_text(f"{split} image {row:,}", exact=False).first)
    screenshot(page, "map")

    page.get_by_role("listbox", name="Images beside it").get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: f"point={clicked}" not in url, timeout=PATIENCE_MS)
    assert complaints == []


def test_a_suspect_is_decided_on_and_a_data_set_is_made(
    page: Page, server: Server, complaints: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DUET_HOME", str(server.home))
    store_checked()
    open_page(page, "data", dataset="tiny", view="Labels")
    see(page.get_by_text("training image 3", exact=False).first)
    page.get_by_role("button", name="Relabel as cat").click()
    see(page.get_by_text("1 relabelled."))
    settled(page)
    page.get_by_role("button", name="It is right").focus()
    page.keyboard.press("Enter")
    see(page.get_by_text("1 relabelled and 1 found right."))
    see(page.get_by_text("All suspects are decided on."))
    page.get_by_role("button", name="Undo the last").click()
    see(page.get_by_text("1 relabelled.", exact=True))
    settled(page)
    screenshot(page, "labels")
    page.get_by_role("button", name="Make data set").click()
    see(page.get_by_text("Tiny, corrected is here"))
    page.get_by_role("button", name="See it").click()
    see(page.get_by_text("How it was made"))
    assert complaints == []
