"""The order in which waiting runs are started: priority, then fairness between submitters, then their places."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import sqlalchemy as sa

from core.config import Framework
from core.runs.lists import Lists
from core.runs.run import Run
from core.runs.schema import runs

Move = Literal["up", "down", "front", "back"]

PRIORITIES = range(-10, 11)


class Waiting(NamedTuple):
    """What the order of waiting runs depends on, and what is needed to find a device for one."""

    id: str
    pair: str | None
    submitter: str | None
    priority: int
    position: int
    framework: Framework
    device: str


class Queue(Lists):
    """The part of the store that is about waiting."""

    def waiting(self) -> list[Waiting]:
        """Return all waiting runs in the order in which they will be started."""
        columns = [runs.c[name] for name in Waiting._fields]
        with self._reading() as connection:
            found = [
                Waiting(*row)
                for row in connection.execute(
                    sa.select(*columns).where(runs.c.state == "queued", runs.c.deleted_at.is_(None))
                )
            ]
            served: dict[str | None, float] = {}
            if len({run.submitter for run in found}) > 1:
                query = (
                    sa.select(runs.c.submitter, sa.func.max(runs.c.started_at))
                    .where(runs.c.started_at.is_not(None))
                    .group_by(runs.c.submitter)
                )
                served = dict(connection.execute(query).all())
        return fair_order(found, served)

    def queue(self, limit: int = 1000) -> list[Run]:
        """Return the waiting runs in the order in which they will be started, with all that is known of them."""
        ids = [run.id for run in self.waiting()[:limit]]
        runs_by_id = {run.id: run for run in self.find(ids=ids, limit=limit)}
        return [runs_by_id[run_id] for run_id in ids if run_id in runs_by_id]

    def move(self, run_id: str, where: Move) -> None:
        """Move a waiting run among those of its submitter and priority; a pair moves as one.

        Raises:
            ValueError: if it does not wait.
        """
        run = self._waiting(run_id)
        query = (
            sa.select(runs.c.id, runs.c.pair, runs.c.position)
            .where(
                runs.c.state == "queued",
                runs.c.deleted_at.is_(None),
                runs.c.priority == run.priority,
                runs.c.submitter == run.submitter if run.submitter else runs.c.submitter.is_(None),
            )
            .order_by(runs.c.position, runs.c.id)
            .with_for_update()
        )
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
            units: dict[str, list[str]] = {}
            for row in rows:
                units.setdefault(row.pair or row.id, []).append(row.id)
            order = _moved(list(units), run.pair or run.id, where)
            ids = [each for unit in order for each in units[unit]]
            before = {row.id: row.position for row in rows}
            for each, place in zip(ids, _places(before.values()), strict=True):
                if before[each] != place:
                    connection.execute(runs.update().where(runs.c.id == each).values(position=place))

    def set_priority(self, run_id: str, priority: int) -> None:
        """Let a waiting run start before those of lower priority, 0 unless said otherwise.

        Raises:
            ValueError: if it does not wait, or for a priority that is none.
        """
        if priority not in PRIORITIES:
            raise ValueError(
                f"Priority: expected a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}, received {priority}."
            )
        run = self._waiting(run_id)
        together = runs.c.pair == run.pair if run.pair else runs.c.id == run.id
        with self._engine.begin() as connection:
            connection.execute(runs.update().where(together, runs.c.state == "queued").values(priority=priority))

    def _waiting(self, run_id: str) -> Run:
        run = self.get(run_id)
        if run.state != "queued":
            raise ValueError(f"Run {run.id} is {run.state}: only a run that waits has a place in the queue.")
        return run


def fair_order(waiting: Iterable[Waiting], served: Mapping[str | None, float]) -> list[Waiting]:
    """Return waiting runs in the order in which they are to be started.

    Among those of one priority the submitters take turns, first whoever was served longest ago; a pair is one turn.

    Args:
        served: when a run of each submitter was last started, in Unix seconds.
    """
    turns: dict[tuple[int, str | None], dict[str, int]] = {}
    turn: dict[str, int] = {}
    in_place = sorted(waiting, key=lambda run: (-run.priority, run.position, run.id))
    for run in in_place:
        taken = turns.setdefault((run.priority, run.submitter), {})
        turn[run.id] = taken.setdefault(run.pair or run.id, len(taken))
    return sorted(
        in_place,
        key=lambda run: (-run.priority, turn[run.id], served.get(run.submitter, float("-inf")), run.position, run.id),
    )


def next_position(connection: sa.Connection) -> int:
    """Return a place behind all others."""
    return (connection.scalar(sa.select(sa.func.max(runs.c.position))) or 0) + 1


def _moved(order: Sequence[str], unit: str, where: Move) -> list[str]:
    """Return `order` with a unit moved; one that has been started meanwhile is not there to be moved."""
    if unit not in order:
        return list(order)
    place = order.index(unit)
    target = {"up": max(place - 1, 0), "down": place + 1, "front": 0, "back": len(order)}[where]
    rest = [each for each in order if each != unit]
    return [*rest[:target], unit, *rest[target:]]


def _places(positions: Iterable[int]) -> list[int]:
    """Return positions in order, no two alike."""
    places: list[int] = []
    for position in sorted(positions):
        places.append(max(position, places[-1] + 1) if places else position)
    return places
