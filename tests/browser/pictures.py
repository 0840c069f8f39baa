"""Takes the README's pictures from the real dashboard: `make pictures`.

    python -m tests.browser.pictures
    python -m tests.browser.pictures --home HOME --views FOLDER     # to look at, not to keep

It serves an empty store, trains both frameworks, draws a digit, and photographs what a visitor sees. Of a home that is
there already it photographs every view of its finished pairs and groups of seeds, whole, in light, in dark and on a
phone.
"""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.runs import Run, Store
from core.system.paths import PROJECT
from tests.browser.app import BROWSER_ARGUMENTS, Server, draw, find_browser, open_page, settled
from ui.results.views import VIEWS

SEVEN = [(0.28, 0.25), (0.72, 0.25), (0.60, 0.50), (0.48, 0.80)]

_FOLDER = PROJECT / "docs" / "pictures"
_PATIENCE_MS = 180_000
_TALLEST = 5000
_LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}


def main() -> None:
    """Write home, results and predict, in light, and home in dark; or every view of a home that is there."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="one with finished runs")
    parser.add_argument("--views", type=Path, metavar="FOLDER", help="where every view of its runs is photographed to")
    options = parser.parse_args()
    if (options.home is None) != (options.views is None):
        parser.error("expected both of --home and --views, or none")
    with tempfile.TemporaryDirectory() as empty, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        server = Server(options.home or Path(empty))
        try:
            server.start()
            if options.home:
                _photograph_views(chromium, server, options.views)
            else:
                _FOLDER.mkdir(parents=True, exist_ok=True)
                page = chromium.new_page(
                    base_url=server.url, viewport={"width": 1280, "height": 860}, color_scheme="light"
                )
                page.set_default_timeout(_PATIENCE_MS)
                _photograph(page)
        finally:
            server.close()


def _photograph_views(chromium: Browser, server: Server, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Store(f"sqlite:///{server.home / 'duet.sqlite3'}")) as store:
        views = dict(_views(store.find(states=("done",))))
    for name, address in views.items():
        for look, (scheme, width) in _LOOKS.items():
            page = chromium.new_page(base_url=server.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.set_default_timeout(_PATIENCE_MS)
            page.goto(address)
            settled(page)
            if name.endswith("epochs"):
                page.get_by_text("Validation errors").click()
                page.get_by_role("rowheader").first.click()  # there may be no errors
                page.get_by_role("option").first.click()
                settled(page)
            height = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
            page.set_viewport_size({"width": width, "height": min(height + 20, _TALLEST)})
            settled(page)
            page.wait_for_timeout(1000)  # figures fade in
            page.screenshot(path=folder / f"{name}-{look}.png")
            page.close()


def _views(done: list[Run]) -> Iterator[tuple[str, str]]:
    """Return a name and an address of what there is to see: lists, a pair of each data set, groups of seeds."""
    yield "list", "/results"
    yield "list-each", "/results?together=false"
    for dataset in dict.fromkeys(run.config.dataset for run in done):
        run = next(run for run in done if run.config.dataset == dataset)
        for view in VIEWS:
            yield f"run-{dataset}-{view.lower()}", f"/results?{urlencode({'run': run.id, 'view': view})}"
        yield f"run-{dataset}-epochs", f"/results?run={run.id}"
    for number, group in enumerate(dict.fromkeys(run.group for run in done if run.group)):
        yield f"compare-{number}", f"/compare?group={group}"
    yield "compare-settings", "/compare?comparison=Settings"


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
    page.get_by_text("Most confused", exact=True).wait_for()
    page.get_by_role("tab", name="Errors").evaluate("tab => tab.scrollIntoView()")
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
