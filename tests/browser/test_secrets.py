"""No visitor reads a traceback, a path, a source line or a password, whatever goes wrong on a page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.config import configure
from core.runs import Store
from core.system.paths import PROJECT, store_url
from tests import processes
from tests.browser.app import failures_of, open_page
from tests.browser.waiting import PATIENCE_MS
from tests.runs.making import LIVING

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


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """Names what fails in `partly_failing`."""
    return tmp_path_factory.mktemp("planted") / "planted.txt"


@pytest.fixture(scope="module")
def partly_failing(new_server, planted):
    with new_server(PYTHONPATH=str(Path(__file__).parent / "planted"), DUET_PLANTED=str(planted)) as served:
        yield served


def tells_of_it(page, server, frames: list[bytes]) -> None:
    """See a sentence with a number on the page, and the error with its place under that number in the log alone."""
    sentence = page.get_by_text(re.compile("number [0-9a-f]{6}")).first
    expect(sentence).to_be_visible(timeout=PATIENCE_MS)
    number = re.search(r"number ([0-9a-f]{6})", sentence.inner_text())[1]
    assert not re.search(rb"planted-error|Traceback|RuntimeError|\\.py\", line", b"".join(frames))
    assert str(PROJECT) not in page.content()
    told = server.log.partition(f"Error {number}")[2]
    assert "Traceback (most recent call last)" in told
    assert "RuntimeError: planted-error in " in told


@pytest.mark.slow
def test_an_error_of_a_fragment_a_callback_or_another_process_is_told_alike(partly_failing, planted, new_page):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(partly_failing.home))
        store = Store(store_url())
    waiting = [store.create(configure(seed=seed), submission=f"{seed}", claimed=seed == 0) for seed in range(4)]
    store.enter(waiting[0], 1, **LIVING)  # it keeps the others waiting
    store.begin(waiting[0], 1, total_steps=1)
    page = new_page(partly_failing)
    frames = received(page)
    open_page(page)
    expect(page.get_by_text("Waiting: ")).to_be_visible()
    planted.write_text("queue")  # what the next run of the fragment asks for
    tells_of_it(page, partly_failing, frames)

    planted.write_text("move")
    open_page(page)
    page.locator(f".st-key-queue-front-{waiting[3]}").get_by_role("button").click()
    tells_of_it(page, partly_failing, frames)

    planted.write_text("/core/cli/datasets.py")
    open_page(page, "data", view="Add data")
    page.locator("input[type=file]").set_input_files(
        [{"name": "a.zip", "mimeType": "application/zip", "buffer": b"PK\5\6" + bytes(18)}]
    )
    tells_of_it(page, partly_failing, frames)
    planted.unlink()
    store.close()


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
