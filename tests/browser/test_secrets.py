"""No visitor reads a traceback, a path, a source line or a password, whatever goes wrong on a page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.system.paths import PROJECT
from tests import processes
from tests.browser.app import failures_of, open_page

PAGES = sorted("" if path.stem == "home" else path.stem for path in (PROJECT / "pages").glob("*.py"))


def received(page) -> list[bytes]:
    """Return a list into which all that the server sends to a page will come."""
    frames: list[bytes] = []

    def keep(payload: bytes | str) -> None:
        frames.append(payload if isinstance(payload, bytes) else payload.encode())

    page.on("websocket", lambda opened: opened.on("framereceived", keep))
    return frames


@pytest.fixture(scope="module")
def failing(new_server):
    with new_server(PYTHONPATH=str(Path(__file__).parent / "planted")) as served:
        yield served


@pytest.mark.parametrize("address", PAGES)
def test_an_error_is_a_sentence_and_a_number_that_the_log_explains(failing, new_page, address):
    page = new_page(failing)
    frames = received(page)
    open_page(page, address)

    (sentence,) = failures_of(page)
    number = re.search(r"number ([0-9a-f]{6}):", sentence)[1]
    assert str(PROJECT) not in page.content()
    assert not re.search(rb"planted-error|Traceback|RuntimeError|\\.py\", line", b"".join(frames))
    told = failing.log.partition(f"Error {number} of a page")[2]
    assert f"RuntimeError: planted-error in {PROJECT}/pages/{address or 'home'}.py" in told


def test_the_password_of_a_store_is_nowhere(new_server, new_page):
    url = "postgresql+psycopg://127.0.0.1:1/duet?user=duet&password=planted-secret"
    with new_server(DUET_STORE=url) as served:
        page = new_page(served)
        frames = received(page)
        for address in PAGES:
            open_page(page, address)
            if address not in ("data", "replication"):  # which know no runs
                expect(page.get_by_text("cannot be reached").first).to_be_visible()
            assert "planted-secret" not in page.content()
        assert b"planted-secret" not in b"".join(frames)
        assert "planted-secret" not in served.log
        for file in served.home.glob("*.log"):
            assert "planted-secret" not in file.read_text(errors="replace")
        assert not any("planted-secret" in part for each in processes.of_home(served.home) for part in each.cmdline())
