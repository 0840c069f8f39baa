"""Names of strangers through all that a page puts out: each is shown as it is written, and none becomes an element.

They are the names of classes, data sets, runs, tags, folders and files. At the end of each journey, and at each step of
it, no name has run, links anywhere or has asked for anything outside.
"""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core import datasets
from core.config import FRAMEWORK_TITLES, configure
from core.datasets.inspection.cache import write_cached
from core.datasets.inspection.gallery import png
from core.jobs.scheduler import set_cpu_slots
from core.runs import Store
from core.studies.search.specification import specify
from core.system.paths import PROJECT
from core.system.text import is_like_a_formula
from tests.browser.app import Server, failures_of, open_list, open_page, screenshot, settled
from tests.browser.names_shown import (
    are_written,
    assert_inert,
    assert_written,
    at_rest,
    drawn,
    hovered,
    in_tables,
    record_drawing,
    text_of,
)
from tests.browser.waiting import PATIENCE_MS, wait_until
from tests.hostile_names import HOSTILE_NAMES
from tests.runs.making import LIVING, finished_results
from tests.sample_data import make_dataset, noise
from tests.sample_data import store as keep_dataset
from ui.search.analysis import VIEWS as SEARCH_VIEWS

COUNT = len(HOSTILE_NAMES)
SOME = (*range(0, COUNT, 4), COUNT - 1)
"""Numbers of classes that are looked at one by one; the last one is the last."""
ALL_NAMES = " · ".join(HOSTILE_NAMES)
TAGS = [name[:40] for name in HOSTILE_NAMES]
# In a zip a backslash parts folders, as on Windows, and so does a slash.
FOLDERS = [name.replace("/", "|") for name in HOSTILE_NAMES if "\\" not in name]
FILES = [name.replace("/", "|") for name in HOSTILE_NAMES]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


@pytest.fixture(scope="module")
def store(server: Server) -> Iterator[Store]:
    store = Store(f"sqlite:///{server.home / 'duet.sqlite3'}")
    yield store
    store.close()


@pytest.fixture(scope="module", autouse=True)
def pair(server: Server, store: Store) -> list[str]:
    """A finished run of each framework on classes of such names, and a data set and a run called by each of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(server.home))
        _keep_hostile_dataset()
        for number, title in enumerate(HOSTILE_NAMES):
            keep_dataset(make_dataset(noise(4, seed=10 + number), [0, 1] * 2, noise(2), [0, 1], name=f"named-{number}"))
            datasets.rename(f"named-{number}", title)
    asked = ["--dataset", "tiny", "--architecture", "ann-100", "--epochs", "1", "--threads", "1"]
    trainings = [
        subprocess.Popen(
            [sys.executable, "-m", "core", "train", "--framework", framework, *asked],
            cwd=PROJECT,
            env={**os.environ, "DUET_HOME": str(server.home)},
            stdout=subprocess.DEVNULL,
        )
        for framework in FRAMEWORK_TITLES
    ]
    assert [training.wait() for training in trainings] == [0] * len(trainings)
    done = store.find(states=("done",), order="oldest")
    for run, name in zip(done, HOSTILE_NAMES, strict=False):
        store.rename(run.id, name)
    for number, name in enumerate(HOSTILE_NAMES):
        # Runs of the same settings would be one row.
        run_id = store.create(configure(epochs=number + 1), submission=f"{number}", name=name, claimed=True)
        store.enter(run_id, 1, **LIVING)
        store.begin(run_id, 1, total_steps=1)
        store.finish(run_id, 1, "stopped", finished_results())
        store.tag(run_id, add=[TAGS[number]])
    return [run.id for run in done]


def _keep_hostile_dataset() -> None:
    """Keep images of each class; of each class one is an image of another class, too, and one is a suspect."""
    labels = np.tile(np.arange(COUNT), 6)
    train = noise(len(labels))
    train[COUNT : 2 * COUNT] = np.roll(train[:COUNT], 1, axis=0)
    test_labels = np.tile(np.arange(COUNT), 2)
    made = make_dataset(train, labels, noise(2 * COUNT, seed=1), test_labels, class_names=HOSTILE_NAMES)
    found = {
        "suggested": (labels + 1) % COUNT,
        "score": np.full(len(labels), 0.25, np.float32),
        "confidence": np.full(len(labels), 0.75, np.float32),
        "order": np.arange(COUNT),
        "estimated": np.array(1),
        "unchecked": np.array(0),
        "settings": np.array('{"folds": 5}'),
    }
    write_cached(keep_dataset(made).fingerprint, "labels-1-pytorch-42", found)


@pytest.fixture
def page(server: Server, new_page: Callable[..., Page]) -> Page:
    """A wide and high window, so that tables show all they have, which notes what is drawn."""
    page = new_page(server, viewport={"width": 1900, "height": 1400})
    record_drawing(page)
    return page


@pytest.fixture
def check(server: Server, page: Page, complaints: list[str]) -> Iterator[Callable[[], None]]:
    """See that up to now no name has become more than text."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("websocket", lambda opened: requests.append(opened.url))

    def check() -> None:
        settled(page)
        assert_inert(page, server.url, requests)
        assert failures_of(page) == []

    yield check
    check()
    assert complaints == []


def options(page: Page, label: str) -> list[str]:
    """Open a list of choices, and return what it offers."""
    open_list(page, label)
    expect(page.get_by_role("option").first).to_be_visible()
    offered = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return offered


def table(page: Page) -> list[str]:
    """Wait until a table is there with a line for each name, and return what stands in it."""
    wait_until(lambda: (page.wait_for_timeout(50), len(in_tables(page)) >= COUNT)[1])
    return in_tables(page)


def wait_for_drawn(page: Page, names: Sequence[str]) -> None:
    """Wait for names on a canvas, where there may be room for their beginnings only."""
    with suppress(AssertionError):
        wait_until(lambda: (page.wait_for_timeout(50), are_written(names, drawn(page), may_be_cut=True))[1], 20_000)
    assert_written(names, drawn(page), may_be_cut=True)


def test_data_sets_and_their_classes(page: Page, check: Callable[[], None]):
    open_page(page, "data", dataset="tiny")
    wait_for_drawn(page, HOSTILE_NAMES)
    assert_written(HOSTILE_NAMES, hovered(page.get_by_test_id("stVegaLiteChart").first))
    page.get_by_text("The same as a table").click()
    check()
    assert_written(HOSTILE_NAMES, table(page))
    assert_written(HOSTILE_NAMES, options(page, "Data set"))
    check()

    open_page(page, "data", dataset="tiny", view="Images")
    assert_written(HOSTILE_NAMES, at_rest(page))
    assert_written(HOSTILE_NAMES, options(page, "Class"))
    check()

    open_page(page, "data", dataset="tiny", view="Classes")
    assert_written(HOSTILE_NAMES, text_of(page), may_be_cut=True)
    check()

    open_page(page, "data", dataset="tiny", view="Map")
    wait_for_drawn(page, HOSTILE_NAMES)
    told = hovered(page.get_by_test_id("stVegaLiteChart").first)
    assert {text for text in told if not text.startswith(("training image", "test image"))} == {*HOSTILE_NAMES}
    check()


def test_findings_and_suspects(page: Page, check: Callable[[], None]):
    open_page(page, "data", dataset="tiny", view="Health")
    assert_written(HOSTILE_NAMES, at_rest(page))
    told = []
    for number in SOME:
        open_page(page, "data", dataset="tiny", view="Health", faulty=number)
        told += [line.removeprefix("Also labelled ") for line in text_of(page) if line.startswith("Also labelled ")]
        told += [line.removeprefix("Class ") for line in text_of(page) if line.startswith("Class ")]
        check()
    shown = {HOSTILE_NAMES[number] for number in SOME} | {HOSTILE_NAMES[(number + 1) % COUNT] for number in SOME}
    assert {line.rpartition(", training")[0] or line for line in told} == shown

    told = []
    for number in SOME:
        open_page(page, "data", dataset="tiny", view="Labels", suspect=number)
        told += text_of(page)
        check()
    assert_written([f"Score of {HOSTILE_NAMES[number]}" for number in SOME], told)
    suggested = [HOSTILE_NAMES[(number + 1) % COUNT] for number in SOME]
    assert_written([f"Suggested: {name}" for name in suggested], told)
    assert_written([f"Relabel as {name}" for name in suggested], told, may_be_cut=True)
    offered = options(page, "Relabel as another class")
    assert_written(HOSTILE_NAMES[:-1], offered)  # the last one's label is the last class
    page.get_by_role("button", name="Relabel as").click()
    settled(page)
    page.get_by_text("Each decision").click()
    wait_for_drawn(page, [HOSTILE_NAMES[-1], HOSTILE_NAMES[0]])


def zip_of(entries: Iterable[tuple[str, bytes]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def upload(page: Page, name: str, content: bytes) -> None:
    open_page(page, "data", view="Add data")
    page.locator("input[type=file]").set_input_files([{"name": name, "mimeType": "application/zip", "buffer": content}])
    expect(page.get_by_text("As a network will see them")).to_be_visible(timeout=PATIENCE_MS)
    settled(page)


def test_what_is_imported_renamed_and_deleted(page: Page, check: Callable[[], None]):
    open_page(page, "data", view="Add data")
    assert_written(HOSTILE_NAMES, text_of(page))
    check()

    images = [
        (f"{folder}/{number}{folder}.png", png(noise(1, seed=1000 + 3 * position + number)[0]))
        for position, folder in enumerate(FOLDERS)
        for number in range(3)
    ]
    upload(page, "named.zip", zip_of([*images, *((f"{FOLDERS[0]}/{file}.png", b"none") for file in FOLDERS)]))
    assert_written(FOLDERS, text_of(page))
    screenshot(page, "names-plan")
    check()
    page.get_by_label("Name", exact=True).fill(HOSTILE_NAMES[4])
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("button", name="See the images")).to_be_visible(timeout=PATIENCE_MS)
    settled(page)
    assert_written([HOSTILE_NAMES[4]], text_of(page.get_by_test_id("stAlert").first))
    wait_for_drawn(
        page, sorted(f"{FOLDERS[0]}/{file}.png" for file in FOLDERS)[:6]
    )  # those that the table has room for
    page.get_by_role("button", name="Close").click()
    check()

    page.get_by_role("button", name="Delete").first.click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    check()
    assert any(line.rstrip(".") in {f"{name} was deleted" for name in HOSTILE_NAMES} for line in text_of(page))
    page.get_by_role("button", name="Undo").click()
    check()


def test_columns_of_a_table(page: Page, check: Callable[[], None]):
    pixels = noise(40).reshape(40, -1)
    heads = ["label", *('"{}"'.format(name.replace('"', '""')) for name in HOSTILE_NAMES)]
    heads += [f"pixel_{number}" for number in range(pixels.shape[1] - COUNT)]
    rows = [f"{number % 2},{','.join(map(str, row))}" for number, row in enumerate(pixels)]
    upload(page, "table.csv", "\n".join([",".join(heads), *rows]).encode())
    page.get_by_text("What was guessed, to be changed").click()
    # A long list has in it those that fit.
    assert_written(["label", *HOSTILE_NAMES[:5]], options(page, "Column of classes"))
    check()


def test_results(page: Page, pair: list[str], check: Callable[[], None], tmp_path: Path):
    open_page(page, "results")
    wait_for_drawn(page, HOSTILE_NAMES[-8:])
    check()
    for name, tag in zip(HOSTILE_NAMES[:4], TAGS, strict=False):
        open_page(page, "results", tag=tag)
        wait_for_drawn(page, [name])
        check()
    assert_written(TAGS, options(page, "Tag"))
    open_page(page)
    wait_for_drawn(page, HOSTILE_NAMES[-8:])
    check()

    open_page(page, "results", run=pair[0], view="Errors")
    expect(page.get_by_text("All errors")).to_be_visible(timeout=PATIENCE_MS)
    assert text_of(page.get_by_role("heading", level=1).first) == [HOSTILE_NAMES[0]]
    assert_written(HOSTILE_NAMES, at_rest(page))
    offered = page.get_by_role("button", name="→")
    first, _, second = offered.first.inner_text().replace("\u2060", "").rpartition(":")[0].partition(" → ")
    assert {first, second} <= {*HOSTILE_NAMES}
    offered.first.click()
    check()
    assert_written([f"{first} → {second}: "], text_of(page))
    chart = page.get_by_test_id("stVegaLiteChart").last
    told = {text for text in hovered(chart) if "%" not in text or text in HOSTILE_NAMES}
    assert told
    assert told <= {*HOSTILE_NAMES}
    page.get_by_text("Most similar training images").click()
    check()
    screenshot(page, "names-errors")

    page.add_init_script("delete window.showSaveFilePicker")  # which would ask where to
    open_page(page, "results", run=pair[0], view="Classes")
    assert_written(HOSTILE_NAMES, table(page))
    page.get_by_test_id("stDataFrame").hover()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as CSV").click()
    cells = [row[0] for row in csv.reader(io.StringIO(started.value.path().read_text("utf-8-sig")))]
    assert [cell.removeprefix("\u2060") for cell in cells] == ["Class", *HOSTILE_NAMES]
    assert not any(map(is_like_a_formula, cells))
    check()
    for view in ("Confidence", "Settings", "Log"):
        open_page(page, "results", run=pair[0], view=view)
        check()
    open_page(page, "results", run=pair[0])
    page.get_by_text("Validation errors").click()
    expect(page.get_by_role("grid", name="Confusion matrix of the validation images").first).to_be_visible(
        timeout=PATIENCE_MS
    )
    assert_written(HOSTILE_NAMES, at_rest(page))
    check()

    open_page(page, "results", run=pair[0], view="Export")
    with page.expect_download() as started:
        page.get_by_role("button", name="Report").click()
    assert started.value.suggested_filename == f"duet-{pair[0]}.html"
    report = shutil.copy(started.value.path(), tmp_path / "report.html")
    opened = page.context.new_page()
    opened.goto(f"file://{report}")
    assert_written(HOSTILE_NAMES, opened.locator("th, h1").all_text_contents())
    assert opened.locator("a, script, b, [src^=http]").count() == 0
    opened.close()


def test_sentences_that_refuse(page: Page, check: Callable[[], None], pair: list[str]):
    """A tag that is too long is told with what was written."""
    for name in HOSTILE_NAMES[:6]:
        open_page(page, "results", run=pair[0])
        page.get_by_role("button", name="Name, tags, note").click()
        page.get_by_label("New tags").fill("x" * 60 + name)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_test_id("stAlert").get_by_text("received")).to_be_visible(timeout=PATIENCE_MS)
        check()


def test_other_pages(page: Page, check: Callable[[], None]):
    open_page(page, "compare")
    wait_for_drawn(page, HOSTILE_NAMES[:2])
    assert_written(HOSTILE_NAMES[:2], text_of(page))
    check()
    open_page(page, "compare", comparison="Parity")
    check()
    for address in ("search", "replication"):
        open_page(page, address)
        check()
    open_page(page, "train")
    assert_written(HOSTILE_NAMES, options(page, "Data set"))


def test_predictions(page: Page, pair: list[str], check: Callable[[], None]):
    open_page(page, "predict", run=pair[0], **{"from": "Test image"})
    wait_for_drawn(page, HOSTILE_NAMES)
    verdict = text_of(page.get_by_role("heading", level=2).first)[0]
    assert_written([next(name for name in HOSTILE_NAMES if name in verdict)], [verdict])
    chart = page.get_by_test_id("stVegaLiteChart").first
    told = {text for text in hovered(chart) if "%" not in text or text in HOSTILE_NAMES}
    assert told == {*HOSTILE_NAMES}
    assert_written([f"{HOSTILE_NAMES[0]} · "], options(page, "Model"))
    check()

    page.get_by_label("Help for Second opinion").hover()
    page.get_by_test_id("stTooltipContent").wait_for()
    assert_written([HOSTILE_NAMES[1]], text_of(page.get_by_test_id("stTooltipContent")))
    check()
    page.get_by_text("What the network looked at").click()
    why = page.get_by_text(re.compile("^(PyTorch|Keras): why ")).first
    expect(why).to_be_visible(timeout=PATIENCE_MS)
    assert any(why.inner_text().replace("\u2060", "").endswith(f"why {name}") for name in HOSTILE_NAMES)
    screenshot(page, "names-predict")
    check()

    open_page(page, "predict", run=pair[0], **{"from": "Upload"})
    good = [f"{name}.png" for name in FILES if '"' not in name]  # a browser sends a quote as %22
    sent = [(name, png(noise(1, seed=number)[0])) for number, name in enumerate(good)]
    sent += [(f"bad{name}.png", b"no image") for name in FILES[1:6]]
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in sent]
    )
    download = page.get_by_test_id("stBaseButton-secondary").filter(has_text="Download as CSV")
    expect(download).to_be_visible(timeout=PATIENCE_MS)
    wait_for_drawn(page, good[:6])
    assert_written([f"bad{name}.png" for name in FILES[1:6]], text_of(page))
    assert_written(good[:1], text_of(page.get_by_role("heading", level=3).first))
    with page.expect_download() as started:
        download.click()
    assert started.value.suggested_filename == "predictions.csv"
    cells = started.value.path().read_text().replace('""', '"')
    assert_written([*good, *HOSTILE_NAMES], cells.split("\n"))


def test_search(page: Page, server: Server, store: Store, check: Callable[[], None]):
    """A search of what strangers' databases may hold: network, values and reasons of such names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(server.home))
        wanted = specify(configure(architecture="ann-100"), ["batch-size=16,32", "learning-rate=0.01,0.1"])
    named = wanted.space[0].model_copy(update={"name": "architecture", "values": HOSTILE_NAMES})
    wanted = wanted.model_copy(
        update={
            "config": wanted.config.model_copy(update={"architecture": HOSTILE_NAMES[0], "dataset": HOSTILE_NAMES[1]}),
            "space": (named, *wanted.space[1:]),
        }
    )
    search_id = store.create_search(wanted.model_dump(mode="json"), submission="named")
    for number, name in enumerate(HOSTILE_NAMES):
        store.add_trial(search_id, number, {"architecture": name, "learning_rate": (0.01, 0.1)[number % 2]})
        state = "failed" if number % 5 == 4 else "done"
        reason = f"Why {name}" if state == "failed" else None
        store.change_trial(search_id, number, state=state, val_accuracy=0.8 + number / 100, reason=reason)
    store.change_search(search_id, ("running",), state="stopped", reason=ALL_NAMES)

    open_page(page, "search")
    wait_for_drawn(page, HOSTILE_NAMES[:1])
    check()
    open_page(page, "search", search=search_id)
    assert HOSTILE_NAMES[0] in page.title()
    assert_written([*HOSTILE_NAMES[:2], ALL_NAMES], text_of(page))
    assert_written(HOSTILE_NAMES[-2:-1], text_of(page))  # of the best one
    # The newest trials, which the table has room for.
    assert_written([*HOSTILE_NAMES[10:], *(f"Why {name}" for name in HOSTILE_NAMES[14::5])], table(page))
    check()
    for view in SEARCH_VIEWS:
        open_page(page, "search", search=search_id, view=view)
        expect(page.get_by_role("radio", name=view)).to_be_visible()
        if view != "Importance":  # of settings, whose names are Duet's
            wait_for_drawn(page, [name for number, name in enumerate(HOSTILE_NAMES) if number % 5 != 4])
        check()


def test_home_queue_and_toasts(page: Page, store: Store, check: Callable[[], None]):
    """What trains and waits under such names, and what is said of one whose network has such a name and is gone."""
    set_cpu_slots(store, 1)
    pending = [
        store.create(configure(seed=number), submission=f"pending {number}", name=name, claimed=number == 0)
        for number, name in enumerate(HOSTILE_NAMES)
    ]
    # The one that trains keeps the others waiting.
    store.enter(pending[0], 1, **LIVING)
    store.begin(pending[0], 1, total_steps=1)
    open_page(page)
    expect(page.get_by_text("Waiting: ")).to_be_visible()
    assert_written(HOSTILE_NAMES[2:], text_of(page))  # the first two are shown with their curves
    screenshot(page, "names-home")
    check()
    open_page(page, "results")
    assert_written(HOSTILE_NAMES, text_of(page))
    check()
    refused = store.create(configure(architecture=ALL_NAMES), submission="refused", claimed=True)
    store.fail(refused, 1, failure=ALL_NAMES, advice=ALL_NAMES, cause="out_of_memory")
    open_page(page, "results", run=refused)
    assert_written([ALL_NAMES], text_of(page.get_by_test_id("stAlert").first))
    page.get_by_role("button", name="and train again").click()
    toast = page.get_by_test_id("stToast")
    toast.get_by_text("view more").click()
    assert_written([ALL_NAMES], text_of(toast))
    screenshot(page, "names-toast")
    check()
