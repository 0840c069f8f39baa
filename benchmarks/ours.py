"""Duet's side of `benchmarks.training`: what it measures, as programs that take turns with the peers'."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from benchmarks.turns import Turns
from core.config import Framework, RunConfig, configure, option
from core.datasets import Dataset, load
from core.engines import Engine, get_engine
from core.engines.augmentation import draw_transforms
from core.engines.initialisation import initial_weights
from core.engines.normalization import scaling_of
from core.jobs.scheduler import prepare, submit
from core.jobs.worker import execute
from core.networks.registry import get_architecture
from core.recipes import get_recipe
from core.runs import Store, new_id, open_store
from core.system.paths import PROJECT, data_dir
from core.training.loop import Listener, split_of, train
from core.training.metrics import loss_and_accuracy
from core.training.records import Outcome, StepMetrics
from tests import processes

_POLL_S = 0.01
_WATCH_S = 0.5
"""How often the Results page asks for new points."""

_DEADLINE_S = 120
_IDLE_S = 1.0
"""A process that has slept for so long has warmed up."""


def epochs(turns: Turns, *, repeats: int, **settings: Any) -> None:
    """Train on all the training images, after one epoch to warm up; a turn is one epoch.

    It lasts until its last point is reported; validation comes after that.
    """
    config = _config(repeats, settings)
    dataset = load(config.dataset)
    _train(config, dataset, _Epochs(turns, config.epochs))


def recorded_epochs(turns: Turns, *, repeats: int, **settings: Any) -> None:
    """Train as `epochs` does, but as a run in the store that another process watches as the Results page does."""
    config = _config(repeats, settings)
    store = open_store()
    run_id = store.create(config, submission=new_id(), claimed=True)
    with _watched(run_id) as pause:
        listener = _Epochs(turns, config.epochs, pause)
        execute(
            store, run_id, 1, stop=threading.Event(), on_metrics=lambda metrics, _total: listener.on_metrics(metrics)
        )
    if store.get(run_id).state != "done":
        raise RuntimeError(store.get(run_id).failure)


def augment(
    turns: Turns,
    *,
    framework: Framework,
    degrees: float,
    zoom: float,
    shift: float,
    images: int,
    batch_size: int,
    repeats: int,
) -> None:
    """Draw an affine map for each of so many images, as for an epoch, and apply them in batches; a turn is all this."""
    config = configure(rotation=degrees, zoom=zoom, shift_x=shift, shift_y=shift)
    engine_module = get_engine(framework)
    dataset = load("mnist")
    generator = np.random.default_rng(config.seed)

    def change(count: int) -> None:
        transforms = draw_transforms(config, dataset.image_shape, count, generator)
        for i in range(0, count, batch_size):
            part = slice(i, min(i + batch_size, count))
            engine_module.augment(dataset.train.images[part], transforms[part])

    change(batch_size)
    change(images % batch_size or batch_size)
    for _ in range(repeats):
        with turns.measure():
            change(images)


def time_to_accuracy(turns: Turns, *, recipe: str, framework: Framework, seeds: int, **changes: Any) -> None:
    """Train a recipe with each of so many seeds; a turn is one training.

    It reports its `seed`, the `seconds` spent training, and the `accuracy` on the test images, which choose nothing.
    """
    dataset = load("mnist")
    for seed in range(seeds):
        config = configure(**{**get_recipe(recipe).settings, "framework": framework, "seed": seed, **changes})
        with turns.measure() as figures:
            outcome, engine = _train(config, dataset, _Weights())
            _, accuracy = loss_and_accuracy(engine.predict(dataset.test.images), dataset.test.labels)
            figures.update(seed=seed, seconds=outcome.train_seconds, accuracy=accuracy)


def first_point(turns: Turns, *, way: Literal["click", "command", "warm click"], repeats: int, **settings: Any) -> None:
    """Start a run in a home where nothing runs yet; a turn is the time until its first point is in the store.

    A warm click finds a scheduler with a spare process that has warmed up, as when the Train page was open before.
    """
    config = configure(**settings)
    load(config.dataset)
    datasets = data_dir() / "datasets"
    for turn in range(1 + repeats):  # the first reads the frameworks' files from the disk, later ones from memory
        with _new_home(datasets):
            store = open_store()
            if way == "warm click":
                prepare([config])
                _await_spare()
            if turn:
                turns.begin()
            if way == "command":
                _command(config)
            else:
                submit(store, [config], submission=new_id())
            run_id = _await(lambda store: next((run.id for run in store.find(limit=1)), None), store)
            _await(lambda store, run_id=run_id: store.metrics(run_id, limit=1), store)
            if turn:
                turns.end()


def memory(turns: Turns, *, repeats: int, **settings: Any) -> None:
    """Train a run by the command, in a process of its own; a turn reports the most memory it held, in `bytes`."""
    config = configure(**settings)
    for _ in range(repeats):
        with turns.measure() as figures:
            _, status, used = os.wait4(_command(config).pid, 0)
            if code := os.waitstatus_to_exitcode(status):
                raise RuntimeError(f"The training ended with exit code {code}.")
            figures["bytes"] = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _Weights(Listener):
    """Holds the weights that a training keeps."""

    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray] = {}

    def on_checkpoint(self, epoch: int, weights: dict[str, np.ndarray]) -> None:
        self.kept = weights


class _Epochs(_Weights):
    """Makes every epoch of a training but the first a turn; `pause` is set between them.

    Of its seconds, a turn reports those that were spent in the engine as `engine`.
    """

    def __init__(self, turns: Turns, epochs: int, pause: Event | threading.Event | None = None):
        super().__init__()
        self._turns, self._epochs = turns, epochs
        self._pause = pause or threading.Event()
        self._reported = self._trained = 0.0

    def on_metrics(self, metrics: StepMetrics) -> None:
        if metrics.split == "train":
            self._reported = time.perf_counter()
            return
        if metrics.epoch > 1:
            self._turns.end(until=self._reported, engine=metrics.seconds - self._trained)
        self._trained = metrics.seconds
        if metrics.epoch < self._epochs:
            self._pause.set()
            self._turns.begin()
            self._pause.clear()


def _config(repeats: int, settings: dict[str, Any]) -> RunConfig:
    """Return a run of one epoch to warm up and as many as are measured, on all the training images."""
    return configure(epochs=1 + repeats, validation_part="test", **settings)


def _train(config: RunConfig, dataset: Dataset, listener: _Weights) -> tuple[Outcome, Engine]:
    """Train as `core.jobs.worker` does, without a store and a folder; the engine then has the weights that are kept."""
    architecture, classes = get_architecture(config.architecture), len(dataset.class_names)
    network = (architecture, dataset.image_shape, classes)
    scaling = scaling_of(config, dataset.train.images, split_of(config, dataset).train)
    engine = get_engine(config.framework).Engine(config, *network, scaling)
    if config.initialisation != "framework":
        engine.load_weights(initial_weights(*network, config.seed, config.initialisation))
    outcome = train(config, dataset, engine, listener)
    engine.load_weights(listener.kept)
    return outcome, engine


@contextmanager
def _watched(run_id: str) -> Iterator[Event]:
    """Let another process ask for a run's new points while the block runs, but not while the event yielded is set."""
    context = multiprocessing.get_context("spawn")
    pause = context.Event()
    process = context.Process(target=_watch, args=(run_id, pause), daemon=True)
    process.start()
    try:
        yield pause
    finally:
        process.kill()
        process.join()


def _watch(run_id: str, pause: Event) -> None:
    store, seen = open_store(), 0
    while True:
        time.sleep(_WATCH_S)
        if not pause.is_set():
            store.get(run_id)
            seen += len(store.metrics(run_id, after=seen))


@contextmanager
def _new_home(datasets: Path) -> Iterator[None]:
    """Let Duet work in a home of its own, with these data sets, and end what it leaves running there."""
    before = data_dir()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        (Path(place) / "datasets").symlink_to(datasets)
        os.environ["DUET_HOME"] = place
        try:
            yield
        finally:
            os.environ["DUET_HOME"] = str(before)
            processes.end(Path(place))


def _command(config: RunConfig) -> subprocess.Popen:
    settings = config.model_dump(exclude_defaults=True)
    options = [text for name, value in settings.items() for text in (option(name), str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "core", "train", *options],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _await_spare() -> None:
    """Wait until the spare process has warmed up: it then sleeps until it is told a run."""
    deadline = time.monotonic() + _DEADLINE_S
    used, idle = None, 0.0
    while idle < _IDLE_S:
        if time.monotonic() > deadline:
            raise RuntimeError(f"No process was warm within {_DEADLINE_S} s.")
        time.sleep(_POLL_S)
        spares = processes.of_home(data_dir(), "--spare")
        before, used = used, [sum(process.cpu_times()[:2]) for process in spares]
        asleep = spares and used == before and spares[0].status() == psutil.STATUS_SLEEPING
        idle = idle + _POLL_S if asleep else 0.0


def _await(look: Callable[[Store], Any], store: Store) -> Any:
    """Look into the store until there is something, and return that."""
    deadline = time.monotonic() + _DEADLINE_S
    while not (found := look(store)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Nothing came of the run within {_DEADLINE_S} s.")
        time.sleep(_POLL_S)
    return found
