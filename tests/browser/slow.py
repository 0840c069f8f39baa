"""A browser that is slow to compute, or far away: what is chosen and pressed there, time after time.

    @pytest.mark.parametrize("way", SLOW)
    def test_journey(own_server, new_page, way):
        slow = SlowPage(new_page(own_server), way)
        page = slow.open("train")                       # loaded quickly, and slow from then on
        type_into(page.get_by_label("Epochs"), 5, "mouse")
        press(page.get_by_role("button", name="Launch"))

`DUET_TYPING_REPETITIONS=20` repeats each journey so often; it is twice if nothing else is said.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

from tests.browser.app import open_page
from tests.browser.waiting import PATIENCE_MS

REPETITIONS = int(os.environ.get("DUET_TYPING_REPETITIONS", "2"))

PRESS_MS = 80
"""How long a hand holds a button of the mouse down."""

_FREE_LINK = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
_SLOW_LINK = {"offline": False, "latency": 150, "downloadThroughput": 60_000, "uploadThroughput": 60_000}
SLOW = {
    "slow-browser": ("Emulation.setCPUThrottlingRate", {"rate": 6}, {"rate": 1}),
    "slow-link": ("Network.emulateNetworkConditions", _SLOW_LINK, _FREE_LINK),
}
"""Chromium's command for each way to be slow, with what makes it so and what ends that."""


class SlowPage:
    """A window that is slow in one of the ways, but for the time in which a page is loaded anew."""

    def __init__(self, page: Page, way: str):
        self.page = page
        self._session = page.context.new_cdp_session(page)
        self._command, self._slow, self._fast = SLOW[way]

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Be as fast as the machine for a while, and slow from then on."""
        self._session.send(self._command, self._fast)
        yield
        self._session.send(self._command, self._slow)

    def open(self, url_path: str = "", **query: object) -> Page:
        """Load a page anew, and be slow from then on."""
        with self.hurried():
            open_page(self.page, url_path, **query)
        return self.page


def type_into(field: Locator, value: object, way: str) -> None:
    """Type over what is there as a hand does, key by key; `way` is "enter" where Enter follows."""
    field = field.filter(visible=True)  # Streamlit hides one that another has replaced until the page has run
    expect(field).to_have_count(1, timeout=2 * PATIENCE_MS)
    field.click()
    field.press("Control+a")
    field.press_sequentially(str(value))
    if way == "enter":
        field.press("Enter")


def press(button: Locator) -> None:
    """Press a button at once, and hold it down for as long as a hand does: the page may move it meanwhile."""
    button.click(delay=PRESS_MS)
