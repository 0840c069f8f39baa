"""The training process of one run: `python -m core.jobs.worker RUN_ID`, with the store that `DUET_STORE` names.

It needs nothing else, so anything that can start a process can run it. The store is no argument, as every user of a
machine can read those of its processes, and its URL may hold a password. With `--spare` it warms up first
and is told the run later, see `core.jobs.warm_pool`. `execute` is what it does, and what `core.cli.train` does in its
own process. Measurements, signs of life and the end are written to the store; weights and results to the
run's folder.
"""

import argparse
import json
import logging
import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import psutil
from sqlalchemy.exc import OperationalError

from core.config import Framework, RunConfig
from core.datasets import Dataset, load
from core.engines import Engine, get_engine
from core.engines.frozen import make_engine, trained_network
from core.engines.normalization import scaling_of
from core.engines.pretrained import first_weights
from core.jobs import memory
from core.jobs.failures import DataChangedError, FailureReport, diagnose
from core.networks.layers import (
    Architecture,
    BatchNorm,
    Shape,
    check_network,
    count_parameters,
    layer_rows,
    weight_shapes,
)
from core.networks.pretrained import check_pretrained
from core.networks.registry import get_including_deleted
from core.networks.zoo import ARCHITECTURES
from core.runs import ENDED, Learning, Request, Results, Store, SupersededError, open_store
from core.runs.epoch_predictions import is_kept, write_epoch_predictions
from core.runs.predictions import Predictions, write_predictions
from core.system.files import write_bytes, write_json
from core.system.paths import run_directory, store_url
from core.system.processes import fast_exit, started_at
from core.training import checkpoints
from core.training.loop import Listener, count_steps, order_of, split_of, train
from core.training.metrics import confusion, loss_and_accuracy, probabilities
from core.training.records import Epoch, Progress, StepMetrics

_log = logging.getLogger("duet")

_BEAT_S = 0.5
_FLUSH_S = 0.4  # every second chunk
_ROOM_PAUSE_S = 1.0
_ROOM_DEADLINE_S = 3600.0

_SAMPLE = 1_000
_LOOKED_AT = 200
"""So many training images are predicted at the end, and so many of them looked at, to tell whether it has learnt."""


def execute(
    store: Store,
    run_id: str,
    attempt: int,
    *,
    stop: threading.Event,
    on_metrics: Callable[[StepMetrics, int], None] = lambda _metrics, _total_steps: None,
) -> None:
    """Train a claimed run to its end, whatever that is, and record it.

    Args:
        stop: set it to stop the run after its next chunk; it is set, too, when the store asks to stop or to pause.
        on_metrics: called with each measurement and the number of steps of the whole run.
    """
    process = psutil.Process()
    config = store.get(run_id).config
    try:
        store.enter(run_id, attempt, pid=process.pid, process_started_at=started_at(process))
        with _Heartbeat(store, run_id, attempt, stop) as heartbeat:
            _train(store, run_id, attempt, config, stop, on_metrics, heartbeat)
    except SupersededError as error:
        _log.info("%s", error)
    except Exception as error:
        told = diagnose(error, config)
        _log.exception("Failed: %s", told.failure)
        _record_failure(store, run_id, attempt, told, traceback.format_exc())


def _record_failure(store: Store, run_id: str, attempt: int, told: FailureReport, trace: str) -> None:
    """Record why a run has failed; where the database lies on a disk that is full, once there is room again."""
    deadline = time.monotonic() + _ROOM_DEADLINE_S
    while True:
        try:
            with suppress(SupersededError):  # it was ended from outside meanwhile
                store.fail(run_id, attempt, **told._asdict(), traceback=trace)
            return
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            _log.info("Its end could not be written yet: %s", error.orig)
            time.sleep(_ROOM_PAUSE_S)


def starting_weights(store: Store, run_id: str, config: RunConfig, dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the canonical weights of a run, whichever framework trained it, for one of `config` to start from.

    Raises:
        ValueError: if there is no such run, it still trains, it has no checkpoint, or its network does not fit.
    """
    source = store.get(run_id)
    if source.state not in ENDED:
        raise ValueError(
            f"Start from run (--initial-weights): expected a run that has ended, received {source.id}, which is "
            f"{source.state}: wait for its end or stop it."
        )
    checkpoint = checkpoints.load(run_directory(source.id))
    architecture = get_including_deleted(config.architecture)
    expected = weight_shapes(architecture, dataset.image_shape, len(dataset.class_names))
    if {name: values.shape for name, values in checkpoint.weights.items()} != expected:
        other = checkpoint.description
        raise ValueError(
            f"Start from run (--initial-weights): expected one of {config.architecture} on images of "
            f"{_size(dataset.image_shape)} in {len(dataset.class_names)} classes, received {source.id} of "
            f"{other.architecture.name} on {_size(other.input_shape)} in {len(other.class_names)}: choose another run, "
            "or the network and data of that one."
        )
    return checkpoint.weights


def _size(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _train(
    store: Store,
    run_id: str,
    attempt: int,
    config: RunConfig,
    stop: threading.Event,
    on_metrics: Callable[[StepMetrics, int], None],
    heartbeat: "_Heartbeat",
) -> None:
    _log.info("Preparing %s for %s on %s", config.architecture, config.framework, config.device)
    dataset = load(config.dataset)
    total_steps = count_steps(config, dataset)
    engine_module = get_engine(config.framework)
    directory = run_directory(run_id)
    directory.mkdir(parents=True, exist_ok=True)
    description = _describe(config, dataset)
    network = (description.architecture, dataset.image_shape, len(dataset.class_names))
    write_bytes(directory / "config.json", config.model_dump_json(indent=2).encode())
    trained = (*trained_network(config, description.architecture, dataset.image_shape), len(dataset.class_names))
    if config.device == "cpu":
        batch_size = min(config.batch_size, len(dataset.train.images))
        memory.check(memory.step_bytes(layer_rows(*trained), batch_size, config.precision))
    resume_from = _find_resume_state(directory, description) if store.get(run_id).resumes else None
    engine = make_engine(engine_module, config, *network, description.scaling)
    if resume_from is None:
        checkpoints.drop_states(directory)
        _load_first_weights(store, config, dataset, description, engine, directory)
    step = resume_from[0].step if resume_from else 0
    written = store.begin(run_id, attempt, total_steps=total_steps, step=step)
    recorder = _Recorder(store, run_id, attempt, written, heartbeat)
    listener = _RunListener(recorder, directory, description, stop, lambda metrics: on_metrics(metrics, total_steps))
    try:
        outcome = train(config, dataset, engine, listener, resume_from=resume_from)
    finally:  # the last measurements before a failure show where it began
        recorder.flush()
    results = Results(
        parameters=count_parameters(*network),
        epochs=outcome.epochs,
        train_seconds=outcome.train_seconds,
        images_per_second=outcome.images_per_second,
        best_epoch=outcome.best_epoch,
        stopped_early=outcome.early,
        val_loss=outcome.val_loss,
        val_accuracy=outcome.val_accuracy,
        fingerprint=dataset.fingerprint,
        versions=engine_module.versions(),
    )
    if not outcome.stopped:
        engine.load_weights(checkpoints.load(directory).weights)
        learning = _judge_learning(engine, config, trained, dataset, store.epochs(run_id), outcome.best_epoch)
        tested = _test(engine, description.architecture, dataset, directory)
        results = results.model_copy(update={**tested, "learning": learning})
        _predict_validation(engine, description, dataset, directory)
    write_json(directory / "results.json", results.as_json())
    state: Literal["done", "paused", "stopped"]
    state = "done" if not outcome.stopped else "paused" if heartbeat.request == "pause" else "stopped"
    store.finish(run_id, attempt, state, results)
    if state == "done":
        checkpoints.drop_states(directory)
    _log.info("%s after %.1f s of training", state.capitalize(), outcome.train_seconds)


def _describe(config: RunConfig, dataset: Dataset) -> checkpoints.Description:
    architecture = get_including_deleted(config.architecture)
    check_network(architecture, dataset.image_shape, len(dataset.class_names), config.batch_size)
    check_pretrained(config.architecture, dataset.image_shape)
    standard = config.normalization == "standard"
    return checkpoints.Description(
        config=config,
        architecture=architecture,
        input_shape=dataset.image_shape,
        class_names=dataset.class_names,
        preparation=dataset.specification.preparation,
        fit=dataset.specification.fit,
        fingerprint=dataset.fingerprint,
        standard_scaling=scaling_of(config, dataset.train.images, split_of(config, dataset).train)
        if standard
        else None,
    )


def _find_resume_state(
    directory: Path, description: checkpoints.Description
) -> tuple[Progress, dict[str, np.ndarray]] | None:
    """Return where an earlier attempt was broken off, or nothing where it had not come so far.

    Raises:
        ValueError: if the data or the settings are others now.
        DamagedStateError: if what was kept is damaged.
    """
    resumable = checkpoints.load_state(directory)
    if resumable is None:
        _log.info("No state was kept yet, so it begins anew.")
        return None
    before = resumable.description
    if before.fingerprint != description.fingerprint:
        raise DataChangedError(
            f"The data set {description.config.dataset} has changed since this run was broken off, so it cannot go on: "
            "train anew on the data as they are now."
        )
    # Where a run computes may change what the last digits are, but not what it is.
    places = {"device": "", "threads": 0}
    if before.config.model_copy(update=places) != description.config.model_copy(update=places):
        raise ValueError("The settings of this run have changed since it was broken off, so it cannot go on.")
    _log.info("Going on after step %d", resumable.progress.step)
    return resumable.progress, resumable.state


def _load_first_weights(
    store: Store,
    config: RunConfig,
    dataset: Dataset,
    description: checkpoints.Description,
    engine: Engine,
    directory: Path,
) -> None:
    """Let a network begin with the weights that the config says, unless these are its framework's own."""
    if config.initial_weights:
        weights = starting_weights(store, config.initial_weights, config, dataset)
        # A copy, so that the run can be repeated whatever becomes of the other one.
        checkpoints.write_arrays(directory / "initial.safetensors", weights)
        engine.load_weights(weights)
        return
    drawn = first_weights(config, description.architecture, dataset.image_shape, len(dataset.class_names))
    if drawn is not None:
        engine.load_weights(drawn)


def _test(engine: Engine, architecture: Architecture, dataset: Dataset, directory: Path) -> dict[str, Any]:
    """Measure the kept weights on the test split; keep every probability for the pages."""
    outputs = engine.predict(dataset.test.images)
    labels = np.asarray(dataset.test.labels)
    loss, accuracy = loss_and_accuracy(outputs, labels)  # as in training, also where a softmax comes before it
    kept = Predictions(probabilities(outputs, architecture), labels, np.arange(len(labels)))
    write_predictions(directory, "test", kept)
    matrix = confusion(labels, outputs.argmax(axis=1), len(dataset.class_names))
    return {"test_loss": loss, "test_accuracy": accuracy, "confusion": matrix.tolist()}


def _judge_learning(
    engine: Engine,
    config: RunConfig,
    network: tuple[Architecture, Shape, int],
    dataset: Dataset,
    epochs: Sequence[Epoch],
    best_epoch: int | None,
) -> Learning:
    """Measure what tells whether a network, whose kept weights are loaded, has learnt; see `core.runs.doubts`."""
    kept = next((epoch for epoch in epochs if epoch.epoch == best_epoch), None)
    rows = np.sort(order_of(config, split_of(config, dataset), 0)[:_SAMPLE])
    images, labels = dataset.train.images[rows], np.asarray(dataset.train.labels)[rows]
    momenta = [row.layer.momentum for row in layer_rows(*network) if isinstance(row.layer, BatchNorm)]
    # Few, as they are unpacked into floating-point numbers here.
    seen = np.asarray(images[:: max(1, len(images) // _LOOKED_AT)])
    return Learning(
        train_loss=epochs[-1].train_loss if epochs else None,
        highest_loss=max((loss for each in epochs for loss in (each.train_loss, each.val_loss or 0.0)), default=None),
        train_accuracy=kept and kept.train_accuracy,
        sample_accuracy=float((engine.predict(images).argmax(axis=1) == labels).mean()),
        batch_norm_lag=max(momenta) ** kept.step if momenta and kept else None,
        pixel_spread=float(seen.std(axis=0, dtype=np.float32).mean()),
        brightest_pixel=int(seen.max()),
    )


def _predict_validation(
    engine: Engine, description: checkpoints.Description, dataset: Dataset, directory: Path
) -> None:
    """Keep what the kept weights say of the validation images, which a temperature is fitted on."""
    rows = split_of(description.config, dataset).validation
    if len(rows):  # else the test images validate, of which all is kept already
        found = probabilities(engine.predict(dataset.train.images[rows]), description.architecture)
        write_predictions(directory, "validation", Predictions(found, np.asarray(dataset.train.labels[rows]), rows))


class _RunListener(Listener):
    """Passes on what a training tells: measurements to the store and whoever watches, weights to the run's folder."""

    def __init__(
        self,
        recorder: "_Recorder",
        directory: Path,
        description: checkpoints.Description,
        stop: threading.Event,
        watch: Callable[[StepMetrics], None],
    ):
        self._recorder, self._directory, self._description = recorder, directory, description
        self._stop, self._watch = stop, watch

    def on_metrics(self, metrics: StepMetrics) -> None:
        self._recorder.add(metrics)
        self._watch(metrics)
        if metrics.split == "validation":
            _log.info("Epoch %g: validation loss %.4f, accuracy %.4f", metrics.epoch, metrics.loss, metrics.accuracy)

    def on_validation(self, epoch: int, predicted: np.ndarray) -> None:
        classes, epochs = len(self._description.class_names), self._description.config.epochs
        if is_kept(epoch, epochs, images=len(predicted), classes=classes):
            fingerprint = self._description.fingerprint
            write_epoch_predictions(self._directory, epoch, predicted, classes=classes, fingerprint=fingerprint)

    def on_epoch(self, epoch: Epoch) -> None:
        self._recorder.add_epoch(epoch)

    def on_checkpoint(self, epoch: int, weights: dict[str, np.ndarray]) -> None:
        checkpoints.save(self._directory, epoch, weights, self._description)
        checkpoints.keep_epoch_weights(self._directory, epoch, weights)

    def on_state(self, progress: Progress, state: dict[str, np.ndarray]) -> None:
        self._recorder.flush()  # whoever resumes from this state relies on all that was measured before it
        checkpoints.save_state(self._directory, progress, state, self._description)

    def should_stop(self) -> bool:
        return self._stop.is_set()


class _Recorder:
    """Writes measurements to the store, gathered so that short epochs don't wait for the disk.

    This happens between two chunks, when the training has left the processors free, and takes the place of a heartbeat.
    """

    def __init__(self, store: Store, run_id: str, attempt: int, written: int, heartbeat: "_Heartbeat"):
        """Number the measurements after the `written` ones that earlier attempts have left."""
        self._store, self._run_id, self._attempt, self._heartbeat = store, run_id, attempt, heartbeat
        self._waiting: list[StepMetrics] = []
        self._epochs: list[Epoch] = []
        self._written = written
        self._flushed_at = 0.0

    def add(self, metrics: StepMetrics) -> None:
        self._waiting.append(metrics)
        self._flush_if_due()

    def add_epoch(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)
        self._flush_if_due()

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._flushed_at >= _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            load = self._heartbeat.load()
            request = self._store.add_metrics(self._run_id, self._attempt, self._written + 1, self._waiting, load)
            self._heartbeat.given(request)
            self._written += len(self._waiting)
            self._waiting = []
        while self._epochs:
            self._store.add_epoch(self._run_id, self._attempt, self._epochs[0])
            self._epochs.pop(0)
        self._flushed_at = time.monotonic()


class _Heartbeat:
    """Passes on a request to stop or to pause, and gives signs of life while its block runs and nobody else does.

    The signs come from a thread of its own, which takes its time from the training.
    """

    def __init__(self, store: Store, run_id: str, attempt: int, stop: threading.Event):
        self._store, self._run_id, self._attempt, self._stop = store, run_id, attempt, stop
        self._process = psutil.Process()
        self._process.cpu_percent()  # counts from here
        self._given_at = -math.inf
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send_heartbeats, name="heartbeat", daemon=True)
        self.request: Request | None = None
        """What the store asked for last."""

    def __enter__(self) -> "_Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def load(self) -> dict[str, float]:
        """Return what this process uses: memory in bytes, and processors in percent of one since the last call."""
        with self._process.oneshot():
            return {
                "memory_bytes": self._process.memory_info().rss,
                "cpu_percent": self._process.cpu_percent(),
            }

    def given(self, request: Request | None) -> None:
        """Note that somebody else has sent a heartbeat, and pass on what the store asks for."""
        self._given_at = time.monotonic()
        self._pass_on(request)

    def _pass_on(self, request: Request | None) -> None:
        if request:  # it is never taken back; an answer from before it may come after it, by the other thread
            self.request = request
            self._stop.set()

    def _send_heartbeats(self) -> None:
        while not self._over.wait(_BEAT_S):
            if time.monotonic() - self._given_at < 2 * _BEAT_S:
                continue
            try:
                self._pass_on(self._store.heartbeat(self._run_id, self._attempt, self.load()))
            except SupersededError:
                self._stop.set()
                return
            except OperationalError as error:  # busy, or the disk is full: the next heartbeat may get through
                _log.info("No heartbeat could be written: %s", error.orig)


def main(arguments: list[str] | None = None) -> None:
    """Train the run that the scheduler has claimed."""
    parser = argparse.ArgumentParser(prog="python -m core.jobs.worker", description=__doc__.splitlines()[0])
    parser.add_argument("run_id", nargs="?")
    parser.add_argument(
        "--spare", choices=get_args(Framework), help="import this and wait for a run: core.jobs.warm_pool"
    )
    parser.add_argument("--threads", type=int, default=0, help="of the run to wait for")
    options = parser.parse_args(arguments)
    if options.spare:
        given = _wait_for_run(options.spare, options.threads)
    elif options.run_id:
        given = options.run_id, store_url()
    else:
        parser.error("expected RUN_ID, or --spare FRAMEWORK")
    if given:
        _work(*given)
    fast_exit()


def _work(run_id: str, url: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = open_store(url)
    execute(store, run_id, store.get(run_id).attempt, stop=threading.Event())


def _wait_for_run(framework: Framework, threads: int) -> tuple[str, str] | None:
    """Warm up and return the run's id and the store's URL once they come; None if none comes any more."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # TensorFlow would keep the memory of every GPU it sees
    _warm_up(framework, threads)
    line = sys.stdin.readline()
    if not line:
        return None
    run_id, url = json.loads(line)
    # Whoever handed over the run has made its folder; what is said from now on belongs into its log.
    log = os.open(run_directory(run_id) / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    return run_id, url


def _warm_up(framework: Framework, threads: int) -> None:
    """Train a small network for a moment, so that the framework has imported and set up what any run needs."""
    config = RunConfig(framework=framework, threads=threads, architecture="cnn-64-32-32")
    shape, classes, steps = (28, 28, 1), 10, 2
    engine = get_engine(framework).Engine(config, ARCHITECTURES[config.architecture], shape, classes)
    images = steps * config.batch_size
    engine.load_data(np.zeros((images, *shape), np.uint8), np.zeros(images, np.int64))
    engine.train(np.arange(images).reshape(steps, -1))
    engine.predict(np.zeros((1, *shape), np.uint8))


if __name__ == "__main__":
    main()
