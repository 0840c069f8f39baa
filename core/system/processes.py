"""Starting Duet's own processes so that they outlive the one that starts them, leaving them, knowing them again."""

import atexit
import os
import subprocess
import sys
from typing import IO, NoReturn

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


def fast_exit() -> NoReturn:
    """End this process now, without unwinding its frameworks, which takes up to a second that nobody needs.

    What is to be done at the end is done: logs are written out, and TensorFlow removes the files of its graphs.
    """
    atexit._run_exitfuncs()
    os._exit(0)


def lower_priority() -> None:
    """Let every other process of this machine go first, such as a training that somebody watches."""
    if hasattr(os, "nice"):
        os.nice(10)
