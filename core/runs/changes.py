"""The one way in which an attempt changes its run: by an `UPDATE` that names the state and attempt it starts from."""

import time
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from core.runs.run import Request, State
from core.runs.schema import attempts, runs


class SupersededError(RuntimeError):
    """This process no longer owns the run: it was ended or started anew by someone else."""


def update(connection: sa.Connection, run_id: str, attempt: int, states: Iterable[State], **values: Any) -> None:
    """Change a run that is in one of `states` with this attempt.

    Raises:
        SupersededError: if it is not, or no longer.
    """
    changed = connection.execute(
        runs.update()
        .where(runs.c.id == run_id, runs.c.attempt == attempt, runs.c.state.in_(list(states)))
        .values(**values)
    )
    if not changed.rowcount:
        raise SupersededError(f"Attempt {attempt} of run {run_id} is over.")


def give_sign(
    connection: sa.Connection,
    run_id: str,
    attempt: int,
    states: Iterable[State],
    load: dict[str, float] | None = None,
    **values: Any,
) -> Request | None:
    """Change a run as `update` does, with a heartbeat; return what it has been asked to do, if anything.

    Args:
        load: what the process uses, as `Run.process_load`.
    """
    if load is not None:
        values["process_load"] = load
    update(connection, run_id, attempt, states, heartbeat_at=time.time(), unresponsive=False, **values)
    stop, pause = connection.execute(
        sa.select(runs.c.stop_requested, runs.c.pause_requested).where(runs.c.id == run_id)
    ).one()
    return "stop" if stop else "pause" if pause else None


def record_attempt(connection: sa.Connection, run_id: str, attempt: int, **values: Any) -> None:
    """Change what is remembered of an attempt."""
    connection.execute(
        attempts.update().where(attempts.c.run_id == run_id, attempts.c.attempt == attempt).values(**values)
    )
