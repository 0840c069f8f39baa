"""What a training leaves behind, however it ends; with PyTorch, as the ends are the same for both frameworks."""

import errno
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from core.config import RunConfig, configure
from core.datasets import load
from core.jobs import worker
from core.jobs.worker import execute
from core.runs import Request, Results, Run, Store
from core.runs.epoch_predictions import kept_epochs, read_epoch_predictions
from core.runs.integrity import find_damage
from core.runs.predictions import read_predictions
from core.system.paths import run_directory, store_url
from core.training import checkpoints
from core.training.loop import split_of
from core.training.metrics import confusion
from core.training.records import StepMetrics
from tests.conftest import furnish
from tests.waiting import wait_for

CONFIG = configure(architecture="ann-100", train_limit=500, epochs=3, threads=1, learning_rate=0.05)


def nothing(_point: StepMetrics, _total: int) -> None:
    """Take no notice of a measurement."""


def train(
    config: RunConfig, store: Store | None = None, on_metrics: Callable[[StepMetrics, int], None] = nothing, **options
):
    """Train a run in this process and return what the store knows of it then."""
    store = store or Store(store_url())
    run_id = store.create(config, submission="a", claimed=True)
    execute(store, run_id, 1, **{"stop": threading.Event(), "on_metrics": on_metrics} | options)
    return store.get(run_id)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, unpacked_datasets: Path) -> Iterator[tuple[Run, Path]]:
    """A run that was trained to its end, and its folder."""
    with pytest.MonkeyPatch.context() as patch:
        home = furnish(tmp_path_factory.mktemp("trained"), unpacked_datasets)
        patch.setenv("DUET_HOME", str(home))
        run = train(CONFIG)
        directory = run_directory(run.id)
    yield run, directory
    shutil.rmtree(home / "datasets")


def test_a_step_that_cannot_fit_is_not_tried(duet_home, monkeypatch):  # noqa: ARG001 (a store of its own)
    monkeypatch.setattr("core.jobs.memory.left_bytes", lambda: 1_000_000)
    run = train(CONFIG.model_copy(update={"batch_size": 500}))

    assert (run.state, run.cause, run.failure, run.step) == ("failed", "out_of_memory", "Out of memory.", 0)
    assert "at least 2 MB of memory, of which 1 MB are left" in run.traceback


def test_run_ends_with_its_figures(trained):
    run, directory = trained

    assert (run.state, run.failure, run.progress) == ("done", None, 1.0)
    assert run.results.parameters == 79_510
    assert run.results.best_epoch == 3
    assert run.results.test_accuracy > 0.6
    assert run.results.train_seconds > 0
    assert "torch" in run.results.versions
    assert Results.model_validate_json((directory / "results.json").read_text()) == run.results


def test_test_answers_are_kept_and_give_the_figures(trained):
    run, directory = trained
    answers = checkpoints.read_arrays(directory / "test.safetensors")

    right = answers["probabilities"].argmax(axis=1) == answers["labels"]
    assert answers["probabilities"].shape == (10_000, 10)
    assert right.mean() == pytest.approx(run.results.test_accuracy)
    assert np.trace(run.results.confusion) == right.sum()


def test_keeps_what_it_predicts_on_the_validation_images(trained, monkeypatch):
    run, directory = trained
    monkeypatch.setenv("DUET_HOME", str(directory.parent.parent))
    found = read_predictions(run.id, "validation")
    dataset = load("mnist")

    assert found.probabilities.shape == (50, 10)
    np.testing.assert_array_equal(found.rows, split_of(CONFIG, dataset).validation)
    np.testing.assert_array_equal(found.labels, dataset.train.labels[found.rows])
    accuracy = (found.probabilities.argmax(axis=1) == found.labels).mean()
    assert accuracy == run.results.val_accuracy
    assert read_predictions(run.id, "test").rows.tolist() == list(range(10_000))


def test_keeps_which_classes_it_predicts_after_each_epoch(trained, monkeypatch):
    run, directory = trained
    monkeypatch.setenv("DUET_HOME", str(directory.parent.parent))
    dataset = load("mnist")
    labels = dataset.train.labels[split_of(CONFIG, dataset).validation]
    with closing(Store(store_url())) as store:
        epochs = store.epochs(run.id)

    assert kept_epochs(run.id) == [epoch.epoch for epoch in epochs] == [1, 2, 3]
    for epoch in epochs:
        found = read_epoch_predictions(run.id, epoch.epoch)
        assert found.fingerprint == dataset.fingerprint
        assert confusion(labels, found.predicted, 10).tolist() == epoch.confusion


def test_network_and_settings_are_kept(trained):
    run, directory = trained
    checkpoint = checkpoints.load(directory)

    assert RunConfig.model_validate_json((directory / "config.json").read_text()) == CONFIG
    assert (checkpoint.epoch, checkpoint.description.config) == (run.results.best_epoch, CONFIG)
    assert sum(array.size for array in checkpoint.weights.values()) == run.results.parameters
    assert not list(directory.glob("state*")), "a finished run has nothing to go on from"


def test_early_weights_are_kept_and_checked(trained, monkeypatch):
    run, directory = trained
    monkeypatch.setenv("DUET_HOME", str(directory.parent.parent))
    early = checkpoints.epochs_with_weights(directory)[:-1]
    assert early, "the validation loss falls in its first epochs"
    assert set(early) <= {1, 2}
    assert checkpoints.load(directory, early[0]).epoch == early[0]
    assert find_damage(run) == []

    file = directory / "epoch-0001.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-4])
    try:
        (said,) = find_damage(run)
        assert "the weights of epoch 1 cannot be used" in said
    finally:
        file.write_bytes(content)


def test_every_measurement_is_in_the_store():
    reported = []
    run = train(CONFIG, on_metrics=lambda point, total: reported.append((point, total)))

    stored = Store(store_url()).metrics(run.id)
    assert [point for _, point in stored] == [point for point, _ in reported]
    assert [number for number, _ in stored] == list(range(1, len(stored) + 1))
    assert {total for _, total in reported} == {run.total_steps} == {run.step} == {3 * 8}
    assert [point.epoch for _, point in stored if point.split == "validation"] == [1.0, 2.0, 3.0]


def check_stopped(run: Run) -> None:
    checkpoint = checkpoints.load(run_directory(run.id))
    assert (run.state, run.failure) == ("stopped", None)
    assert checkpoint.epoch == run.results.best_epoch
    assert run.results.val_loss > 0
    assert run.results.test_accuracy is None
    assert Results.model_validate_json((run_directory(run.id) / "results.json").read_text()) == run.results


def test_stopped_run_keeps_its_best_network():
    stop = threading.Event()

    def stop_in_third_epoch(point: StepMetrics, _total: int) -> None:
        if point.epoch > 2:
            stop.set()

    run = train(CONFIG.model_copy(update={"epochs": 1000}), stop=stop, on_metrics=stop_in_third_epoch)

    check_stopped(run)
    assert 2 * 8 < run.step < 3 * 8 + 8


def test_stop_asked_for_in_the_store_reaches_the_training():
    store = Store(store_url())

    def ask(point: StepMetrics, _total: int) -> None:
        if point.split == "validation":
            store.request_stop(store.find()[0].id)

    run = train(CONFIG.model_copy(update={"epochs": 1000}), on_metrics=ask)

    check_stopped(run)
    assert run.progress < 1


def test_run_stopped_before_its_first_epoch_has_no_network():
    stop = threading.Event()
    stop.set()
    run = train(CONFIG.model_copy(update={"batch_size": 1}), stop=stop)

    assert (run.state, run.results.best_epoch, run.results.val_loss) == ("stopped", None, None)
    with pytest.raises(ValueError, match="has no checkpoint yet"):
        checkpoints.load(run_directory(run.id))


def test_too_high_a_learning_rate_is_told():
    config = configure(train_limit=500, batch_size=8, learning_rate=10, threads=1)
    run = train(config)

    assert run.state == "failed"
    assert re.fullmatch(r"Diverged: The loss became (nan|inf) at step \d+\.", run.failure)
    assert run.advice == "Lower the learning rate (it was 10) and train again."
    assert "DivergedError" in run.traceback
    assert Store(store_url()).metrics(run.id)  # the curves show where it began


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let trainings report three points and then fail."""

    def report_and_fail(*given: object, **_: object) -> None:
        *_, listener = given
        for step in (1, 2, 3):
            listener.on_metrics(StepMetrics(step, step / 10, "train", 1.0, 0.5, 1.0))
        raise error

    monkeypatch.setattr(worker, "train", report_and_fail)


def test_failed_run_keeps_its_traceback_and_its_last_points(monkeypatch):
    fail_with(monkeypatch, KeyError("conv9"))
    run = train(CONFIG)

    assert (run.state, run.failure) == ("failed", "KeyError: 'conv9'")
    assert run.advice == "The traceback says where. Training again may help; the log has more."
    assert "report_and_fail" in run.traceback
    assert [point.step for _, point in Store(store_url()).metrics(run.id)] == [1, 2, 3]


def test_allocation_that_fails_is_told(monkeypatch):
    def allocate(*_: object, **__: object) -> None:
        np.ones(2**56, np.uint8)

    monkeypatch.setattr(worker, "train", allocate)
    run = train(CONFIG)

    assert (run.state, run.failure, run.cause) == ("failed", "Out of memory.", "out_of_memory")
    assert run.advice == "Use a smaller batch size (it was 64) or a smaller network."


@pytest.mark.parametrize("then_fails", [False, True])
def test_run_that_was_ended_from_outside_publishes_nothing_more(then_fails):
    store = Store(store_url())

    def end(_point: StepMetrics, _total: int) -> None:
        (run,) = store.find()
        if run.state == "running":
            store.fail(run.id, run.attempt, failure="It was given up.", advice="None.")
        if then_fails:
            raise RuntimeError("Too late to be told.")

    run = train(CONFIG.model_copy(update={"epochs": 1000}), store, on_metrics=end)

    assert (run.state, run.failure, run.results) == ("failed", "It was given up.", Results())
    assert len(store.metrics(run.id)) == 1


def test_thread_gives_signs_of_life_only_where_measurements_do_not(monkeypatch):
    clock, beats, stop = SimpleNamespace(monotonic=lambda: clock.now, now=0.0), [], threading.Event()
    store = SimpleNamespace(heartbeat=lambda *sign: beats.append(sign) or "pause")
    monkeypatch.setattr(worker, "_BEAT_S", 0.01)
    monkeypatch.setattr(worker, "time", clock)
    with worker._Heartbeat(store, "a", 1, stop) as heartbeat:
        heartbeat.given(None)
        before = len(beats)
        assert not stop.wait(0.1)
        assert len(beats) == before

        clock.now = 1.0
        assert stop.wait(20)
        before = len(beats)
        wait_for(lambda: len(beats) > before + 1)  # its own signs do not keep it quiet

    heartbeat.given(None)
    assert heartbeat.request == "pause"
    assert beats[-1][:2] == ("a", 1)
    assert beats[-1][2]["memory_bytes"] > 1e6


def test_busy_store_does_not_end_the_signs_of_life(monkeypatch):
    monkeypatch.setattr(worker, "_BEAT_S", 0.01)

    class Busy(Store):
        beats = 0

        def heartbeat(self, run_id: str, attempt: int, load: dict[str, float] | None = None) -> Request | None:
            self.beats += 1
            if self.beats < 3:
                raise OperationalError("UPDATE runs", {}, Exception("database is locked"))
            if self.beats == 3:  # a beat that comes once the run has ended could stop nothing any more
                self.request_stop(run_id)
            return super().heartbeat(run_id, attempt, load)

    run = train(CONFIG.model_copy(update={"epochs": 1000}), Busy(store_url()))

    assert run.state == "stopped"


def test_failure_is_recorded_once_there_is_room_for_it(monkeypatch):
    monkeypatch.setattr(worker, "_ROOM_PAUSE_S", 0.01)
    fail_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))

    class Full(Store):
        tried = 0

        def fail(self, *arguments: object, **told: object) -> None:
            self.tried += 1
            if self.tried < 3:
                raise OperationalError("UPDATE runs", {}, Exception("database or disk is full"))
            super().fail(*arguments, **told)

    run = train(CONFIG, Full(store_url()))

    assert (run.state, run.failure) == ("failed", "The disk is full.")


def test_unknown_device_is_told():
    run = train(CONFIG.model_copy(update={"device": "gpu:99"}))

    assert run.failure.startswith("Device (--device): PyTorch has cpu")
    assert run.cause == "device_gone"
