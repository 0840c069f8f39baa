"""Training processes that died without a word: who finds one records what became of its run.

    note_deaths(store)          # before runs are listed or changed
    alive(run)

The scheduler sees the death of what it has started at once. Without one, as where `python -m core train` was killed,
whoever looks at the runs finds out: the process that a run has recorded, by number and start time, is not on this
machine, and its signs of life have ceased. One that trains on another machine still gives them.
"""

import logging
import time
from contextlib import suppress

from filelock import FileLock, Timeout

from core.jobs.failures import Cause
from core.runs import ACTIVE, Run, Store, SupersededError
from core.system.paths import data_dir
from core.system.processes import ProcessId

_log = logging.getLogger("duet.deaths")

START_DEADLINE_S = 60.0
"""Seconds within which a training process has to send its first heartbeat."""

_CEASED_S = 3.0
"""Heartbeats come twice a second."""

GONE = "The training process is gone: it was killed, or the machine was restarted."

_ADVICE = (
    "If nobody ended it, memory may have run out: close other programs or use a smaller batch size, then train "
    "again. The log below has its last words."
)


def alive(run: Run) -> bool:
    """Say whether the process that a run recorded still lives; a later process of the same number is not it."""
    if run.pid is None or run.process_started_at is None:
        return False
    return ProcessId(run.pid, run.process_started_at).is_alive()


def note_deaths(store: Store) -> None:
    """Record the end of each run whose process has died, or was never started, and that nobody has noticed so far."""
    if store.refusal:
        return
    for run in store.find(states=ACTIVE, limit=1000, deleted=None):
        # The clock may have been set, in either direction.
        age = abs(time.time() - (run.heartbeat_at or run.started_at or 0.0))
        if run.pid is not None and age > _CEASED_S and not alive(run):
            record_end(store, run, GONE)
        elif run.pid is None and age > START_DEADLINE_S and not _scheduler_is_there():
            record_end(store, run, no_heartbeat(START_DEADLINE_S), cause="not_started")


def scheduler_lock() -> FileLock:
    """Return the lock that the scheduler's process holds as long as it works."""
    return FileLock(data_dir() / "scheduler.lock")


def _scheduler_is_there() -> bool:
    """Say whether a scheduler works, which knows by a clock that nobody sets how long a start has taken."""
    lock = scheduler_lock()
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def no_heartbeat(seconds: float) -> str:
    """Return what is said of a process that was to be started, and did not report for so long."""
    return f"The training process sent no heartbeat within {seconds:.0f} s."


def record_end(store: Store, run: Run, failure: str, cause: Cause = "killed") -> None:
    """Record the end of a process that could not do it itself; one that was asked to leave has left."""
    if not run.stop_requested and not run.pause_requested:
        record_failure(store, run.id, run.attempt, failure, cause)
        return
    with suppress(SupersededError):
        store.finish(run.id, run.attempt, "stopped" if run.stop_requested else "paused", run.results)


def record_failure(store: Store, run_id: str, attempt: int, failure: str, cause: Cause) -> None:
    """Record the failure of an attempt, unless it has ended meanwhile."""
    _log.info("%s failed: %s", run_id, failure)
    with suppress(SupersededError):  # it has recorded its own end since it was looked up
        store.fail(run_id, attempt, failure=failure, advice=_ADVICE, cause=cause)
