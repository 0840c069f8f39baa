"""The two engines, behind the same verbs in the same order.

    backend = get_engine("pytorch")          # imports the framework, seconds the first time
    engine = backend.Engine(config, architecture, input_shape, classes, scaling)
    engine.load_data(images, labels)          # uint8 (N, H, W, C) and int64 (N,), whole, on the device
    chunk = engine.train(indices)             # int64 (steps, batch); rates and transforms where they vary
    logits = engine.predict(images)           # float32, or float64 where a run computes in it: (N, classes)
    gradients = engine.gradients(batch)       # int64 (batch,); canonical arrays by name, nothing is learned
    weights = engine.weights()                # canonical arrays by name, see core.networks.layers
    engine.load_weights(weights)
    state = engine.state()                    # all that the next step depends on, arrays by name
    engine.load_state(state)                  # in the same framework, for the same config

Where the frameworks' defaults differ, `core.engines.framework_defaults` says what a run with aligned defaults computes.
`backend.devices()` lists what the framework can compute on here, `backend.versions()` what it is, and
`backend.augment(images, transforms)` shows images as `train` changes them, see `core.engines.augmentation`.
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

import numpy as np

from core.config import Framework


class Chunk(NamedTuple):
    """What some steps gave: each one's mean loss, float64 `(steps,)`, and number read correctly, int64 `(steps,)`.

    The losses are those that are learnt from: with label smoothing and class weights, where a run has them.
    `gradient_norm` is the length of the last step's gradient, all layers taken together, before it is clipped.
    """

    losses: np.ndarray
    correct: np.ndarray
    gradient_norm: float


def get_engine(framework: Framework) -> ModuleType:
    """Import the engine of a framework and let it look for devices."""
    with _notes_discarded():
        backend = importlib.import_module(f"core.engines.{framework}")
        backend.devices()
    return backend


@contextmanager
def _notes_discarded() -> Iterator[None]:
    """Keep what native code writes to stderr off it, unless the block fails.

    TensorFlow notes each missing driver there before any log level applies.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notes:
        terminal = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def available_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def averaging_decay(decay: float, steps: int) -> float:
    """Return how much of the weights' running average is kept after so many steps.

    It starts low, or the first weights would weigh on the average for long: as in TensorFlow's
    `ExponentialMovingAverage` with `num_updates`.
    """
    return min(decay, (1 + steps) / (10 + steps))
