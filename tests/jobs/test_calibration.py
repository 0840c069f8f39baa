"""Timing some steps in the background: what is remembered for which runs, and when it is left alone."""

import json

import psutil
import pytest

from core.config import configure
from core.jobs import calibration
from core.jobs.calibration import calibration_progress, speed, start_calibration, time_steps
from core.runs import new_id, open_store
from core.system import background
from core.system.processes import started_at

QUICK = configure(architecture="ann-100", train_limit=500)


@pytest.fixture
def spawned(monkeypatch) -> list[str]:
    """What was to be timed; this very process stands for the one that does it."""
    found: list[str] = []

    def spawn(_module, config, **_options):
        found.append(config)
        return psutil.Process()

    monkeypatch.setattr(background, "spawn", spawn)
    return found


def remember(config, **known) -> None:
    calibration._file(config).write_text(json.dumps(known))


def end() -> None:
    """Let the process that times something be gone."""
    (calibration._folder() / "process.json").unlink()


def test_what_was_never_timed_is_not_known():
    assert (speed(QUICK), calibration_progress(QUICK)) == (None, "never")


@pytest.mark.parametrize("same", [{"epochs": 9}, {"seed": 1}, {"learning_rate": 0.5}, {"schedule": "cosine"}])
def test_is_remembered_for_runs_that_take_as_long(same):
    remember(QUICK, images_per_second=1234.5)

    assert speed(QUICK.model_copy(update=same)) == 1234.5
    assert calibration_progress(QUICK) == "done"


@pytest.mark.parametrize(
    "other",
    [
        *({"architecture": "cnn-quick"}, {"framework": "keras"}, {"batch_size": 8}, {"threads": 1}),
        *({"precision": "float64"}, {"zoom": 0.1}, {"optimizer": "adam"}, {"ema_decay": 0.9}),
    ],
)
def test_is_not_taken_for_runs_that_do_not(other):
    remember(QUICK, images_per_second=1234.5)

    assert speed(QUICK.model_copy(update=other)) is None


def test_is_of_one_machine(monkeypatch):
    remember(QUICK, images_per_second=1234.5)
    monkeypatch.setattr(calibration, "available_cores", lambda: 64)

    assert speed(QUICK) is None


def test_one_is_timed_at_a_time(spawned):
    start_calibration(QUICK)
    assert calibration_progress(QUICK) == "running"

    start_calibration(QUICK)
    start_calibration(QUICK.model_copy(update={"batch_size": 8}))
    assert spawned == [QUICK.model_dump_json()]

    end()
    start_calibration(QUICK.model_copy(update={"batch_size": 8}))
    assert len(spawned) == 2


@pytest.mark.parametrize("known", [{"begun_at": 1.0}, {"images_per_second": 5.0}])
def test_is_not_tried_again(spawned, known):
    remember(QUICK, **known)

    start_calibration(QUICK)

    assert spawned == []
    assert calibration_progress(QUICK) == ("done" if "images_per_second" in known else "failed")


@pytest.mark.usefixtures("spawned")
def test_a_later_process_of_the_same_number_is_not_taken_for_it():
    start_calibration(QUICK)
    process = psutil.Process()
    stranger = {"pid": process.pid, "started_at": started_at(process) - 100, "key": calibration._key(QUICK)}
    (calibration._folder() / "process.json").write_text(json.dumps(stranger))

    assert calibration_progress(QUICK) == "never"


@pytest.mark.parametrize(("device", "begun"), [("cpu", 0), ("gpu:0", 1)])
def test_a_device_that_is_wanted_is_left_alone(spawned, device, begun):
    open_store().create(configure(device=device), submission=new_id())

    start_calibration(QUICK)

    assert len(spawned) == begun


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_steps_are_timed(monkeypatch, framework):
    for name, seconds in {"_WARM_S": 0.01, "_TIMED_S": 0.02}.items():
        monkeypatch.setattr(calibration, name, seconds)

    found = time_steps(QUICK.model_copy(update={"framework": framework, "rotation": 10.0}), open_store())

    assert 10 < found < 1e7


@pytest.mark.parametrize(("found", "after"), [(1234.5, "done"), (None, "never")])
def test_process_keeps_what_it_has_found(monkeypatch, found, after):
    monkeypatch.setattr(calibration, "time_steps", lambda _config, _store: found)
    monkeypatch.setattr(calibration, "fast_exit", lambda: None)

    calibration.main([QUICK.model_dump_json()])

    assert (speed(QUICK), calibration_progress(QUICK)) == (found, after)


def test_process_that_fails_is_not_started_again(monkeypatch):
    def fail(_config, _store):
        raise MemoryError

    monkeypatch.setattr(calibration, "time_steps", fail)
    with pytest.raises(MemoryError):
        calibration.main([QUICK.model_dump_json()])

    assert calibration_progress(QUICK) == "failed"


def test_timing_gives_way_to_a_run(monkeypatch):
    monkeypatch.setattr(calibration, "_LOOK_S", 0)
    monkeypatch.setattr(calibration, "_TIMED_S", 600)
    store = open_store()
    store.create(configure(), submission=new_id())

    assert time_steps(QUICK, store) is None


def test_speed_is_that_after_the_warm_up():
    points = [
        calibration.StepMetrics(step, step, "train", 0.5, 0.5, seconds, rate)
        for step, (seconds, rate) in enumerate([(5.0, 1.0), (6.0, 10.0), (7.0, 100.0), (9.0, 400.0)])
    ]

    assert calibration._images_per_second(points) == pytest.approx((1 * 100 + 2 * 400) / 3)
