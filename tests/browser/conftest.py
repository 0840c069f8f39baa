"""The server and the browser of a journey.

The journeys share one `server`, unless their module has one of its own; each has a `page` of its own, and
`complaints` is what the browser found wrong. Without Chromium the journeys are skipped, unless
`DUET_REQUIRE_BROWSER=1` makes that a failure.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.app import BROWSER_ARGUMENTS, Server, find_browser, screenshot
from tests.browser.waiting import PATIENCE_MS
from tests.conftest import furnish

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

_STREAMLIT_PROBE = re.compile(r"/[^/]+/_stcore/(health|host-config)$")
"""A page opened from a link asks below its own address first where its server is, and meets a 404 on the way."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the journeys, and skip them where they cannot run."""
    reason = _why_not()
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)
            if reason and os.environ.get("DUET_REQUIRE_BROWSER") != "1":
                item.add_marker(pytest.mark.skip(reason=reason))


def _why_not() -> str | None:
    """Say why no journey can run here, if so."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: pip install -r requirements-dev.txt"
    if find_browser() is None:
        return "no Chromium on this machine: install it, or name its program in DUET_BROWSER"
    return None


# For the journeys only: while Playwright is there, no other test could run an event loop of its own.
@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """A headless Chromium."""
    if reason := _why_not():
        pytest.fail(f"DUET_REQUIRE_BROWSER=1, but {reason}", pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def new_server(
    browser: "Browser",  # noqa: ARG001 (without one there is no need to serve)
    tmp_path_factory: pytest.TempPathFactory,
    unpacked_datasets: Path,
) -> Callable[..., AbstractContextManager[Server]]:
    """Serve an empty store for a while; keyword arguments are variables of the server's environment."""

    @contextmanager
    def serve(**environment: str) -> Iterator[Server]:
        server = Server(furnish(tmp_path_factory.mktemp("served"), unpacked_datasets), **environment)
        server.start()
        yield server
        server.close()
        shutil.rmtree(server.home / "datasets")

    return serve


# A server's start, and what it warms up for its first visitors, take longer than most journeys.
@pytest.fixture(scope="package")
def server(new_server: Callable[..., AbstractContextManager[Server]]) -> Iterator[Server]:
    """A server that the journeys share, with all that they leave there."""
    with new_server() as served:
        yield served


@pytest.fixture(scope="module")
def own_server(new_server: Callable[..., AbstractContextManager[Server]]) -> Iterator[Server]:
    """A server for a module whose journeys would disturb the others, or be disturbed by what they leave."""
    with new_server() as served:
        yield served


@pytest.fixture(scope="module")
def trained_server(browser: "Browser", trained_home: Path) -> Iterator[Server]:  # noqa: ARG001 (without one there is no need)
    """A server with a finished run of each framework."""
    served = Server(trained_home)
    served.start()
    yield served
    served.close()


@pytest.fixture
def complaints() -> list[str]:
    """The errors that the browser has met on the test's pages, in its console or uncaught."""
    return []


@pytest.fixture
def new_page(
    request: pytest.FixtureRequest, browser: "Browser", complaints: list[str]
) -> Iterator[Callable[..., "Page"]]:
    """Open a visitor's own window on a server; keyword arguments are Playwright's, such as `has_touch`."""
    contexts = []

    def start(server: Server, **options: Any) -> "Page":
        context = browser.new_context(**{"base_url": server.url, "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        from playwright.sync_api import expect

        # A busy machine is no fault of a page's.
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS / 2)
        page = context.new_page()
        page.on("console", lambda message: complaints.extend(_errors(message)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield start
    for context in contexts:
        if request.node.stash.get(_failed, False):
            for page in context.pages:
                screenshot(page, f"failed-{request.node.name}")
        context.close()


@pytest.fixture
def page(server: Server, new_page: Callable[..., "Page"]) -> "Page":
    """A window on the module's server."""
    return new_page(server)


def _errors(message: "ConsoleMessage") -> list[str]:
    url = message.location["url"]
    if message.type != "error" or _STREAMLIT_PROBE.search(url):
        return []
    return [f"{message.text} ({url})"]


_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember a failure, so that a picture is kept of what was there to see."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report
