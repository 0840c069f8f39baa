"""Every field followed at once by every button that acts on it, in a browser that is slow to compute or far away.

One pair as part of `make test` and a few times each in `make test-all`. The long way, with a line for each pair that
says how often the typed value came through, is `DUET_TYPING_REPETITIONS=20 python -m pytest -s
tests/browser/test_typed_values.py`. A press that did nothing counts as a value lost.
"""

import json
from collections.abc import Callable, Iterator, Sized
from itertools import count, cycle
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Locator, Page, expect

from core.config import RunConfig
from core.networks.layers import Activation, Architecture, BatchNorm, Convolution, Dense, Dropout, Flatten, MaxPool
from core.runs import Run, Store
from tests.browser.app import Server, open_list, open_page, settled
from tests.browser.slow import REPETITIONS, SlowPage, press, type_into
from tests.browser.waiting import wait_until

WAYS = ("mouse", "enter")
"""Whether a button follows the last key that was typed, or Enter does first."""

LAYERS = (
    *(Convolution(filters=2), BatchNorm(), MaxPool(), Dropout(), Flatten(), Dense(units=8)),
    *[Activation()] * 9,
    Dense(units="classes"),
)
FIELDS = (
    *((0, "filters", 3), (0, "kernel", 5), (0, "stride", 2), (1, "epsilon", 0.002), (1, "momentum", 0.8)),
    *((2, "size", 3), (2, "stride", 1), (3, "rate", 0.4), (5, "units", 33)),
)
"""The number of a layer, its field, and what is typed into that."""

FIRST_SPARE = 6
"""The number of the first activation, which can be moved or removed without harm."""

SETTINGS = {
    **{"epochs": 3, "batch_size": 48, "learning_rate": 0.02, "train_limit": 1200, "seed": 7},
    **{"momentum": 0.5, "weight_decay": 0.001, "clip_norm": 1.5, "label_smoothing": 0.1, "patience": 2},
    **{"rotation": 5.0, "zoom": 0.1, "erasing": 0.2, "warmup_epochs": 0.5, "validation_share": 0.2},
}


@pytest.fixture(scope="module")
def store(own_server: Server) -> Iterator[Store]:
    """The server's own store, to see what was done; what is queued stays there, as nobody works it off."""
    with FileLock(own_server.home / "scheduler.lock"):
        yield Store(f"sqlite:///{own_server.home / 'duet.sqlite3'}")


@pytest.fixture(scope="module")
def counts() -> Iterator[dict[str, list[bool]]]:
    """For each pair of a field and a button, whether what was typed came through, time by time; told at the end."""
    counted: dict[str, list[bool]] = {}
    yield counted
    for pair, results in counted.items():
        print(f"{pair}: {sum(results)} of {len(results)}")


@pytest.fixture
def check(request: pytest.FixtureRequest, counts: dict[str, list[bool]]) -> Iterator[Callable[..., None]]:
    """Note for a pair whether what came is what was typed; once all have been tried, fail for those that were lost."""
    lost = []

    def note(pair: str, came: object, typed: object) -> None:
        counts.setdefault(f"{pair} ({request.node.callspec.id})", []).append(came == typed)
        if came != typed:
            lost.append(f"{pair}: typed {typed!r}, came {came!r}")

    yield note
    assert not lost


def times(fields: Sized) -> int:
    """Return how often to try: some of the fields as part of the tests, else all of them, each as often."""
    return REPETITIONS if len(fields) > REPETITIONS else REPETITIONS * len(fields)


@pytest.fixture(params=["slow-browser", pytest.param("slow-link", marks=pytest.mark.exhaustive)])
def slow_page(request: pytest.FixtureRequest, own_server: Server, new_page: Callable[..., Page]) -> SlowPage:
    """A window on the module's server, slow in each of the ways."""
    return SlowPage(new_page(own_server), request.param)


class Editor:
    """The layer editor on a network of all kinds of fields."""

    def __init__(self, slow_page: SlowPage, home: Path):
        self._slow_page, self._home = slow_page, home
        (home / "networks").mkdir(exist_ok=True)
        source = Architecture(name="fields", description="", layers=LAYERS)
        (home / "networks" / "fields.json").write_text(source.model_dump_json())
        self._page = slow_page.page
        self.dialog = self._page.get_by_role("dialog")

    def open(self) -> None:
        """Open it from a page that is loaded anew, so that its layers count from 0."""
        with self._slow_page.hurried():
            open_page(self._page, "train")
            box = self._page.get_by_role("combobox", name="Network")
            box.click()
            box.fill("fields")
            self._page.get_by_role("option", name="fields", exact=True).click()
            expect(box).to_have_value("fields")
            settled(self._page)
            self._page.get_by_role("button", name="Change a copy").click()
            expect(self.field(5, "units")).to_be_visible()
            settled(self._page)

    def field(self, number: int, name: str) -> Locator:
        return self._page.locator(f".st-key-draft-{number}-{name} input")

    def button(self, number: int, name: str) -> Locator:
        return self._page.locator(f".st-key-draft-{number}-{name.replace(' ', '-')}").get_by_role("button")

    def save(self, name: str, way: str) -> dict | None:
        """Type a name, press *Save and use* at once, and return what was saved."""
        type_into(self.dialog.get_by_role("textbox", name="Name"), name, way)
        press(self.dialog.get_by_role("button", name="Save and use"))
        expect(self.dialog).to_have_count(0)
        path = self._home / "networks" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None


@pytest.fixture
def editor(slow_page: SlowPage, own_server: Server) -> Editor:
    return Editor(slow_page, own_server.home)


@pytest.mark.exhaustive
@pytest.mark.parametrize("network", ["ann-100", "cnn-quick"])
def test_a_network_before_changing_a_copy(slow_page: SlowPage, network: str, check: Callable[..., None]):
    for _ in range(REPETITIONS):
        page = slow_page.open("train")
        open_list(page, "Network")
        page.get_by_role("option", name=network, exact=True).click()
        press(page.get_by_role("button", name="Change a copy"))
        name = page.get_by_role("dialog").get_by_role("textbox", name="Name")
        expect(name).to_be_visible()
        check("network, Change a copy", name.input_value(), f"my-{network}")


names = (f"typed-{number}" for number in count())


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_a_layers_field_before_saving(editor: Editor, way: str, check: Callable[..., None]):
    for repetition, (number, field, value) in zip(range(times(FIELDS)), cycle(FIELDS), strict=False):
        editor.open()
        name = f"{next(names)}-{repetition}"
        type_into(editor.dialog.get_by_role("textbox", name="Name"), name, "enter")
        type_into(editor.field(number, field), value, way)
        press(editor.dialog.get_by_role("button", name="Save and use"))
        expect(editor.dialog).to_have_count(0)
        path = editor._home / "networks" / f"{name}.json"
        saved = json.loads(path.read_text())["layers"][number][field] if path.exists() else None
        check(f"{field}, Save and use", saved, value)


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["Move up", "Remove", "Add"])
def test_a_layers_field_before_another_button(editor: Editor, name: str, way: str, check: Callable[..., None]):
    for _ in range(REPETITIONS):
        editor.open()
        for spare, (number, field, value) in enumerate(FIELDS, FIRST_SPARE):
            type_into(editor.field(number, field), value, way)
            press(editor.button(spare, name))
            if name == "Add":
                editor.dialog.page.get_by_role("menuitem", name="Activation").click()
        saved = editor.save(next(names), way)
        check("Name, Save and use", saved is not None, True)
        layers = saved["layers"] if saved else []
        found = {layer["kind"]: layer for layer in reversed(layers)}
        for number, field, value in FIELDS:
            check(f"{field}, {name}", found.get(LAYERS[number].kind, {}).get(field), value)
        activations = {"Move up": 9, "Remove": 0, "Add": 18}[name]
        check(f"{name}, every press", sum(layer["kind"] == "activation" for layer in layers), activations)


def test_a_layer_that_moved_is_there_once(editor: Editor):
    editor.open()
    press(editor.button(FIRST_SPARE, "Remove"))
    press(editor.button(4, "Add"))
    editor.dialog.page.get_by_role("menuitem", name="Dropout").click()
    press(editor.button(5, "Move up"))
    press(editor.button(3, "Move down"))
    press(editor.button(1, "Remove"))
    expect(editor.button(1, "Remove")).to_have_count(0)
    for number in (0, *range(2, FIRST_SPARE), *range(FIRST_SPARE + 1, len(LAYERS) + 1)):
        expect(editor.button(number, "Remove")).to_have_count(1)


@pytest.mark.parametrize("way", WAYS)
def test_units_after_layers_were_rearranged(editor: Editor, way: str, check: Callable[..., None]):
    for _ in range(REPETITIONS):
        editor.open()
        name = next(names)
        type_into(editor.dialog.get_by_role("textbox", name="Name"), name, "enter")
        press(editor.button(FIRST_SPARE, "Remove"))
        press(editor.button(4, "Add"))
        editor.dialog.page.get_by_role("menuitem", name="Dropout").click()
        expect(editor.field(len(LAYERS), "rate")).to_be_visible()
        type_into(editor.field(5, "units"), 33, way)
        press(editor.dialog.get_by_role("button", name="Save and use"))
        expect(editor.dialog).to_have_count(0)
        layers = json.loads((editor._home / "networks" / f"{name}.json").read_text())["layers"]
        check("units after Remove and Add", next(layer["units"] for layer in layers if layer["kind"] == "dense"), 33)


def launched(page: Page, store: Store, before: int) -> Run | None:
    """Wait for the page of what was launched, and return the run."""
    page.wait_for_url("**/results?run=*")
    wait_until(lambda: store.count() > before)
    (run,) = store.find(limit=1)
    return run


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_a_setting_before_launching(slow_page: SlowPage, store: Store, way: str, check: Callable[..., None]):
    chosen = cycle(SETTINGS.items())
    for _ in range(times(SETTINGS)):
        name, value = next(chosen)
        page = slow_page.open("train", frameworks="PyTorch")
        if not page.locator(f".st-key-setting-{name} input").is_visible():
            page.get_by_text("Advanced").click()
        before = store.count()
        type_into(page.locator(f".st-key-setting-{name} input"), value, way)
        press(page.get_by_role("button", name="Launch"))
        check(f"{name}, Launch", getattr(launched(page, store, before).config, name), value)


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_seeds_before_launching(slow_page: SlowPage, store: Store, way: str, check: Callable[..., None]):
    for _ in range(REPETITIONS):
        page = slow_page.open("train", frameworks="PyTorch")
        before = store.count()
        type_into(page.get_by_role("spinbutton", name="Seeds"), 2, way)
        press(page.get_by_role("button", name="Launch"))
        run = launched(page, store, before)
        check("seeds, Launch", store.count(group=run.group) if run.group else 1, 2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_a_setting_after_a_recipe(slow_page: SlowPage, store: Store, way: str, check: Callable[..., None]):
    """The rate follows the optimizer only where the user has just changed that: here a recipe did."""
    for _ in range(REPETITIONS):
        page = slow_page.open("train", frameworks="PyTorch")
        page.get_by_text("Advanced").click()
        open_list(page, "Start from")
        page.get_by_role("option", name="quick", exact=True).click()
        before = store.count()
        type_into(page.locator(".st-key-setting-train_limit input"), 1200, way)
        press(page.get_by_role("button", name="Launch"))
        config = launched(page, store, before).config
        check("recipe, training limit, Launch", (config.optimizer, config.learning_rate), ("adam", 0.002))
        check("training limit after a recipe, Launch", config.train_limit, 1200)


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_labels_before_saving(slow_page: SlowPage, store: Store, way: str, check: Callable[..., None]):
    run_id = store.create(RunConfig(), submission=next(names))
    for repetition in range(REPETITIONS):
        for field in ("Name", "New tags", "Note"):
            typed = f"{field} {repetition} {way}"
            page = slow_page.open("results", run=run_id)
            page.get_by_role("button", name="Name, tags, note").click()
            box = page.get_by_role("textbox", name=field)
            type_into(box, typed, "mouse" if field == "Note" else way)
            if way == "mouse" or field == "Note":
                press(page.get_by_role("button", name="Save", exact=True))
            page.wait_for_timeout(50)
            settled(page)
            run = store.get(run_id)
            came = {"Name": run.name, "New tags": typed if typed in run.tags else run.tags, "Note": run.note}
            check(f"{field}, Save", came[field], typed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_a_search_before_the_runs_are_chosen_from(
    slow_page: SlowPage, store: Store, way: str, check: Callable[..., None]
):
    store.create(RunConfig(), submission=next(names))
    for repetition in range(REPETITIONS):
        page = slow_page.open("results")
        type_into(page.get_by_role("searchbox", name="Search"), f"typed {repetition}", way)
        press(page.get_by_text("Deleted runs"))
        settled(page)
        expect(page.get_by_text("No deleted run fits")).to_be_visible()
        check("search, Deleted runs", page.get_by_role("searchbox", name="Search").input_value(), f"typed {repetition}")
