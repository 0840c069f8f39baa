"""The dashboard as a visitor meets it: the real server, and what one does with a page of it.

    def test_journey(page, server, complaints):
        open_page(page, "results", run=run_id)
        page.get_by_role("button", name="Stop").click()
        settled(page)
        screenshot(page, "stopped")
        server.kill()
        server.start()
        assert not complaints

`DUET_SCREENSHOTS` names a folder in which screenshots are kept; without it none are taken.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from core.system.paths import PROJECT
from tests import processes
from ui.script_errors import SORRY

if TYPE_CHECKING:
    from playwright.sync_api import Page

_START_DEADLINE_S = 60.0

BROWSER_ARGUMENTS = (
    "--no-sandbox",  # it cannot be made by root, which tests in containers often are
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """Return the browser's program: what `DUET_BROWSER` names, else the first that is installed."""
    names = (os.environ.get("DUET_BROWSER"), "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


class Server:
    """`streamlit run dashboard.py` on a free port of this machine, with a home of its own."""

    def __init__(self, home: Path, log: Path | None = None, **environment: str):
        """Describe a server; `environment` are variables of its own, and its log lies in its home if nowhere else."""
        self.home = home
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self._log = log or home / "server.log"
        self._process: subprocess.Popen | None = None

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has printed, over all its starts."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Serve the home, on the same port each time; come back when the server answers."""
        command = [sys.executable, "-m", "streamlit", "run", "dashboard.py"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--server.port", str(self.port), "--server.headless", "true"],
                cwd=PROJECT,
                env={**os.environ, **self._environment, "DUET_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start. It printed:\n{self.log}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server's process as a crash would, and nothing that it has started."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the server and all that works in its home."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        processes.end(self.home)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return answer.status == 200
        except (URLError, ConnectionError, TimeoutError):
            return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def open_page(page: "Page", url_path: str = "", **query: object) -> None:
    """Load a page of the dashboard anew, as from a link, and wait until it stands still."""
    page.goto(f"/{url_path}?{urlencode(query)}" if query else f"/{url_path}")
    settled(page)


def settled(page: "Page") -> None:
    """Wait until the page is connected, its script has run, and nothing of it is still to come, images included.

    An image that is still to come when the page changes is no longer there, of which the browser complains.
    """
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_function("() => [...document.images].every(image => image.complete)")


def failures_of(page: "Page") -> list[str]:
    """Return what the page says of a script of its own that has failed."""
    told = page.get_by_test_id("stException").or_(page.get_by_test_id("stAlert").filter(has_text=SORRY))
    return told.all_inner_texts()


def open_list(page: "Page", label: str) -> None:
    """Open a list of choices once its field stands still: one that opens while it moves is closed by that."""
    box = page.get_by_role("combobox", name=label).first
    box.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => document.getAnimations().every(each => each.effect.getComputedTiming().iterations === Infinity)"
    )
    box.click()


def choose(page: "Page", label: str, option: str) -> None:
    """Choose from a list."""
    open_list(page, label)
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def fill(page: "Page", label: str, value: int) -> None:
    """Enter a number into a field, and wait until the page has taken it."""
    from playwright.sync_api import expect

    field = page.get_by_role("spinbutton", name=label)
    expect(field).to_have_count(1)  # while the page runs, the one before may still be there
    field.fill(str(value))
    field.press("Enter")
    settled(page)


def draw(page: "Page", *strokes: Sequence[tuple[float, float]]) -> None:
    """Draw on the canvas with the mouse; points are shares of its sides."""
    sheet = page.get_by_role("img", name="Drawing area")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    for stroke in strokes:
        for i, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=1 if i == 0 else 8)
            if i == 0:
                page.mouse.down()
        page.mouse.up()


def screenshot(page: "Page", name: str) -> None:
    """Keep a picture of the page as NAME.png, where `DUET_SCREENSHOTS` names a folder for it."""
    if folder := os.environ.get("DUET_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
