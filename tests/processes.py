"""The processes that Duet has started for one home: its scheduler, trainings and predictors.

They live in sessions of their own, so that they outlive who started them; what they share is
`DUET_HOME` in their environment.
"""

from contextlib import suppress
from pathlib import Path

import psutil


def of_home(home: Path, word: str | None = None) -> list[psutil.Process]:
    """Return the living processes that work in `home`, without this one; or those whose command has a word."""
    found = []
    for process in psutil.process_iter():
        try:
            place, command = process.environ().get("DUET_HOME"), process.cmdline()
        except psutil.Error:  # gone, a zombie, or another user's
            continue
        if word is not None and word not in command:
            continue
        if place and process.pid != psutil.Process().pid and Path(place).resolve() == home.resolve():
            found.append(process)
    return found


def end(home: Path) -> list[str]:
    """End the processes of `home`, also those that they start meanwhile; return their command lines."""
    ended = []
    while left := of_home(home):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                ended.append(" ".join(process.cmdline()))
                process.kill()
        psutil.wait_procs(left, timeout=10)
    return ended
