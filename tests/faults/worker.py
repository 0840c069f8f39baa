"""The real training process under conditions: `python -m tests.faults.worker CONDITION RUN_ID`."""

import resource
import sys
from collections.abc import Callable

import psutil

from core.engines import EngineModule
from core.jobs import worker
from core.training import loop

_SPARE_BYTES = 100 * 2**20


def keep_often() -> None:
    """Keep a state to resume from several times a second, so that there are many moments to be killed at."""
    loop.STATE_PAUSE_S = 0.02
    loop.TICK = 0.02


def little_memory() -> None:
    """Allow only a little more memory than the framework has taken when it is loaded."""
    get_engine = worker.get_engine

    def get_and_limit(framework: str) -> EngineModule:
        engine_module = get_engine(framework)
        most = psutil.Process().memory_info().vms + _SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        return engine_module

    worker.get_engine = get_and_limit


CONDITIONS: dict[str, Callable[[], None]] = {"keep-often": keep_often, "little-memory": little_memory}


if __name__ == "__main__":
    condition, run_id = sys.argv[1:]
    CONDITIONS[condition]()
    worker.main([run_id])
