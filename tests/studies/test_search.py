"""Searches: which trials are made, that each is there once, and that states, pruning and budgets are true.

No training is needed for that: the tests claim the queued runs and record what a training would have.
"""

import os
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from core.config import configure
from core.jobs.scheduler import set_cpu_slots
from core.runs import Run, Store
from core.studies.search import control, driver
from core.studies.search.control import (
    ensure_driving,
    extend_search,
    pause_search,
    resume_search,
    specification_of,
    start_search,
    stop_search,
)
from core.studies.search.driver import Driver
from core.studies.search.outcome import best_trial, search_summary
from core.studies.search.specification import Specification, specify
from core.studies.search.suggestions import get_importances, study_name
from core.system.background import Job
from tests.runs.making import LIVING, epoch, finished_results

CONFIG = configure(architecture="ann-100", train_limit=200, epochs=4)
GRID = specify(CONFIG, ["batch-size=16,32,64", "momentum=0,0.9"])


@pytest.fixture(autouse=True)
def nobody_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests drive their searches themselves."""
    monkeypatch.setattr(control, "ensure_driving", lambda: None)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers of this process leave after a moment of idleness."""
    monkeypatch.setattr(driver, "_IDLE_S", 0.1)
    monkeypatch.setattr(driver, "_TICK_S", 0.01)


def begin(store: Store, specification: Specification = GRID) -> str:
    return start_search(store, specification, submission="a search")


def accuracy_of(run: Run) -> float:
    """A made problem: large batches are better, and momentum is."""
    return 0.5 + run.config.batch_size / 200 + run.config.momentum / 10


def train(store: Store, run: Run, accuracy: float) -> None:
    attempt = store.claim(run.id)
    store.enter(run.id, attempt, **LIVING)
    store.begin(run.id, attempt, total_steps=40)
    store.finish(run.id, attempt, "done", finished_results(val_accuracy=accuracy))


def work(
    store: Store, accuracy: Callable[[Run], float] = accuracy_of, *, trainings: int = 1000, restart: bool = False
) -> None:
    """Let a driver and a training take turns, until nothing is queued any more."""
    at_work = Driver(store)
    looks = 0  # in vain; a trial that cannot be trained takes one
    while trainings and looks < 3:
        at_work.tick()
        if restart:  # as if it had been killed
            at_work.close()
            at_work = Driver(store)
        queued = store.queue()
        if not queued:
            looks += 1
            continue
        looks, trainings = 0, trainings - 1
        train(store, queued[0], accuracy(queued[0]))
    at_work.tick()
    at_work.close()


@pytest.mark.parametrize("restart", [False, True])
def test_a_grid_tries_every_point_once(store, restart):
    search_id = begin(store)
    assert begin(store) == search_id  # a double click

    work(store, restart=restart)

    search, trials = store.search(search_id), store.trials(search_id)
    assert (search.state, search.reason) == ("done", "All 6 settings were tried.")
    assert [trial.number for trial in trials] == list(range(6))
    assert len({(trial.settings["batch_size"], trial.settings["momentum"]) for trial in trials}) == 6
    assert store.count() == 6
    for trial in trials:
        (run_id,) = trial.run_ids
        run = store.get(run_id)
        assert (run.config.batch_size, run.config.momentum) == tuple(trial.settings.values())
        assert (trial.state, trial.val_accuracy) == ("done", run.results.val_accuracy)
    best = best_trial(trials)
    assert best.settings == {"batch_size": 64, "momentum": 0.9}
    summary = search_summary(search, trials)
    assert summary["best"]["val_accuracy"] == pytest.approx(0.91)
    assert summary["trials"][0]["run_id"] == trials[0].run_ids[0]


def test_a_driver_that_dies_between_two_steps_leaves_each_trial_once(store, monkeypatch):
    search_id = begin(store)
    steps = ["add_trial", "create", "add_trial_runs"]
    for step in steps:
        with monkeypatch.context() as patch:
            patch.setattr(Store, step, lambda *_arguments, **_values: 1 / 0)
            at_work = Driver(store)
            with pytest.raises(ZeroDivisionError):
                at_work.tick()
            at_work.close()

    work(store)

    assert [trial.number for trial in store.trials(search_id)] == list(range(6))
    assert store.count() == 6


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_nothing_is_tried_twice_where_values_can_be_counted(store, sampler):
    search_id = begin(store, specify(CONFIG, ["batch-size=16,32,64", "momentum=0,0.9"], sampler=sampler, trials=50))

    work(store)

    trials = store.trials(search_id)
    assert store.search(search_id).reason == "All 6 settings were tried."
    assert len({tuple(trial.settings.values()) for trial in trials}) == len(trials) == 6


def test_the_same_search_tries_the_same_with_or_without_restarts(store):
    specification = specify(CONFIG, ["learning-rate=0.001..1:log", "optimizer=sgd,adam"], trials=9)
    first = start_search(store, specification, submission="first")
    work(store, lambda run: 1 - abs(run.config.learning_rate - 0.1))
    second = start_search(store, specification, submission="second")
    work(store, lambda run: 1 - abs(run.config.learning_rate - 0.1), restart=True)

    tried = [[trial.settings for trial in store.trials(each)] for each in (first, second)]

    assert tried[0] == tried[1]
    assert len(tried[0]) == 9


def test_optuna_opens_the_same_study_and_weighs_settings_the_same(store):
    specification = specify(CONFIG, ["batch-size=16,32,64,128", "momentum=0..0.9"], sampler="random", trials=12)
    search_id = begin(store, specification)
    work(store)

    study = optuna.load_study(study_name=study_name(search_id), storage=store.url)

    trials = store.trials(search_id)
    assert [trial.value for trial in study.trials] == [trial.val_accuracy for trial in trials]
    assert study.best_trial.number == best_trial(trials).number
    expected = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    assert get_importances(specification, trials) == pytest.approx(expected)
    Store(store.url).close()  # its tables do not make the store another one's


def test_seeds_and_pairs_give_a_mean_with_its_spread(store):
    search_id = begin(store, specify(CONFIG, ["batch-size=16,32"], seeds=2, pairs=True))

    work(store, lambda run: accuracy_of(run) + (run.config.seed - 42) / 100 + (run.config.framework == "keras") / 10)

    first, second = store.trials(search_id)
    runs = [store.get(run_id) for run_id in first.run_ids]
    assert [(run.config.seed, run.config.framework) for run in runs] == [
        (42, "pytorch"),
        (42, "keras"),
        (43, "pytorch"),
        (43, "keras"),
    ]
    assert runs[0].pair == runs[1].pair != runs[2].pair == runs[3].pair
    assert len({run.group for run in runs}) == 1
    assert first.val_accuracy == pytest.approx(0.67 + 0.005 + 0.05)
    assert first.spread == pytest.approx(0.0070710678)
    assert second.val_accuracy > first.val_accuracy


def begin_training(store: Store, run: Run) -> int:
    attempt = store.claim(run.id)
    store.enter(run.id, attempt, **LIVING)
    store.begin(run.id, attempt, total_steps=40)
    return attempt


def test_a_trial_that_falls_behind_is_stopped_and_says_why(store):
    specification = specify(CONFIG, ["learning-rate=0.001..1"], trials=6, pruner="median", seeds=2)
    search_id = begin(store, specification)
    at_work = Driver(store)
    for accuracy in (0.9, 0.91, 0.92, 0.93, 0.94):
        for _ in range(2):
            at_work.tick()
            run = store.queue()[0]
            attempt = begin_training(store, run)
            for number in range(1, 5):
                store.add_epoch(run.id, attempt, epoch(number, 10 * number, val_accuracy=accuracy))
                at_work.tick()
            store.finish(run.id, attempt, "done", finished_results(val_accuracy=accuracy))
    at_work.tick()
    run = store.queue()[0]
    attempt = begin_training(store, run)
    store.add_epoch(run.id, attempt, epoch(1, 10, val_accuracy=0.3))

    at_work.tick()

    assert store.heartbeat(run.id, attempt) == "stop"
    at_work.close()
    at_work = Driver(store)  # killed before the run has stopped
    store.finish(run.id, attempt, "stopped", finished_results(val_accuracy=0.3))
    at_work.tick()
    at_work.close()
    trials = store.trials(search_id)
    assert [trial.state for trial in trials] == [*["done"] * 5, "pruned"]
    assert trials[-1].reason.startswith("Pruned after epoch 1, at a validation accuracy of 30.00%")
    assert len(trials[-1].run_ids) == 1  # its second seed is saved
    assert store.get(run.id).state == "stopped"
    assert store.trial_of(run.id) == (search_id, trials[-1].__class__(**{**vars(trials[-1]), "run_ids": (run.id,)}))
    study = optuna.load_study(study_name=study_name(search_id), storage=store.url)
    assert study.trials[-1].state == optuna.trial.TrialState.PRUNED
    assert best_trial(trials).number == 4


def test_a_search_pauses_resumes_stops_and_is_extended(store):
    specification = specify(CONFIG, ["learning-rate=0.001..1"], trials=4)
    search_id = begin(store, specification)
    work(store, trainings=2)
    running, waiting = (store.queue()[0], store.queue()[0])
    pause_search(store, search_id)
    work(store, trainings=1)
    assert store.get(waiting.id).state == "paused"
    work(store)
    assert [trial.state for trial in store.trials(search_id)] == ["done", "done", "running"]
    with pytest.raises(ValueError, match=r"is paused: only one that is running can be paused"):
        pause_search(store, search_id)

    resume_search(store, search_id)
    assert store.get(running.id).state == "queued"
    work(store)
    assert [trial.state for trial in store.trials(search_id)] == ["done"] * 4
    assert store.search(search_id).state == "done"

    extend_search(store, search_id, trials=2)
    work(store, trainings=1)
    stop_search(store, search_id)
    work(store)
    assert [trial.state for trial in store.trials(search_id)] == [*["done"] * 5, "stopped"]
    assert (store.search(search_id).state, store.search(search_id).reason) == ("stopped", "It was stopped.")
    with pytest.raises(ValueError, match="expected more of what limits this search, trials, received 3 minutes"):
        extend_search(store, search_id, minutes=3)
    assert specification_of(store.search(search_id)).trials == 6


def test_what_fails_is_a_failed_trial_and_the_search_goes_on(store):
    search_id = begin(
        store, specify(configure(architecture="lenet-5", train_limit=200), ["batch-size=1,32", "warmup-epochs=0,5"])
    )
    at_work = Driver(store)
    at_work.tick()
    run = store.queue()[0]
    attempt = begin_training(store, run)
    store.fail(run.id, attempt, failure="The loss is not a number.", advice="Lower the rate.", cause="diverged")

    work(store)
    at_work.close()

    trials = store.trials(search_id)
    assert [trial.state for trial in trials] == ["failed", "failed", "done", "failed"]
    assert trials[0].reason == "The loss is not a number."
    assert trials[1].reason.startswith("Warm-up epochs (--warmup-epochs)")
    assert trials[1].run_ids == ()


def test_searches_and_users_take_turns(store):
    set_cpu_slots(store, 2)
    for name in "ab":
        start_search(store, specify(CONFIG, ["learning-rate=0.001..1"], trials=6), submission=name)
    at_work = Driver(store)
    at_work.tick()
    at_work.tick()
    mine = store.create(CONFIG, submission="mine", submitter="me")
    at_work.close()

    queued = store.queue()

    assert len(queued) == 5  # no search fills the queue
    assert mine in [run.id for run in queued[:3]]
    assert all(one.submitter != other.submitter for one, other in pairwise(queued[:3]))


def test_budgets_of_images_and_minutes_end_a_search(store):
    search_id = begin(store, specify(CONFIG, ["learning-rate=0.001..1"], images=1))
    work(store, trainings=2)
    assert store.search(search_id).state == "running"  # these trainings took no step

    store.change_trial(search_id, 0, images=1)
    work(store)

    assert store.search(search_id).reason == "Its 1 images were trained on."
    timed = start_search(store, specify(CONFIG, ["learning-rate=0.001..1"], minutes=2), submission="timed")
    store.add_time(timed, 121)
    work(store)
    assert (store.search(timed).reason, store.trials(timed)) == ("Its time, 2 min, is over.", [])


def test_runs_that_wait_without_a_scheduler_get_one(store, monkeypatch):
    begin(store, specify(CONFIG, ["learning-rate=0.001..1"], trials=4))
    at_work = Driver(store)
    at_work.tick()
    at_work.close()
    started = []
    monkeypatch.setattr("core.jobs.scheduler.ensure_running", lambda: started.append(True))

    at_work = Driver(store)  # as after a kill of both
    at_work.tick()
    at_work.tick()
    at_work.close()

    assert len(started) == 1  # not at each look


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("done", lambda store, search_id: extend_search(store, search_id, trials=1), "running"),
        ("paused", resume_search, "running"),
        ("paused", stop_search, "stopped"),
    ],
)
def test_what_is_asked_for_while_the_driver_is_leaving_is_done(store, monkeypatch, before, change, after):
    specification = specify(CONFIG, ["momentum=0..0.9"], trials=1)
    search_id = begin(store, specification)
    if before == "paused":
        Driver(store).tick()
        pause_search(store, search_id)
    else:
        work(store)
    leave, seen = driver._work, []

    def leave_late(driven: Driver) -> None:
        if not seen:  # it has looked for the last time, but still holds the lock
            leave(driven)
            assert store.search(search_id).state == before
            change(store, search_id)
        else:
            driven.tick()
            driven.close()
            store.change_search(search_id, ("running",), state="paused")  # nobody trains, so that it would stay
        seen.append(store.search(search_id).state)

    monkeypatch.setattr(driver, "_work", leave_late)
    monkeypatch.setattr(driver, "open_store", lambda: store)
    driver.main()

    assert len(seen) > 1
    assert seen[0] == after
    states = [run.state for run in store.find()]
    assert states == ["stopped"] if after == "stopped" else "queued" in states


@pytest.mark.usefixtures("hasty")
def test_a_search_that_rests_keeps_no_driver(store, monkeypatch):
    search_id = begin(store)
    Driver(store).tick()
    pause_search(store, search_id)
    monkeypatch.setattr(driver, "open_store", lambda: store)

    driver.main()

    assert store.search(search_id).state == "paused"
    with driver.driver_lock().acquire(timeout=0):
        pass


@pytest.mark.usefixtures("hasty")
def test_one_driver_is_started_at_a_time_and_none_relies_on_one_that_leaves(store, monkeypatch):
    started = []

    def start(module: str, *_arguments: str, **_options: object) -> SimpleNamespace:
        started.append(module)
        return SimpleNamespace(pid=os.getpid())

    def leave_and_be_asked(job: Job) -> None:
        leave(job)
        ensure_driving()

    leave = Job.leave
    monkeypatch.setattr("core.system.background.spawn", start)
    monkeypatch.setattr(driver, "open_store", lambda: store)
    monkeypatch.setattr(driver, "_work", lambda _driver: ensure_driving())
    monkeypatch.setattr(Job, "leave", leave_and_be_asked)

    ensure_driving()
    ensure_driving()  # while it starts
    assert len(started) == 1
    driver.main()  # while it works, and once it has left
    assert len(started) == 2
