"""How long a run will take, before it is launched: from runs like it, from timed steps, or else from its arithmetic.

estimate = estimate_time(store, config)
f"about {duration(estimate.seconds)}"
"""

import math
from typing import Literal, NamedTuple

from core import datasets
from core.config import PRETRAINED_NETWORKS, Framework, RunConfig, is_used
from core.engines.frozen import trained_network
from core.jobs import calibration
from core.networks.layers import Architecture, Shape, layer_rows
from core.networks.registry import get_architecture
from core.runs import Store

# A laptop's two cores, rounded: what a network that was never trained here is guessed from.
_MULTIPLICATIONS_PER_SECOND = 25e9
_SECONDS_PER_STEP = 0.0004
_STARTING_SECONDS: dict[Framework, float] = {"pytorch": 3, "keras": 5}


Basis = Literal["runs", "timed", "guess"]


class Estimate(NamedTuple):
    """Seconds from launch to result, and what that is known from: finished runs, timed steps, or arithmetic alone."""

    seconds: float
    basis: Basis


def estimate_time(store: Store, config: RunConfig) -> Estimate:
    """Estimate a run's time, from the speed of earlier ones of the same network, framework and device if there are."""
    dataset = datasets.load(config.dataset)
    held_out = config.validation_share if is_used("validation_share", dict(config)) else 0
    given = dataset.specification.validation_images if config.validation_part == "given" else 0
    images = min(len(dataset.train.images) - given, config.train_limit or math.inf) * (1 - held_out)
    # How fast a pretrained network learns depends on what of it does.
    speeds = {} if config.architecture in PRETRAINED_NETWORKS else store.speeds(config)
    basis: Basis
    once = 0.0
    if speeds:
        nearest = min(speeds, key=lambda batch_size: abs(math.log(batch_size / config.batch_size)))
        seconds, basis = images / speeds[nearest], "runs"
    elif timed := calibration.speed(config):
        seconds, basis = images / timed, "timed"
    else:
        architecture, classes = get_architecture(config.architecture), len(dataset.class_names)
        forward = _multiplications(architecture, dataset.image_shape, classes)
        trained = _multiplications(*trained_network(config, architecture, dataset.image_shape), classes)
        # What is frozen sees each image once.
        every = len(dataset.train.images) + len(dataset.test.images)
        once = every * (forward - trained) / _MULTIPLICATIONS_PER_SECOND
        forward_and_backward = 3 * trained
        seconds, basis = (
            images * forward_and_backward / _MULTIPLICATIONS_PER_SECOND
            + images / config.batch_size * _SECONDS_PER_STEP,
            "guess",
        )
    return Estimate(once + config.epochs * seconds + _STARTING_SECONDS[config.framework], basis)


def _multiplications(architecture: Architecture, shape: Shape, classes: int) -> int:
    return sum(row.multiplications for row in layer_rows(architecture, shape, classes))
