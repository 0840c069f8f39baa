"""What is chosen is what happens, in a browser that is slow to compute or far away; and what has gone is said.

`DUET_TYPING_REPETITIONS=20 python -m pytest tests/browser/test_chosen_is_chosen.py` does each journey twenty times. The
values that are typed, and what a recipe sets, are followed in `test_typed_values.py`.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from filelock import FileLock
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from core import datasets
from core.config import configure
from core.datasets.background_import import start_import
from core.networks.layers import Architecture, Dense, Flatten
from core.runs import Results, Store, new_id
from tests import processes
from tests.browser.app import Server, open_list, screenshot, settled
from tests.browser.slow import PRESS_MS, REPETITIONS, SlowPage, press, type_into
from tests.browser.waiting import PATIENCE_MS, wait_until
from tests.datasets import sources
from tests.field.inputs import pictures
from tests.sample_data import make_dataset, noise
from tests.sample_data import store as keep_dataset

pytestmark = pytest.mark.slow

_heights = count(16)


@pytest.fixture(scope="module")
def store(own_server: Server) -> Iterator[Store]:
    """The server's own store; what is queued stays there, as nobody works it off."""
    with FileLock(own_server.home / "scheduler.lock"):
        yield Store(f"sqlite:///{own_server.home / 'duet.sqlite3'}")


@pytest.fixture(params=["slow-browser", pytest.param("slow-link", marks=pytest.mark.exhaustive)])
def slow_page(request: pytest.FixtureRequest, own_server: Server, new_page: Callable[..., Page]) -> SlowPage:
    """A window on the module's server, slow in each of the ways."""
    return SlowPage(new_page(own_server), request.param)


@pytest.fixture(autouse=True)
def home(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's home, which is this test's, too."""
    monkeypatch.setenv("DUET_HOME", str(own_server.home))
    return own_server.home


def _keep(kind: str) -> str:
    """Have a data set called after a kind and a number among the server's, and return its name."""
    name = f"{kind}-{new_id()}"
    seed = int(name[-12:], 16)  # as the same images are not kept twice
    dataset = make_dataset(noise(20, seed=seed), [0, 1] * 10, noise(4, seed=seed + 1), [0, 1] * 2, name=name)
    keep_dataset(replace(dataset, specification=replace(dataset.specification, title=f"The {name}")))
    return name


def _finished(store: Store, network: str = "ann-100", **options: str) -> str:
    run_id = store.create(configure(architecture=network), submission=new_id(), claimed=True, **options)
    store.finish(run_id, 1, "done", Results(test_accuracy=0.9, train_seconds=3.0))
    return run_id


def _address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query, keep_blank_values=True).items()}


def _launch_what_has_gone(page: Page, told: Locator) -> None:
    """Press *Launch*, unless the page finds out by itself that it cannot be, and offers that no more."""
    launch = page.get_by_role("button", name="Launch")

    def is_pressed_or_told() -> bool:
        if told.is_visible():
            return True
        with suppress(PlaywrightTimeoutError):
            launch.click(delay=PRESS_MS, timeout=5_000)
            return True
        return False

    wait_until(is_pressed_or_told)
    expect(told).to_be_visible()


def test_a_data_set_that_has_gone_is_not_trained_on_another(slow_page: SlowPage, store: Store):
    for _ in range(REPETITIONS):
        name = _keep("photos")
        page, before = slow_page.open("train", dataset=name, frameworks="PyTorch"), store.count()
        expect(page.get_by_role("combobox", name="Data set")).to_have_value(f"The {name}")
        datasets.delete(name, lambda _name: [])
        _launch_what_has_gone(page, page.get_by_text(f"The data set {name} is not here"))
        settled(page)
        assert store.count() == before, "something else was launched"


def test_a_network_that_has_gone_is_not_replaced_by_another(slow_page: SlowPage, store: Store, home: Path):
    (home / "networks").mkdir(exist_ok=True)
    for _ in range(REPETITIONS):
        name = f"mine-{new_id()}"
        path = home / "networks" / f"{name}.json"
        layers = (Flatten(), Dense(units="classes"))
        path.write_text(Architecture(name=name, description="", layers=layers).model_dump_json())
        page, before = slow_page.open("train", architecture=name, frameworks="PyTorch"), store.count()
        expect(page.get_by_role("combobox", name="Network")).to_have_value(name)
        path.unlink()
        _launch_what_has_gone(page, page.get_by_text("expected one of").first)
        settled(page)
        expect(page.get_by_role("combobox", name="Network")).to_have_value(re.compile(f"^{name}"))
        assert store.count() == before, "something else was launched"


def test_an_address_opens_what_it_names_or_says_that_it_is_gone(slow_page: SlowPage, store: Store):
    name = _keep("holidays")
    for _ in range(REPETITIONS):
        for asked in (name, f"The {name}", f"the {name.upper()}"):
            page = slow_page.open("data", dataset=asked)
            expect(page.get_by_role("combobox", name="Data set")).to_have_value(f"The {name}")
        page = slow_page.open("data", dataset="holydays")
        expect(page.get_by_text("The data set holydays is not here")).to_be_visible()

        gone = _finished(store)
        store.delete(gone)
        store.purge()
        page = slow_page.open("results", run=gone)
        expect(page.get_by_text("names a run that is not here")).to_be_visible()
        kept = _finished(store, group="seeds")
        page = slow_page.open("compare", comparison="Seeds", group="gone")
        expect(page.get_by_text("names a group of runs that is not here")).to_be_visible()
        store.delete(kept)


def test_a_reload_keeps_what_was_set(slow_page: SlowPage, store: Store):
    for number in range(REPETITIONS):
        # Not the 3 from before the recipe: until the browser has shown what that says, this is taken for a late echo.
        epochs = 4 + number
        page = slow_page.open("train")
        open_list(page, "Start from")
        page.get_by_role("option", name="quick", exact=True).click()
        expect(page.get_by_text("Everything is as the recipe says.")).to_be_visible()
        type_into(page.locator(".st-key-setting-epochs input"), epochs, "enter")
        type_into(page.locator(".st-key-setting-batch_size input"), 48, "enter")
        page.wait_for_url(lambda url: "batch_size=48" in url)
        settled(page)
        assert _address(page) == {"recipe": "quick", "epochs": f"{epochs}", "batch_size": "48"}

        with slow_page.hurried():
            page.reload()
            settled(page)
        expect(page.locator(".st-key-setting-epochs input")).to_have_value(f"{epochs}")
        expect(page.get_by_text("2 settings changed: Epochs, Batch size.")).to_be_visible()
        before = store.count()
        press(page.get_by_role("button", name="Launch"))
        page.wait_for_url("**/results?run=*")
        wait_until(lambda before=before: store.count() >= before + 2)
        launched = store.find(limit=store.count() - before)
        assert sorted(run.config.framework for run in launched) == ["keras", "pytorch"]
        for run in launched:
            config = run.config
            assert (config.architecture, config.epochs, config.batch_size) == ("cnn-quick", epochs, 48)
            assert (config.optimizer, config.learning_rate) == ("adam", 0.002)


def test_coming_back_to_data_finds_the_map_that_was_chosen(slow_page: SlowPage):
    name = _keep("mapped")
    for _ in range(REPETITIONS):
        page = slow_page.open("data", dataset=name, view="Map")
        page.get_by_role("radio", name="t-SNE").click()
        page.wait_for_url(lambda url: "map=t-SNE" in url)
        settled(page)
        page.get_by_role("link", name="Train", exact=True).click()
        expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
        settled(page)
        page.get_by_role("link", name="Data", exact=True).click()
        expect(page.get_by_role("radio", name="t-SNE")).to_be_checked()
        expect(page.get_by_role("combobox", name="Data set")).to_have_value(f"The {name}")


def test_a_second_press_asks_before_a_second_pair(slow_page: SlowPage, store: Store):
    for _ in range(REPETITIONS):
        for run in store.find(states=("queued",), limit=1000):
            store.request_stop(run.id)
        page, before = slow_page.open(), store.count()
        press(page.get_by_role("button", name="Train both now"))
        page.wait_for_url(lambda url: "pair=" in url)
        for run in store.find(limit=2):
            store.claim(run.id)
        press(page.get_by_role("button", name="Train both now"))
        expect(page.get_by_role("button", name="Train another")).to_be_visible()
        assert store.count() == before + 2

        with slow_page.hurried():
            page.reload()
            settled(page)
        expect(page.get_by_role("heading", name="Training now")).to_be_visible()
        press(page.get_by_role("button", name="Train both now"))
        expect(page.get_by_role("button", name="Train another")).to_be_visible()
        assert store.count() == before + 2
        for run in store.find(limit=2):
            store.finish(run.id, 1, "stopped", Results())


def _pictures() -> dict[str, bytes]:
    """Return ten images of two classes, each time others: the same are not imported twice."""
    return pictures({"cats": 5, "dogs": 5}, shape=(next(_heights), 16, 3))


def _pets() -> dict[str, object]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in _pictures().items():
            archive.writestr(name, data)
    return {"name": "pets.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}


def test_a_plan_whose_upload_has_gone_asks_for_it_again(slow_page: SlowPage, own_server: Server):
    for _ in range(REPETITIONS):
        page = slow_page.open("data", view="Add data")
        page.locator("input[type=file]").set_input_files([_pets()])
        expect(page.get_by_text("As a network will see them")).to_be_visible(timeout=PATIENCE_MS)
        settled(page)
        own_server.kill()
        own_server.start()
        page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
        press(page.get_by_role("button", name="Import", exact=True))
        expect(page.get_by_text("What was uploaded is not here any more (pets.zip)")).to_be_visible(timeout=PATIENCE_MS)
        settled(page)
        screenshot(page, "upload-gone")
        expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)

        before = set(datasets.names())
        page.locator("input[type=file]").set_input_files([_pets()])
        expect(page.get_by_text("As a network will see them")).to_be_visible(timeout=PATIENCE_MS)
        settled(page)
        press(page.get_by_role("button", name="Import", exact=True))
        expect(page.get_by_text("is here: 10 images")).to_be_visible(timeout=PATIENCE_MS)
        assert len(set(datasets.names()) - before) == 1


def test_running_and_failed_imports_are_listed_in_every_tab(slow_page: SlowPage, home: Path, tmp_path: Path):
    for repetition in range(REPETITIONS):
        pets = sources.written(tmp_path / f"pets-{repetition}", _pictures())
        failed, running = start_import(tmp_path / "nothing.zip"), start_import(pets)
        (process,) = processes.of_home(home, running)
        process.suspend()
        try:
            wait_until(lambda failed=failed: _has_ended(home, failed))
            page = slow_page.open("data", view="Add data")
            expect(page.locator(f".st-key-dismiss-{failed}")).to_be_visible()
            press(page.locator(f".st-key-watch-{running}").get_by_role("button"))
            page.wait_for_url(lambda url, running=running: f"import={running}" in url)
        finally:
            process.resume()
        expect(page.get_by_text("is here: 10 images")).to_be_visible(timeout=PATIENCE_MS)
        page = slow_page.open("data", view="Add data")
        press(page.locator(f".st-key-dismiss-{failed}").get_by_role("button"))
        expect(page.locator(f".st-key-dismiss-{failed}")).to_have_count(0)


def _has_ended(home: Path, import_id: str) -> bool:
    return not processes.of_home(home, import_id)
