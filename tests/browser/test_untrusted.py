"""What strangers put into names, notes, tracebacks, logs and files is shown as text, on every page."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.config import configure
from core.datasets import Dataset
from core.datasets.inspection.gallery import png
from core.runs import Run, Store
from core.system.paths import PROJECT
from tests.browser.app import Server, failures_of, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS
from tests.hostile_names import HOSTILE_NAMES
from tests.sample_data import make_dataset, noise
from tests.sample_data import store as keep_dataset

SCRIPT = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>'
CLASSES = (f"{SCRIPT}cat", f"dog{SCRIPT}", *HOSTILE_NAMES)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


@pytest.fixture(scope="module")
def store(server: Server) -> Store:
    return Store(f"sqlite:///{server.home / 'duet.sqlite3'}")


@pytest.fixture(scope="module")
def trained(server: Server, store: Store) -> Run:
    """A run that has learned classes whose names are scripts, and bears one in all that users write."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(server.home))
        keep_dataset(_hostile_dataset())
    command = [
        "-m",
        "core",
        "train",
        "--dataset",
        "tiny",
        "--architecture",
        "ann-100",
        "--epochs",
        "1",
        "--threads",
        "1",
    ]
    subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env={**os.environ, "DUET_HOME": str(server.home)}, check=True
    )
    (run,) = store.find(states=("done",))
    store.rename(run.id, SCRIPT)
    store.annotate(run.id, f"# Mine\n{SCRIPT}\n![x](http://127.0.0.1:9/x.png)")
    store.tag(run.id, add=[SCRIPT[:40]])
    return run


@pytest.fixture(scope="module")
def failed(server: Server, store: Store) -> Run:
    """A run whose failure, traceback and log are scripts."""
    run_id = store.create(configure(), submission="failed", name=SCRIPT, claimed=True)
    store.fail(run_id, 1, failure=SCRIPT, advice=SCRIPT, cause="error", traceback=f"Traceback {SCRIPT}")
    folder = server.home / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(f"Log {SCRIPT}")
    return store.get(run_id)


def _hostile_dataset() -> Dataset:
    classes = np.arange(len(CLASSES))
    return make_dataset(
        noise(5 * len(CLASSES)), np.tile(classes, 5), noise(len(CLASSES), seed=1), classes, class_names=CLASSES
    )


def is_text(page: Page, complaints: list[str]) -> None:
    """See the script on the page as text, and that it has not run."""
    settled(page)
    expect(page.get_by_text("onerror").first).to_be_visible(timeout=PATIENCE_MS)
    has_not_run(page, complaints)


def has_not_run(page: Page, complaints: list[str]) -> None:
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src='x'], img[src*=':9/'], [src*='evil.example'], a[href*='evil.example']").count() == 0
    assert failures_of(page) == []
    assert complaints == []


# Its tables are drawn on a canvas, which has no text in the document to look for.
@pytest.mark.usefixtures("trained", "failed")
@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("", {}),
        ("results", {}),
        ("results", {"search": SCRIPT, "tag": SCRIPT[:40]}),
        ("data", {"data": "tiny"}),
        ("train", {}),
        ("compare", {}),
        ("replication", {}),
        ("results", {"run": SCRIPT}),
    ],
)
def test_no_page_runs_what_is_in_names(page, complaints, address, query):
    open_page(page, address, **query)

    has_not_run(page, complaints)


def test_results_show_names_notes_and_classes_as_text(page: Page, trained: Run, complaints: list[str]):
    open_page(page, "results", run=trained.id, view="Errors")
    expect(page.get_by_text("All errors")).to_be_visible(timeout=PATIENCE_MS)

    expect(page.get_by_role("heading", level=1).first).to_have_text(SCRIPT)
    expect(page.get_by_role("heading", name="Mine")).to_be_visible()
    is_text(page, complaints)
    screenshot(page, "untrusted-results")


def test_confusion_matrix_shows_class_names_as_they_are_written(page: Page, trained: Run, complaints: list[str]):
    open_page(page, "results", run=trained.id, view="Errors")
    heads = page.get_by_role("grid", name="Confusion matrix").get_by_role("rowheader")
    expect(heads.first).to_be_attached(timeout=PATIENCE_MS)
    settled(page)

    assert sorted(heads.all_text_contents()) == sorted(CLASSES)
    has_not_run(page, complaints)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_headings_badges_and_captions_show_names_as_they_are_written(
    page: Page, store: Store, trained: Run, complaints: list[str], name: str
):
    """The text is the same but for the joiners, which nobody sees."""
    tag = name[:40]
    before = store.get(trained.id)
    store.rename(trained.id, name)
    store.tag(trained.id, add=[tag], remove=before.tags)
    open_page(page, "results", run=trained.id)

    heading = page.get_by_role("heading", level=1).first
    assert heading.inner_text().replace("\u2060", "") == name
    assert heading.locator("a:not([href^='#']), b, strong, em, code, img, svg.katex").count() == 0
    badges = page.get_by_test_id("stMarkdownBadge").or_(page.locator(".stMarkdownBadge"))
    assert any(tag in text.replace("\u2060", "") for text in badges.all_inner_texts())
    has_not_run(page, complaints)
    store.rename(trained.id, SCRIPT)
    store.tag(trained.id, add=[SCRIPT[:40]], remove=[tag])


def test_failure_traceback_and_log_are_text(page: Page, failed: Run, complaints: list[str]):
    open_page(page, "results", run=failed.id)
    page.get_by_text("Traceback, PyTorch").click()
    page.get_by_role("tab", name="Log").click()
    for words in ("Traceback <img", "Log <img"):
        expect(page.get_by_text(words)).to_be_visible(timeout=PATIENCE_MS)

    is_text(page, complaints)
    screenshot(page, "untrusted-failed")


def test_names_of_uploaded_files_are_text(page: Page, trained: Run, complaints: list[str]):
    open_page(page, "predict", run=trained.id, **{"from": "Upload"})
    page.locator("input[type=file]").set_input_files(
        [
            {"name": f"{SCRIPT.replace('/', '')}.png", "mimeType": "image/png", "buffer": png(noise(1)[0])},
            {"name": f"bad{SCRIPT.replace('/', '')}.png", "mimeType": "image/png", "buffer": SCRIPT.encode()},
        ]
    )

    expect(page.get_by_text(re.compile("^(Prediction|Low confidence|Unfamiliar): ")).first).to_be_visible(
        timeout=PATIENCE_MS
    )
    is_text(page, complaints)
    screenshot(page, "untrusted-predict")


def test_bell_tells_of_runs_that_ended_by_their_names_as_they_are_written(server, store, new_page, complaints):
    page = new_page(server, permissions=["notifications"])
    page.add_init_script(
        """
        window.told = []
        window.Notification = class { constructor(title, { body }) { window.told.push(`${title}|${body}`) } }
        window.Notification.permission = "granted"
        window.Notification.requestPermission = async () => "granted"
        """
    )
    run_ids = [
        store.create(configure(), submission=f"bell {number}", name=name, claimed=True)
        for number, name in enumerate(HOSTILE_NAMES)
    ]
    missed = store.create(configure(), submission="missed", claimed=True)
    store.fail(missed, 1, failure="It ended before.", advice="")
    open_page(page)
    bell = page.get_by_role("button", name="Tell me when a run ends")
    bell.click()
    expect(page.get_by_role("button", name="Telling when a run ends")).to_have_attribute("aria-pressed", "true")

    for run_id, name in zip(run_ids, HOSTILE_NAMES, strict=True):
        store.fail(run_id, 1, failure=name, advice="Use less.", cause="out_of_memory")

    page.wait_for_function("count => window.told.length === count", arg=len(run_ids), timeout=PATIENCE_MS)
    told = [f"{name}: failed: out of memory|{name}" for name in HOSTILE_NAMES]
    assert sorted(page.evaluate("window.told")) == sorted(told)
    page.reload()
    settled(page)
    expect(page.get_by_role("button", name="Telling when a run ends")).to_be_visible()
    assert page.evaluate("window.told") == []
    assert complaints == []
