"""Imports in processes of their own: begun, watched, cancelled, and what they leave."""

import io
import os
import time
import zipfile

import pytest

from core import datasets
from core.datasets import background_import
from core.datasets.importing import inspect
from core.system import background
from core.system.processes import spawn
from tests import processes
from tests.datasets import sources


def until_it_ends(import_id, home):
    """Return what an import says at its end, once its process is gone."""
    deadline = time.monotonic() + 60
    while (state := background_import.import_progress(import_id)).state == "running" or processes.of_home(home):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


def uploaded(name, files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    content.seek(0)
    return name, content


def kept(home):
    """Return every file below the folder of imports but the notes on them."""
    notes = {"progress.json", "process.json", "log.txt", "start.lock"}
    return [path for path in (home / "imports").rglob("*") if path.is_file() and path.name not in notes]


def test_what_a_browser_sent_is_looked_at_and_imported(duet_home):
    path = background_import.receive([uploaded("../My pets.zip", sources.photographs("cat", "dog"))])
    assert path.parent.parent.parent == duet_home / "imports"

    plan = background_import.inspect_apart(path)
    here = inspect(path)
    assert plan.title == "My pets"
    for name in ("format", "files", "images", "sizes", "colours", "size", "colour", "class_names", "skipped", "notes"):
        assert getattr(plan, name) == getattr(here, name)
    for sample, other in zip(plan.samples, here.samples, strict=True):
        assert sample.class_name == other.class_name
        assert (sample.image == other.image).all()

    import_id = background_import.start_import(path, name="Mine", size=(24, 16), colour="grey")
    ended = until_it_ends(import_id, duet_home)
    assert (ended.state, ended.share, ended.sentence) == ("done", 1.0, "Mine is here: 10 images.")
    assert ended.report.name == "mine"
    assert datasets.load("mine").image_shape == (24, 16, 1)
    assert kept(duet_home) == []
    background_import.cancel_import(import_id)
    assert background_import.import_progress(import_id).state == "done"


def test_several_files_are_one_source(duet_home):
    path = background_import.receive(
        [
            ("sign_mnist_train.csv", io.BytesIO(sources.sign_csv(2).encode())),
            ("sign_mnist_test.csv", io.BytesIO(sources.sign_csv(1).encode())),
            ("sign_mnist_test.csv", io.BytesIO(b"dropped twice")),
        ]
    )
    plan = inspect(path)

    assert (plan.format, plan.files) == ("Sign Language MNIST", 2)
    background_import.discard(path)
    assert kept(duet_home) == []
    with sources.refused("Expected a file or several, received none."):
        background_import.receive([])


def test_what_is_not_ours_is_not_discarded(tmp_path):
    path = sources.written(tmp_path / "mine", {"a.txt": "x"})
    background_import.discard(path)

    assert (path / "a.txt").exists()


def test_a_refusal_reaches_the_dashboard_as_one_sentence(tmp_path, duet_home):
    path = sources.written(tmp_path, {"notes.txt": "Buy milk."}) / "notes.txt"
    sentence = (
        "notes.txt: expected folders of images by class, tables of pixels, Parquet tables, NumPy arrays, MATLAB or IDX "
        "files, alone or in an archive, received a text (notes.txt). Nothing needs to be done, if it is a note; a "
        "table needs labels and pixels."
    )
    with sources.refused(sentence):
        background_import.inspect_apart(path)
    ended = until_it_ends(background_import.start_import(path), duet_home)
    assert (ended.state, ended.sentence) == ("failed", sentence)


def test_a_cancelled_import_leaves_nothing_behind(duet_home):
    image = sources.encoded(sources.pixels(1, 60, 60, 3)[0])
    path = background_import.receive([uploaded("pets.zip", {f"{n % 2}/{n}.png": image for n in range(10_000)})])
    import_id = background_import.start_import(path)
    deadline = time.monotonic() + 60
    while background_import.import_progress(import_id).share == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    background_import.cancel_import(import_id)

    assert background_import.import_progress(import_id) == ("cancelled", 0.0, "It was cancelled.", None)
    assert {entry.name for entry in (duet_home / "datasets").iterdir()} == {"mnist"}
    assert kept(duet_home) == []


def test_one_that_dies_is_not_running_for_ever(tmp_path, monkeypatch, duet_home):
    path = sources.written(tmp_path, sources.photographs("cat", "dog"))
    # A module that does nothing and ends.
    monkeypatch.setattr(background, "spawn", lambda *_, **others: spawn("core.system.paths", **others))
    import_id = background_import.start_import(path)
    ended = until_it_ends(import_id, duet_home)

    sentence = f"It ended unexpectedly; imports/{import_id}/log.txt in Duet's folder may say why."
    assert (ended.state, ended.sentence) == ("failed", sentence)


@pytest.mark.parametrize("import_id", ["", "..", "0123456789ab", "../../etc/ab", "0123456789AB"])
def test_ids_of_none_are_refused(import_id):
    for ask in (background_import.import_progress, background_import.cancel_import):
        with sources.refused(f"There is no import {import_id!r} here."):
            ask(import_id)


def test_folders_of_a_day_ago_are_swept():
    old = background_import.receive([("a.csv", io.BytesIO(b"x"))])
    os.utime(old.parents[1], (time.time() - 90_000,) * 2)
    new = background_import.receive([("b.csv", io.BytesIO(b"x"))])

    assert not old.exists()
    assert new.exists()
