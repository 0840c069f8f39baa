"""Starting Duet's own processes so that they outlive the one that starts them, leaving them, knowing them again."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, NamedTuple, NoReturn, Self

import psutil

from core.system.paths import PROJECT, data_dir


def spawn(
    module: str, *arguments: str, log: IO | int, stdin: int = subprocess.DEVNULL, stdout: IO | int | None = None
) -> subprocess.Popen:
    """Run `python -m module` in a session of its own, where no Ctrl-C or closed terminal reaches it.

    Its errors go to `log`, and its output too unless `stdout` says otherwise.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        env={**os.environ, "DUET_HOME": str(data_dir())},
        stdin=stdin,
        stdout=log if stdout is None else stdout,
        stderr=log,
        start_new_session=True,
    )


def started_at(process: psutil.Process) -> float:
    """Return when a process began, in seconds. With its pid that names it: a later process of that pid differs.

    Linux counts from the machine's start, as the time of day of a start moves when the clock is set.

    Raises:
        psutil.NoSuchProcess: if it is gone.
    """
    began = process.create_time()
    return began - psutil.boot_time() if psutil.LINUX else began


_NEVER = -1.0
"""No process began before its machine did, or before 1970."""


class ProcessId(NamedTuple):
    """What names a process for good: its number, which a later one may get, and its `started_at`, in seconds."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return what names the process that has a number now; one that is gone already is known as never alive."""
        try:
            return cls(pid, started_at(psutil.Process(pid)))
        except psutil.Error:
            return cls(pid, _NEVER)

    def is_alive(self) -> bool:
        """Say whether the process still lives: neither ended, nor a zombie, nor a later one of its number.

        One that may not be looked at is another user's, and so none of those that Duet has started.
        """
        try:
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and abs(started_at(process) - self.started_at) < 1
        except (psutil.Error, ValueError):  # a negative number, from a file that is damaged
            return False


def kill_with_children(pid: int) -> None:
    """End a process by force, with all that it has started and that is still its own."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        started = psutil.Process(pid).children(recursive=True)
        # What was started on a command line may share its group with whatever else runs there.
        if os.getsid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def killed_after(seconds: float, process: subprocess.Popen) -> Iterator[None]:
    """Kill a process that the block still waits for after so many seconds; both its pipes then end."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def fast_exit() -> NoReturn:
    """End this process now, without unwinding its frameworks, which takes PyTorch .8 s of the processor instead of .05.

    Logs and what was printed are written out. What else a library has registered for the end is left out: the engines
    leave no files.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(0)


def lower_priority() -> None:
    """Let every other process of this machine go first, such as a training that somebody watches."""
    if hasattr(os, "nice"):
        os.nice(10)
