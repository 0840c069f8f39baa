"""A training that is broken off and taken up again ends as if nothing had happened, bit for bit, in both frameworks."""

import threading

import numpy as np
import pytest

from core.config import RunConfig, configure
from core.jobs.worker import execute
from core.networks import registry
from core.runs import Run, Store, new_id, open_store
from core.system.paths import run_directory
from core.training import checkpoints, loop
from core.training.records import StepMetrics
from tests.sample_networks import EVERYTHING_RANDOM, SETTINGS_OF_EVERYTHING_RANDOM

KILLED_AT_STEPS = (7, 25, 52)


class Killed(BaseException):
    """Stands for the end of the process; nobody catches it."""


@pytest.fixture(autouse=True)
def states_at_every_chunk(monkeypatch):
    monkeypatch.setattr(loop, "STATE_PAUSE_S", 0.0)
    monkeypatch.setattr(loop, "TICK", 1e-3)  # short chunks, so that there are many moments to be killed at
    registry.save(EVERYTHING_RANDOM)


def attempt(store: Store, run_id: str, *, killed_at: int | None = None) -> None:
    number = store.claim(run_id)

    def watch(point: StepMetrics, _total: int) -> None:
        if killed_at is not None and point.step >= killed_at:
            raise Killed

    execute(store, run_id, number, stop=threading.Event(), on_metrics=watch)


def undisturbed(store: Store, config: RunConfig) -> Run:
    run_id = store.create(config, submission=new_id())
    attempt(store, run_id)
    return store.get(run_id)


def disturbed(store: Store, config: RunConfig) -> Run:
    run_id = store.create(config, submission=new_id())
    for step in KILLED_AT_STEPS:
        with pytest.raises(Killed):
            attempt(store, run_id, killed_at=step)
        run = store.get(run_id)
        store.fail(run_id, run.attempt, failure="killed", advice="")
        store.resume(run_id)
    attempt(store, run_id)
    return store.get(run_id)


@pytest.mark.parametrize(
    ("framework", "optimizer"),
    [("pytorch", "sgd"), pytest.param("keras", "adam", marks=pytest.mark.slow)],
)
def test_after_three_kills_all_is_as_in_an_undisturbed_run(framework, optimizer):
    store = open_store()
    changes = {} if optimizer == "sgd" else {"optimizer": optimizer, "learning_rate": 0.002, "nesterov": False}
    config = configure(framework=framework, **SETTINGS_OF_EVERYTHING_RANDOM | changes)

    whole, broken = undisturbed(store, config), disturbed(store, config)

    assert (whole.state, broken.state, broken.attempt) == ("done", "done", 4)
    assert [each.resumed_step for each in store.attempts(broken.id)][1:] != [0, 0, 0], "it began anew each time"
    first, second = (checkpoints.load(run_directory(run.id)) for run in (whole, broken))
    assert first.epoch == second.epoch
    for name, values in first.weights.items():
        np.testing.assert_array_equal(second.weights[name], values, err_msg=name, strict=True)
    assert whole.results.test_loss == broken.results.test_loss
    records = [[epoch._replace(seconds=0) for epoch in store.epochs(run.id)] for run in (whole, broken)]
    assert records[0] == records[1]
    assert [epoch.epoch for epoch in store.epochs(broken.id)] == [1, 2, 3, 4]

    steps = [point.step for _, point in store.metrics(broken.id) if point.split == "train"]
    assert steps == sorted(set(steps)), "a step was measured twice"
    assert steps[-1] == broken.total_steps
    assert not list(run_directory(broken.id).glob("state*"))


def test_paused_run_goes_on():
    store = open_store()
    config = configure(**SETTINGS_OF_EVERYTHING_RANDOM)
    run_id = store.create(config, submission=new_id())
    stop = threading.Event()

    def pause(point: StepMetrics, _total: int) -> None:
        if point.step >= 30:
            stop.set()

    execute(store, run_id, store.claim(run_id), stop=stop, on_metrics=pause)
    assert store.get(run_id).state == "stopped"

    store.resume(run_id)
    attempt(store, run_id)
    whole = undisturbed(store, config)
    assert store.get(run_id).results.test_loss == whole.results.test_loss


def test_changed_data_are_refused():
    store = open_store()
    run_id = store.create(configure(**SETTINGS_OF_EVERYTHING_RANDOM), submission=new_id())
    with pytest.raises(Killed):
        attempt(store, run_id, killed_at=30)
    store.fail(run_id, 1, failure="killed", advice="")
    store.resume(run_id)
    kept = checkpoints.load_state(run_directory(run_id))
    checkpoints.save_state(
        run_directory(run_id), kept.progress, kept.state, kept.description.model_copy(update={"fingerprint": "other"})
    )

    attempt(store, run_id)

    run = store.get(run_id)
    assert run.state == "failed"
    assert run.failure.startswith("The data set mnist has changed since this run was broken off")
