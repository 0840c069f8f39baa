"""Takes the README's pictures from the real dashboard: `make pictures`.

It serves an empty store, trains both frameworks, draws a digit, and photographs what a visitor sees.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from core.system.paths import PROJECT
from tests.browser.app import BROWSER_ARGUMENTS, Server, draw, find_browser, open_page, settled

SEVEN = [(0.28, 0.25), (0.72, 0.25), (0.60, 0.50), (0.48, 0.80)]

_FOLDER = PROJECT / "docs" / "pictures"
_PATIENCE_MS = 180_000
_BELOW_NAVIGATION = 90


def main() -> None:
    """Write home, results and predict, in light, and home in dark."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        server = Server(Path(home))
        try:
            server.start()
            page = chromium.new_page(base_url=server.url, viewport={"width": 1280, "height": 860}, color_scheme="light")
            page.set_default_timeout(_PATIENCE_MS)
            _photograph(page)
        finally:
            server.close()


def _photograph(page: Page) -> None:
    open_page(page)
    page.get_by_role("button", name="Train both now").click()
    expect(page.get_by_text("PyTorch · done")).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_text("Keras · done")).to_be_visible(timeout=_PATIENCE_MS)
    _keep(page, "home")
    page.emulate_media(color_scheme="dark")
    _keep(page, "home-dark")
    page.emulate_media(color_scheme="light")
    page.get_by_role("link", name="See the errors").click()
    page.get_by_role("grid", name="Confusion matrix").scroll_into_view_if_needed()
    page.get_by_text("Most confused").wait_for()
    heading = page.get_by_role("heading", name="On test images").bounding_box()
    assert heading is not None, "the page has this heading"
    page.mouse.move(640, 430)
    page.mouse.wheel(0, heading["y"] - _BELOW_NAVIGATION)
    _keep(page, "results")
    page.get_by_role("link", name="Predict", exact=True).click()
    settled(page)
    draw(page, SEVEN)
    expect(page.get_by_text("Prediction: 7").first).to_be_visible(timeout=_PATIENCE_MS)
    _keep(page, "predict")


def _keep(page: Page, name: str) -> None:
    settled(page)
    page.wait_for_timeout(1000)  # figures fade in
    page.screenshot(path=_FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
