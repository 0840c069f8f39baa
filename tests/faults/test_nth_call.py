"""Whichever call to the database, to files or for a process fails, or is the last: all is done, or nothing.

Each action is done again and again, and each time another of its calls raises, or the process ends there. Then what
must hold is checked, and the action is done undisturbed: nothing may be in its way.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
import sqlalchemy as sa

from core import datasets
from core.config import configure
from core.datasets import storage
from core.datasets.importing import import_dataset
from core.jobs import scheduler
from core.runs import Results, Store, new_id
from core.runs.schema import runs
from core.system import trash
from core.system.paths import run_directory, store_url
from core.training import checkpoints
from tests.datasets import sources
from tests.faults.files import _DESCRIPTION, _weights
from tests.faults.nth_call import failing, undisturbed, was_cut
from tests.field.inputs import images

CONFIG = configure(architecture="ann-100", train_limit=100)
_MOST_CALLS = 2000


class Action(NamedTuple):
    """What is done, and what must hold when it was cut off.

    Attributes:
        prepare: makes what the action needs, anew each time, and returns what it is called.
        act: does it to that.
        check: fails unless all of it was done or nothing, and says which.
    """

    prepare: Callable[[Path], str]
    act: Callable[[str], object]
    check: Callable[[str], bool]


def _with_store(do: Callable[[Store], object]) -> object:
    with closing(Store(store_url())) as store:
        return do(store)


def _nothing(_place: Path) -> str:
    return new_id()


def _is_created(submission: str) -> bool:
    with closing(Store(store_url())) as store:
        found = [run for run in store.find(limit=1000) if run.config == CONFIG.model_copy(update={"seed": 7})]
        found = [run for run in found if run.name == submission]
        assert len(found) <= 1
        assert all(run.state == "queued" for run in found)
        return bool(found)


def _create(submission: str) -> object:
    config = CONFIG.model_copy(update={"seed": 7})
    return _with_store(lambda store: store.create(config, submission=submission, name=submission))


def _submit(submission: str) -> object:
    pair = [CONFIG, CONFIG.model_copy(update={"framework": "keras"})]
    return _with_store(lambda store: scheduler.submit(store, pair, submission=submission, submitter=submission))


def _is_submitted(submission: str) -> bool:
    with closing(Store(store_url())) as store:
        found = store.find(submitter=submission)
        assert len({run.pair for run in found}) <= 1
        assert len({run.config.framework for run in found}) == len(found) <= 2
        return len(found) == 2


def _queued(_place: Path) -> str:
    return _with_store(lambda store: store.create(CONFIG, submission=new_id()))


def _is_claimed(run_id: str) -> bool:
    with closing(Store(store_url())) as store:
        run, attempts = store.get(run_id), store.attempts(run_id)
        assert (run.state, run.attempt, len(attempts)) in (("queued", 0, 0), ("starting", 1, 1))
        return run.state == "starting"


def _running(_place: Path) -> str:
    return _with_store(lambda store: store.create(CONFIG, submission=new_id(), claimed=True))


def _is_finished(run_id: str) -> bool:
    with closing(Store(store_url())) as store:
        run = store.get(run_id)
        assert (run.state, run.results.test_accuracy) in (("starting", None), ("done", 0.9))
        assert (run.ended_at is None) == (run.state == "starting")
        return run.state == "done"


def _finish(run_id: str) -> object:
    return _with_store(lambda store: store.finish(run_id, 1, "done", Results(test_accuracy=0.9)))


def _done(place: Path) -> str:
    run_id = _running(place)
    _finish(run_id)
    return run_id


def _is_deleted(run_id: str) -> bool:
    with closing(Store(store_url())) as store:
        deleted = store.get(run_id).deleted_at is not None
        assert (run_id in {run.id for run in store.find(limit=1000)}) != deleted
        return deleted


def _with_checkpoint(_place: Path) -> str:
    run_id = new_id()
    run_directory(run_id).mkdir(parents=True)
    checkpoints.save(run_directory(run_id), 1, _weights(1), _DESCRIPTION)
    return run_id


def _is_saved(run_id: str) -> bool:
    loaded = checkpoints.load(run_directory(run_id))
    assert not loaded.damage
    assert loaded.epoch in (1, 2)
    for name, values in _weights(loaded.epoch).items():
        np.testing.assert_array_equal(loaded.weights[name], values)
    return loaded.epoch == 2


def _pets(place: Path) -> str:
    for name in datasets.names()[1:]:
        datasets.delete(name, lambda _name: [])
    return str(sources.written(place / "pets", images(cats=3, dogs=3)))


def _is_imported(_path: str) -> bool:
    storage.sweep()
    assert not list(storage.place().glob(".staging-*")), "what it prepared is left"
    if "pets" not in datasets.names():
        return False
    dataset = datasets.load("pets")
    assert len(dataset.train.images) + len(dataset.test.images) == 6
    return True


def _imported(place: Path) -> str:
    path = _pets(place)
    import_dataset(Path(path))
    return path


def _is_away(_path: str) -> bool:
    if "pets" in datasets.names():
        assert len(datasets.load("pets").train.images)
        return False
    datasets.restore("pets")
    assert len(datasets.load("pets").train.images)
    datasets.delete("pets", lambda _name: [])
    return True


ACTIONS = {
    "create a run": Action(_nothing, _create, _is_created),
    "submit a pair": Action(_nothing, _submit, _is_submitted),
    "claim a run": Action(_queued, lambda run: _with_store(lambda store: store.claim(run)), _is_claimed),
    "finish a run": Action(_running, _finish, _is_finished),
    "delete a run": Action(_done, lambda run: _with_store(lambda store: store.delete(run)), _is_deleted),
    "save a checkpoint": Action(
        _with_checkpoint,
        lambda run: checkpoints.save(run_directory(run), 2, _weights(2), _DESCRIPTION),
        _is_saved,
    ),
    "import a data set": Action(_pets, lambda path: import_dataset(Path(path)), _is_imported),
    "delete a data set": Action(_imported, lambda _: datasets.delete("pets", lambda _name: []), _is_away),
}


def disturb(action: Action, way: str, folder: Path) -> None:
    """Do something until no call is left to fail, and fail if it was ever half done, or in the way of itself."""
    for number in count(1):
        assert number < _MOST_CALLS, "It does not come to an end."
        place = folder / f"{number}"
        place.mkdir()
        subject = action.prepare(place)
        if way == "raises":
            with failing(number) as calls:
                action.act(subject)
            was_disturbed = calls.made >= number
        else:
            was_disturbed = was_cut(lambda subject=subject: action.act(subject), number)
        if not action.check(subject):
            assert was_disturbed, "Nothing was in its way, and it was not done."
            with undisturbed():
                action.act(subject)
            assert action.check(subject), f"After its call {number} failed it could not be done any more."
        if not was_disturbed:
            assert number > 1, "There was no call to fail."
            return


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("way", ["raises", "is the last"])
def test_whichever_call_fails_nothing_is_half_done(name: str, way: str, tmp_path: Path):
    disturb(ACTIONS[name], way, tmp_path)


def _copy_and_remove(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    shutil.rmtree(source)


def _finish_in_two(store: Store, run_id: str, _attempt: int, state: str, results: Results) -> None:
    for values in ({"state": state, "ended_at": 1.0}, {"results": results.as_json()}):
        with store._engine.begin() as connection:
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(values))


FAULTS = {
    "import a data set": patch.object(storage, "move", _copy_and_remove),
    "delete a data set": patch.object(trash, "move", _copy_and_remove),
    "finish a run": patch.object(Store, "finish", _finish_in_two),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found(name: str, tmp_path: Path):
    with FAULTS[name], pytest.raises((AssertionError, ValueError)):
        disturb(ACTIONS[name], "is the last", tmp_path)
