"""Spare processes: one for each framework, warm and waiting for a run, so that a click is training within a second.

    request(configs)                    # a user is about to launch these
    pool = WarmPool()                # in the scheduler, which alone has them
    pool.tick(free=True)            # start and give back what is wanted now
    process = pool.take(config)     # None if none fits: the run is then started cold
    assign(process, run_id, url)

A warm process is `python -m core.jobs.worker --spare`: it imports its framework, trains a small network for a moment
and waits for a run's id on its standard input. TensorFlow takes the number of threads once a process, so a spare is
warmed with the number that is asked for, and serves only runs of that number. It sees no GPU, of which it would keep
the memory. It ends by itself with the process that has started it, whose end closes its input.
"""

import json
import logging
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO

import psutil

from core.config import Framework, RunConfig
from core.system.files import write_json
from core.system.paths import data_dir
from core.system.processes import spawn

_log = logging.getLogger("duet.scheduler")

_WANTED_S = 300.0
_ASK_AGAIN_S = 60.0
_ENOUGH_MEMORY = 3 * 2**30
_LITTLE_MEMORY = 1 * 2**30
_MEMORY_LOOK_S = 2.0


def request(configs: Iterable[RunConfig]) -> None:
    """Say which runs a user is about to launch, so that the scheduler has a spare process ready for them."""
    wanted = {config.framework: config.threads for config in configs if config.device == "cpu"}
    if wanted and not _is_asked_already(wanted):
        with suppress(OSError):  # without a spare a run starts all the same, only later
            write_json(data_dir() / "spares.json", wanted)


class WarmPool:
    """At most one spare process a framework. They are given back when idle, and when memory gets short."""

    def __init__(self) -> None:
        self._wanted: Mapping[Framework, int] = {}
        self._wanted_until = -float("inf")
        self._asked_at = 0
        self._looked_at = -float("inf")
        self._processes: dict[Framework, tuple[int, subprocess.Popen]] = {}

    def want(self, configs: Iterable[RunConfig]) -> None:
        """Keep a spare ready for runs like these for a while."""
        for config in configs:
            if config.device == "cpu":
                self._wanted = {**self._wanted, config.framework: config.threads}
                self._wanted_until = time.monotonic() + _WANTED_S

    def tick(self, free: bool) -> bool:
        """Start or give back spares; return whether any are wanted.

        Args:
            free: whether nothing trains; a spare that warms up would take the processor from it.
        """
        self._hear()
        for framework, (threads, process) in list(self._processes.items()):
            if process.poll() is not None or threads != self._wanted.get(framework):
                self._give_back(framework)
        if time.monotonic() >= self._wanted_until:
            self.close()
            return False
        available = self._available_memory()
        if available is not None and available < _LITTLE_MEMORY:
            if self._processes:
                _log.info("Giving back the spare processes, as memory is short")
            self.close()
        elif available is not None and free:
            for framework, threads in self._wanted.items():
                if framework not in self._processes and available > _ENOUGH_MEMORY:
                    self._start(framework, threads)
        return True

    def take(self, config: RunConfig) -> subprocess.Popen | None:
        """Return a spare that fits a run, no longer kept here; None if there is none."""
        threads, process = self._processes.get(config.framework, (None, None))
        if process is None or config.device != "cpu" or threads != config.threads or process.poll() is not None:
            return None
        del self._processes[config.framework]
        return process

    def close(self) -> None:
        """Give all of them back."""
        for framework in list(self._processes):
            self._give_back(framework)

    def _hear(self) -> None:
        asked_at = _asked_at()
        if asked_at == self._asked_at:
            return
        self._asked_at = asked_at
        if abs(time.time() - asked_at / 1e9) > _WANTED_S:  # asked of a scheduler that has long been gone
            return
        with suppress(OSError, ValueError):  # it is being written anew
            self._wanted = json.loads((data_dir() / "spares.json").read_text())
            # Whoever asks starts the scheduler only then, so what was asked lately counts; what is long ago does not.
            self._wanted_until = time.monotonic() + _WANTED_S - max(time.time() - asked_at / 1e9, 0)

    def _available_memory(self) -> int | None:
        """Return the free memory in bytes; None if it was looked at just now."""
        if time.monotonic() - self._looked_at < _MEMORY_LOOK_S:
            return None
        self._looked_at = time.monotonic()
        return psutil.virtual_memory().available

    def _start(self, framework: Framework, threads: int) -> None:
        with suppress(OSError), (data_dir() / "spares.log").open("ab") as log:  # no process left: runs start cold
            process = spawn(
                "core.jobs.worker", "--spare", framework, "--threads", str(threads), log=log, stdin=subprocess.PIPE
            )
            self._processes[framework] = (threads, process)

    def _give_back(self, framework: Framework) -> None:
        _, process = self._processes.pop(framework)
        _input(process).close()
        process.kill()  # it has nothing to lose, and may still be importing
        process.wait()


def assign(process: subprocess.Popen, run_id: str, url: str) -> None:
    """Tell a spare which run it is to train.

    Raises:
        OSError: if it is gone.
    """
    stdin = _input(process)
    stdin.write(f"{json.dumps([run_id, url])}\n".encode())
    stdin.close()


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Return where a spare reads what it is told."""
    assert process.stdin is not None, "a spare is started with a pipe"
    return process.stdin


def _is_asked_already(wanted: Mapping[Framework, int]) -> bool:
    """Say whether the same was asked a moment ago, as whoever asks does so each time a setting is touched."""
    try:
        lately = time.time() - _asked_at() / 1e9 < _ASK_AGAIN_S
        return lately and json.loads((data_dir() / "spares.json").read_text()) == wanted
    except (OSError, ValueError):  # nothing was asked yet, or it is being written anew
        return False


def _asked_at() -> int:
    try:
        return (data_dir() / "spares.json").stat().st_mtime_ns
    except OSError:
        return 0
