"""The one way in which an attempt changes its run: by an `UPDATE` that names the state and attempt it starts from."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from core.runs.run import State
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


def record_attempt(connection: sa.Connection, run_id: str, attempt: int, **values: Any) -> None:
    """Change what is remembered of an attempt."""
    connection.execute(
        attempts.update().where(attempts.c.run_id == run_id, attempts.c.attempt == attempt).values(**values)
    )
