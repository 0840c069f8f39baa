"""Finding runs: by page, filtered, sorted and counted by the database."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from core.config import RunConfig
from core.engines.augmentation import is_augmented
from core.runs.database import Database, StoreError
from core.runs.results import Results
from core.runs.run import ACTIVE, Attempt, Run, State, share_of_steps
from core.runs.schema import attempts, runs, tags
from core.system.text import quoted

Order = Literal["newest", "oldest", "most accurate", "name"]
Column = Literal["architecture", "dataset", "framework"]

_ORDERS: dict[Order, tuple[sa.ColumnElement, ...]] = {
    "newest": (runs.c.created_at.desc(), runs.c.id),
    "oldest": (runs.c.created_at, runs.c.id),
    "most accurate": (runs.c.test_accuracy.desc().nulls_last(), runs.c.id),
    "name": (runs.c.name.nulls_last(), runs.c.created_at.desc(), runs.c.id),
}


class PastSpeed(NamedTuple):
    """How fast a finished run trained."""

    run_id: str
    batch_size: int
    images_per_second: float


class PendingRun(NamedTuple):
    """A run that waits or trains, or is about to."""

    id: str
    attempt: int
    state: State
    device: str
    architecture: str
    pair: str | None
    step: int
    total_steps: int | None

    @property
    def progress(self) -> float:
        """The share of its steps that it has taken, 0 to 1."""
        return share_of_steps(self.step, self.total_steps)


class Lists(Database):
    """The reading half of the store, as far as it is about runs and not their measurements."""

    def get(self, run_id: str) -> Run:
        """Return one run, also a deleted one.

        Raises:
            ValueError: if there is none of that id.
        """
        with self._reading() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
            if row is None:
                raise ValueError(f"There is no run {quoted(run_id)} here. Listed runs: python -m core runs.")
            return with_tags(connection, [row])[0]

    def find(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        order: Order = "newest",
        **filters: Any,
    ) -> list[Run]:
        """Return a page of runs; `filters` are those of `count`."""
        query = sa.select(runs).where(*conditions(**filters)).order_by(*_ORDERS[order]).limit(limit).offset(offset)
        with self._reading() as connection:
            return with_tags(connection, connection.execute(query).mappings().all())

    def count(self, **filters: Any) -> int:
        """Return how many runs there are that fit.

        Args:
            filters: `ids`; `states`; `search`, a part of the name, note, tag or id, in any case; `tag`; `architecture`,
                `framework`, `dataset`; `pair`, `group`, `submitter`; `deleted`, which is False, True for those alone,
                or None for both.
        """
        query = sa.select(sa.func.count()).select_from(runs).where(*conditions(**filters))
        with self._reading() as connection:
            return connection.scalars(query).one()

    def pending(self) -> list[PendingRun]:
        """Return which runs wait or train: as little of each as can be looked at every second."""
        query = sa.select(*(runs.c[name] for name in PendingRun._fields)).where(
            runs.c.state.in_(["queued", *ACTIVE]), runs.c.deleted_at.is_(None)
        )
        with self._reading() as connection:
            return [PendingRun(*row) for row in connection.execute(query)]

    def values(self, column: Column) -> list[str]:
        """Return what runs have in a column, to filter by, in the order of the alphabet."""
        query = sa.select(runs.c[column]).where(*conditions()).distinct().order_by(runs.c[column])
        with self._reading() as connection:
            return list(connection.scalars(query))

    def tags(self) -> dict[str, int]:
        """Return every tag with the number of runs that bear it, in the order of the alphabet."""
        query = (
            sa.select(tags.c.tag, sa.func.count())
            .where(tags.c.run_id.not_in(sa.select(runs.c.id).where(runs.c.deleted_at.is_not(None))))
            .group_by(tags.c.tag)
            .order_by(tags.c.tag)
        )
        with self._reading() as connection:
            return dict(connection.execute(query).all())

    def attempts(self, run_id: str) -> list[Attempt]:
        """Return the attempts at a run, the first one first."""
        columns = [column for column in attempts.c if column is not attempts.c.run_id]
        query = sa.select(*columns).where(attempts.c.run_id == run_id).order_by(attempts.c.attempt)
        with self._reading() as connection:
            return [Attempt(**row) for row in connection.execute(query).mappings()]

    def speeds(self, config: RunConfig) -> dict[int, float]:
        """Return the images per second of the newest finished runs like `config`, by batch size."""
        found: dict[int, float] = {}
        for past in self.past_speeds(config):
            found.setdefault(past.batch_size, past.images_per_second)
        return found

    def past_speeds(self, config: RunConfig, limit: int = 200) -> list[PastSpeed]:
        """Return how fast finished runs like `config` trained, whatever their batch size, the newest first.

        Args:
            limit: how many runs of its network, framework and device are looked at.
        """
        newest = (
            sa.select(runs.c.id)
            .where(
                runs.c.state == "done",
                *(runs.c[name] == getattr(config, name) for name in ("dataset", "architecture", "framework", "device")),
            )
            .order_by(runs.c.created_at.desc())
            .limit(limit)
        )
        # Apart from their order, as that would have the results of all that there are read.
        query = (
            sa.select(runs.c.id, runs.c.config, runs.c.results["images_per_second"].as_float())
            .where(runs.c.id.in_(newest))
            .order_by(runs.c.created_at.desc())
        )
        found = []
        with self._reading() as connection:
            for run_id, values, speed in connection.execute(query):
                other = RunConfig.model_validate(values)
                if speed is not None and _costs_of(other) == _costs_of(config):
                    found.append(PastSpeed(run_id, other.batch_size, speed))
        return found


def _costs_of(config: RunConfig) -> tuple[Any, ...]:
    """Return what makes a step of a run slower or faster, besides the network, the device and the batch size."""
    return config.threads, config.precision, is_augmented(config)


def conditions(
    *,
    ids: Iterable[str] | None = None,
    states: Iterable[State] | None = None,
    search: str | None = None,
    tag: str | None = None,
    deleted: bool | None = False,
    **values: str | None,
) -> list[sa.ColumnElement[bool]]:
    """Return what a run must fulfil, by the filters of `Lists.count`; a filter that is None or empty is none."""
    conditions: list[sa.ColumnElement[bool]] = []
    if deleted is not None:
        conditions.append(runs.c.deleted_at.is_not(None) if deleted else runs.c.deleted_at.is_(None))
    if ids is not None:
        conditions.append(runs.c.id.in_(list(ids)))
    if states is not None:
        conditions.append(runs.c.state.in_(list(states)))
    if tag:
        conditions.append(runs.c.id.in_(sa.select(tags.c.run_id).where(tags.c.tag == tag)))
    if search:
        searched = (runs.c.id, runs.c.name, runs.c.note, runs.c.architecture, runs.c.dataset)
        tagged = sa.select(tags.c.run_id).where(tags.c.tag.icontains(search, autoescape=True))
        conditions.append(
            sa.or_(*(column.icontains(search, autoescape=True) for column in searched), runs.c.id.in_(tagged))
        )
    for name in ("architecture", "framework", "dataset", "pair", "group", "submitter"):
        value = values.pop(name, None)
        if value:
            conditions.append(runs.c[name] == value)
    if values:
        raise TypeError(f"There is no filter {', '.join(values)}.")
    return conditions


def with_tags(connection: sa.Connection, rows: Iterable[sa.RowMapping]) -> list[Run]:
    """Return the runs of some rows of the table of runs."""
    rows = list(rows)
    found: dict[str, list[str]] = {}
    if rows:
        query = sa.select(tags).where(tags.c.run_id.in_([row["id"] for row in rows])).order_by(tags.c.tag)
        for run_id, tag in connection.execute(query):
            found.setdefault(run_id, []).append(tag)
    return [_run(row, found.get(row["id"], ())) for row in rows]


def _run(row: sa.RowMapping, run_tags: Iterable[str]) -> Run:
    values = {name: value for name, value in row.items() if name in Run.__dataclass_fields__}
    try:
        config = RunConfig.model_validate(row["config"])
        results = Results.model_validate(row["results"] or {})
    except ValueError as error:
        raise StoreError(
            f"The settings or results of run {row['id']} in the runs' database are damaged: put a backup in its place."
        ) from error
    return Run(**values | {"config": config, "results": results, "tags": tuple(run_tags)})
