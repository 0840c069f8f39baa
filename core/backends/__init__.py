"""The two engines, behind the same verbs in the same order.

    backend = get_backend("pytorch")          # imports the framework, seconds the first time
    engine = backend.Engine(config, architecture, input_shape, classes)
    engine.load_data(images, labels)          # uint8 (N, H, W, C) and int64 (N,), whole, on the device
    loss_sum, correct = engine.train(indices) # int64 (steps, batch); and transforms where images are augmented
    logits = engine.predict(images)           # in the run's precision (N, classes)
    gradients = engine.gradients(batch)       # int64 (batch,); canonical arrays by name, nothing is learned
    weights = engine.weights()                # canonical arrays by name, see core.architectures
    engine.load_weights(weights)

Where the frameworks' defaults differ, `core.framework_defaults` says what a run with aligned defaults computes.
`backend.devices()` lists what the framework can compute on here, `backend.versions()` what it is, and
`backend.augment(images, transforms)` shows images as `train` changes them, see `core.augmentation`.
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from core.config import Framework


def get_backend(framework: Framework) -> ModuleType:
    """Import the engine of a framework and let it look for devices."""
    with _notes_discarded():
        backend = importlib.import_module(f"core.backends.{framework}")
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


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return how many rows 'same' padding adds before and after `size` rows, as TensorFlow counts them."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
