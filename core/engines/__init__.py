"""The two engines, behind one contract: `core.engines.engine`, which says what each verb takes and gives.

engine_module = get_engine("pytorch")     # imports the framework, seconds the first time
engine = engine_module.Engine(config, architecture, input_shape, classes, scaling)
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from core.config import Framework
from core.engines.engine import Chunk, Engine, EngineModule, Pixels

__all__ = ["Chunk", "Engine", "EngineModule", "Pixels", "available_cores", "get_engine", "images_at_once"]

_MOST_PIXELS = 2**20
"""So many are predicted at once at the most: a network's layers have a hundred times as many values between them."""


def get_engine(framework: Framework) -> EngineModule:
    """Import the engine of a framework and let it look for devices."""
    with _notes_discarded():
        engine_module = cast(EngineModule, importlib.import_module(f"core.engines.{framework}"))
        engine_module.devices()
    return engine_module


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


def images_at_once(most: int, input_shape: tuple[int, ...]) -> int:
    """Return how many images of `(height, width, channels)` to predict at once: fewer than `most` if they are large."""
    return max(1, min(most, _MOST_PIXELS // (input_shape[0] * input_shape[1])))


def available_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
