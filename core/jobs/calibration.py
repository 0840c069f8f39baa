"""How fast a run would train on this machine: some of its steps, timed in the background and remembered.

    speed(config)       # images per second, or None if that was never timed
    start_calibration(config)       # time it, unless it was, or the device is busy; comes back at once
    calibration_progress(config)    # "never", "running", "done" or "failed"

`python -m core.jobs.calibration CONFIG` times the run that CONFIG describes as JSON: a few seconds of the training
itself, of which nothing is kept. It runs at a low priority, one at a time, and gives way to any training on its device.
"""

import argparse
import hashlib
import json
import logging
import math
import platform
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Literal

from core.config import RunConfig
from core.datasets import load
from core.engines import available_cores, get_engine
from core.engines.augmentation import is_augmented
from core.engines.frozen import frozen_layers
from core.engines.normalization import scaling_of
from core.networks.registry import get_architecture
from core.runs import Store, open_store
from core.system.background import Job
from core.system.files import make_folder, write_json
from core.system.paths import data_dir
from core.system.processes import fast_exit, lower_priority
from core.training.loop import Listener, split_of, train
from core.training.records import StepMetrics

Progress = Literal["never", "running", "done", "failed"]

_log = logging.getLogger("duet.calibration")

_WARM_S = 1.0
_TIMED_S = 2.0
_LEAST_CHUNKS = 3
_LOOK_S = 0.5
_IMAGES = 2_000_000  # more than are learnt from in so short a time

# What makes no step slower or faster, or would end or break the training before it has been timed.
_ARBITRARY = {
    "learning_rate": 1e-6,
    "schedule": "constant",
    "warmup_epochs": 0,
    "validation_every": 1000,
    "patience": 0,
    "initial_weights": None,
}


def speed(config: RunConfig) -> float | None:
    """Return how many images a second a run like `config` learns from on this machine, if it was timed."""
    return _known(config).get("images_per_second")


def calibration_progress(config: RunConfig) -> Progress:
    """Say how far the timing of a run has come; one whose images are looked at once, and then no more, never is."""
    if frozen_layers(config, get_architecture(config.architecture)):
        return "failed"
    known = _known(config)
    if "images_per_second" in known:
        return "done"
    job = _job()
    if job.is_running() and job.note().get("key") == _key(config):
        return "running"
    return "failed" if known else "never"


def start_calibration(config: RunConfig) -> None:
    """Begin to time a run, unless it has been tried, another one is timed, its device trains, or none can be kept."""
    with suppress(OSError):  # on a full or read-only disk the estimate stays a guess
        _job().start(
            "core.jobs.calibration",
            config.model_dump_json(),
            key=_key(config),
            unless=lambda: calibration_progress(config) != "never" or _is_busy(open_store(), config),
        )


def time_steps(config: RunConfig, store: Store) -> float | None:
    """Train for a few seconds and return the images per second; None if another run wants the device meanwhile."""
    dataset = load(config.dataset)
    images = len(split_of(config, dataset).train)
    timed = config.model_copy(update={**_ARBITRARY, "epochs": min(1000, math.ceil(_IMAGES / images))})
    engine = get_engine(config.framework).Engine(
        timed,
        get_architecture(config.architecture),
        dataset.image_shape,
        len(dataset.class_names),
        scaling_of(timed, dataset.train.images, split_of(timed, dataset).train),
    )
    listener = _Timing(store, config)
    train(timed, dataset, engine, listener)
    return None if listener.gives_way else _images_per_second(listener.measured)


class _Timing(Listener):
    """Gathers the measurements of a training and stops it once they are enough, or another run wants its device."""

    def __init__(self, store: Store, config: RunConfig):
        self.measured: list[StepMetrics] = []
        self.gives_way = False
        self._store, self._config = store, config
        self._looked_at = time.monotonic()

    def on_metrics(self, metrics: StepMetrics) -> None:
        self.measured.append(metrics)

    def should_stop(self) -> bool:
        if time.monotonic() - self._looked_at >= _LOOK_S:
            self._looked_at, self.gives_way = time.monotonic(), _is_busy(self._store, self._config)
        return self.gives_way or _is_enough(self.measured)


def _is_enough(points: list[StepMetrics]) -> bool:
    warm = _after_the_warm_up(points)
    return len(warm) > _LEAST_CHUNKS and warm[-1].seconds - warm[0].seconds >= _TIMED_S


def _images_per_second(points: list[StepMetrics]) -> float:
    """Return the mean speed between the first and the last point after the warm-up."""
    warm = _after_the_warm_up(points)
    seconds = [after.seconds - before.seconds for before, after in pairwise(warm)]
    images = [spent * (point.images_per_second or 0) for spent, point in zip(seconds, warm[1:], strict=True)]
    return sum(images) / sum(seconds)


def _after_the_warm_up(points: list[StepMetrics]) -> list[StepMetrics]:
    measured = [point for point in points if point.split == "train"]
    return [point for position, point in enumerate(measured) if position and point.seconds >= _WARM_S]


def _is_busy(store: Store, config: RunConfig) -> bool:
    return any(run.device == config.device for run in store.pending())


def _known(config: RunConfig) -> dict[str, float]:
    try:
        return json.loads(_file(config).read_bytes())
    except (OSError, ValueError):
        return {}


def _job() -> Job:
    """Return the one job that times whatever is to be timed."""
    return Job(_folder())


def _folder() -> Path:
    return make_folder(data_dir() / "speeds")


def _file(config: RunConfig) -> Path:
    return _folder() / f"{_key(config)}.json"


def _key(config: RunConfig) -> str:
    """Return what names all that decides how fast a run trains."""
    dataset = load(config.dataset)
    decides = [
        *(platform.node(), platform.machine(), available_cores()),
        get_architecture(config.architecture).model_dump(mode="json"),
        *(dataset.image_shape, len(dataset.class_names)),
        *(config.framework, config.device, config.threads, config.batch_size, config.precision, config.optimizer),
        *(is_augmented(config), bool(config.clip_norm), bool(config.ema_decay)),
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def main(arguments: list[str] | None = None) -> None:
    """Time the steps of a run and keep their speed."""
    parser = argparse.ArgumentParser(prog="python -m core.jobs.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("config", help="the run, as JSON")
    config = RunConfig.model_validate_json(parser.parse_args(arguments).config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # Stays if nothing comes of it, so that it is not tried again and again.
    write_json(_file(config), {"begun_at": time.time()})
    found = time_steps(config, open_store())
    if found is None:
        _log.info("Given up: a run wants %s", config.device)
        _file(config).unlink()
    else:
        write_json(_file(config), {"images_per_second": found})
    fast_exit()


if __name__ == "__main__":
    lower_priority()
    main()
