"""Names, notes, tags, and deleting what can be restored."""

import time

import pytest

from core.runs import Results, SupersededError
from core.system.paths import run_directory
from tests.runs.making import CONFIG, point, running

UNKNOWN = "0123456789ab"


@pytest.fixture
def run_id(store) -> str:
    return store.create(CONFIG, submission="a")


def test_name_takes_the_place_of_the_title(store, run_id):
    made_up = store.get(run_id).title

    store.rename(run_id, "  My   best\nrun ")
    assert store.get(run_id).title == "My best run"

    store.rename(run_id, "")
    assert (store.get(run_id).name, store.get(run_id).title) == (None, made_up)


def test_note_is_kept_line_by_line(store, run_id):
    store.annotate(run_id, "First.\n\n<b>Second.</b> ")
    assert store.get(run_id).note == "First.\n\n<b>Second.</b>"

    store.annotate(run_id, " ")
    assert store.get(run_id).note is None


def test_tags_come_and_go(store, run_id):
    store.tag(run_id, add=["b", " a "])
    store.tag(run_id, add=["a", "c"], remove=["b", "never there"])

    assert store.get(run_id).tags == ("a", "c")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda store, run: store.rename(run, "x" * 101), "Name: expected at most 100 characters, received 101"),
        (lambda store, run: store.rename(run, "a\0b"), "Name: expected text, received a NUL character"),
        (lambda store, run: store.annotate(run, "x" * 10_001), "Note: expected at most 10,000 characters"),
        (lambda store, run: store.tag(run, add=["x" * 41]), "Tag: expected at most 40 characters, received 41"),
        (lambda store, run: store.tag(run, add=["ok", "  "]), "Tag: expected 1 to 40 characters, received none"),
    ],
)
def test_wrong_words_are_refused(store, run_id, change, told):
    before = store.get(run_id)

    with pytest.raises(ValueError, match=told):
        change(store, run_id)

    assert store.get(run_id) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.rename(UNKNOWN, "x"),
        lambda store: store.annotate(UNKNOWN, "x"),
        lambda store: store.tag(UNKNOWN, add=["x"]),
        lambda store: store.delete(UNKNOWN),
        lambda store: store.restore(UNKNOWN),
        lambda store: store.resume(UNKNOWN),
        lambda store: store.move(UNKNOWN, "up"),
    ],
)
def test_unknown_run_is_told(store, change):
    with pytest.raises(ValueError, match=f"There is no run '{UNKNOWN}' here"):
        change(store)


def test_deleted_run_is_off_the_lists_until_it_is_restored(store):
    run_id, attempt = running(store)
    store.finish(run_id, attempt, "done", Results())

    store.delete(run_id)
    with pytest.raises(ValueError, match="is deleted already"):
        store.delete(run_id)
    assert (store.find(), store.count(), store.pending()) == ([], 0, [])
    assert [run.id for run in store.find(deleted=True)] == [run_id]
    assert store.count(deleted=None) == 1
    assert store.get(run_id).deleted_at is not None

    store.restore(run_id)
    assert [run.id for run in store.find()] == [run_id]
    assert store.find(deleted=True) == []
    with pytest.raises(ValueError, match="is not deleted"):
        store.restore(run_id)


def test_waiting_run_that_is_deleted_is_never_started(store, run_id):
    store.delete(run_id)

    assert (store.claim(run_id), store.queue()) == (None, [])
    with pytest.raises(ValueError, match="is deleted: restore it first"):
        store.resume(run_id)


def test_training_run_is_not_deleted(store):
    run_id, attempt = running(store)

    with pytest.raises(ValueError, match="is running: stop it, then delete it"):
        store.delete(run_id)

    assert store.heartbeat(run_id, attempt) is None
    assert store.count() == 1


def test_only_deleted_runs_are_purged_with_their_folders(store):
    kept, attempt = running(store, "kept")
    doomed, _ = running(store, "doomed")
    for run_id in (kept, doomed):
        run_directory(run_id).mkdir(parents=True)
        (run_directory(run_id) / "log.txt").write_text("Words.")
    store.add_metrics(doomed, 1, 1, [point(1)])
    store.tag(doomed, add=["x"])
    store.finish(doomed, 1, "done", Results())
    store.delete(doomed)

    assert store.purge(older_than_s=3600) == []
    assert run_directory(doomed).exists()

    assert store.purge() == [doomed]
    assert not run_directory(doomed).exists()
    assert (run_directory(kept) / "log.txt").exists()
    assert (store.count(deleted=None), store.metrics(doomed), store.tags()) == (1, [], {})
    with pytest.raises(SupersededError):
        store.add_metrics(doomed, 1, 2, [point(2)])
    assert store.heartbeat(kept, attempt) is None


def test_all_that_is_deleted_is_purged_where_the_clock_was_set_back(store, monkeypatch):
    doomed, _ = running(store, "doomed")
    store.finish(doomed, 1, "done", Results())
    store.delete(doomed)
    now = time.time()
    monkeypatch.setattr("core.runs.annotations.time.time", lambda: now - 86_400)

    assert store.purge(older_than_s=1) == []
    assert store.purge() == [doomed]
