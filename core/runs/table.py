"""The table of runs: a row for all runs that train the same thing, whatever their seed and framework.

    for row in store.rows(sort="val_accuracy", limit=50, states=("done",)):
        row.newest.config, row.frameworks["keras"].figures["test_accuracy"]         # mean, deviation, count
    store.runs_of([row.key for row in rows])

The database folds, sorts and counts, so that a page of the table takes little however many runs there are.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import sqlalchemy as sa

from core.config import Framework, RunConfig
from core.runs.folding import settings_key
from core.runs.lists import Lists, conditions, with_tags
from core.runs.run import Run, State
from core.runs.schema import FROM_RESULTS, epochs, runs
from core.system.text import quoted

METRICS = (*FROM_RESULTS, "images_per_second")
"""The figures that a row has of its finished runs, and that rows are sorted by."""

_SPARK_POINTS = 30
_MOST_RUNS = 2000
_NUMBERS = {
    name
    for name, field in RunConfig.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)}
}


@dataclass(frozen=True)
class Figure:
    """A figure over some runs: its mean, its standard deviation, which one alone does not have, and their number."""

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class FrameworkRuns:
    """The runs of one framework in a row: how many there are of each state, and the figures of those that are done."""

    states: dict[State, int]
    figures: dict[str, Figure]


@dataclass(frozen=True)
class Row:
    """Runs of the same settings and name, whatever seed and framework; or a single run.

    Attributes:
        key: tells it from other rows.
        newest: the newest of them that is done, or else the newest.
        frameworks: what there is of each framework.
    """

    key: str
    newest: Run
    frameworks: dict[Framework, FrameworkRuns]

    @property
    def states(self) -> dict[State, int]:
        """How many runs there are of each state."""
        found: dict[State, int] = {}
        for each in self.frameworks.values():
            for state, count in each.states.items():
                found[state] = found.get(state, 0) + count
        return found

    @property
    def count(self) -> int:
        """How many runs there are."""
        return sum(self.states.values())

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric over all its finished runs."""
        known = [each.figures[metric] for each in self.frameworks.values() if metric in each.figures]
        count = sum(figure.count for figure in known)
        return sum(figure.mean * figure.count for figure in known) / count if count else None


@dataclass(frozen=True)
class Measured:
    """A finished run as a point of a plot.

    Attributes:
        key: that of `core.runs.folding.settings_key`.
        settings: a value for every field of `RunConfig`.
        figures: its `METRICS`.
    """

    id: str
    key: str
    settings: dict[str, Any]
    figures: dict[str, float | None]


class Table(Lists):
    """The part of the store that folds runs into rows."""

    def rows(
        self,
        *,
        folded: bool = True,
        sort: str = "created_at",
        descending: bool = True,
        limit: int = 50,
        offset: int = 0,
        **filters: Any,
    ) -> list[Row]:
        """Return a page of rows.

        Args:
            folded: whether runs that differ by seed and framework alone are one row; or each is one.
            sort: "created_at", "name", one of `METRICS`, whose mean over the finished runs is meant, or a field of
                `RunConfig`. What a row does not have comes last.
            filters: those of `count`.

        Raises:
            ValueError: if rows cannot be sorted by that.
        """
        value, aggregate = _order(sort)
        columns = _columns(folded)
        order = aggregate(value) if folded else value
        page = (
            sa.select(*columns)
            .where(*conditions(**filters))
            .order_by((order.desc() if descending else order.asc()).nulls_last(), *columns)
            .limit(limit)
            .offset(offset)
        )
        with self._reading() as connection:
            keys = [_key(*found) for found in connection.execute(page.group_by(*columns) if folded else page)]
            if not keys:
                return []
            chosen = (*_of_keys(keys, folded=folded), *conditions(**filters))
            newest = _newest(connection, folded, chosen)
            frameworks = _frameworks(connection, folded, chosen)
        return [Row(each, newest[each], frameworks[each]) for each in keys if each in newest]

    def count_rows(self, *, folded: bool = True, **filters: Any) -> int:
        """Return how many rows there are; `filters` are those of `count`."""
        found = sa.select(*_columns(folded)).where(*conditions(**filters)).distinct().subquery()
        with self._reading() as connection:
            return connection.scalars(sa.select(sa.func.count()).select_from(found)).one()

    def runs_of(self, keys: Sequence[str], *, folded: bool = True, **filters: Any) -> list[Run]:
        """Return the runs of some rows, oldest first; of very many runs the newest."""
        query = (
            sa.select(runs)
            .where(*_of_keys(keys, folded=folded), *conditions(**filters))
            .order_by(runs.c.created_at.desc(), runs.c.id)
            .limit(_MOST_RUNS)
        )
        with self._reading() as connection:
            found = with_tags(connection, connection.execute(query).mappings().all())[::-1]
        return [run for run in found if _key_of(run, folded=folded) in keys]

    def best_rows(self, *, folded: bool = True, **filters: Any) -> set[str]:
        """Return the key of the row with the highest mean validation accuracy of each data set."""
        columns = _columns(folded)
        means = (
            sa.select(runs.c.dataset, *columns, sa.func.avg(runs.c.val_accuracy).label("mean"))
            .where(*conditions(**filters), runs.c.state == "done", runs.c.val_accuracy.is_not(None))
            .group_by(runs.c.dataset, *columns)
            .subquery()
        )
        own = [means.c[column.name] for column in columns]
        place = sa.func.row_number().over(partition_by=means.c.dataset, order_by=(means.c.mean.desc(), *own))
        placed = sa.select(*own, place.label("place")).subquery()
        best = sa.select(*(placed.c[column.name] for column in columns)).where(placed.c.place == 1)
        with self._reading() as connection:
            return {_key(*found) for found in connection.execute(best)}

    def measured(self, limit: int = 1000) -> list[Measured]:
        """Return the newest finished runs, the newest first, with no more of each than a plot of many of them needs."""
        query = (
            sa.select(runs.c.id, runs.c.settings_key, runs.c.config, *(runs.c[name] for name in METRICS))
            .where(*conditions(states=("done",)))
            .order_by(runs.c.created_at.desc(), runs.c.id)
            .limit(limit)
        )
        defaults = RunConfig().model_dump()
        with self._reading() as connection:
            return [
                Measured(run_id, key, defaults | config, dict(zip(METRICS, figures, strict=True)))
                for run_id, key, config, *figures in connection.execute(query)
            ]

    def validation_curves(self, listed: Sequence[Run]) -> dict[str, list[float]]:
        """Return the validation accuracies of some runs over their epochs, some thirty of each, by the run's id."""
        steps: dict[int, list[str]] = {}
        for run in listed:
            steps.setdefault(math.ceil(run.config.epochs / _SPARK_POINTS), []).append(run.id)
        every = [sa.and_(epochs.c.run_id.in_(run_ids), epochs.c.epoch % step == 0) for step, run_ids in steps.items()]
        query = (
            sa.select(epochs.c.run_id, epochs.c.val_accuracy)
            .where(sa.or_(sa.false(), *every), epochs.c.val_accuracy.is_not(None))
            .order_by(epochs.c.run_id, epochs.c.epoch)
        )
        found: dict[str, list[float]] = {}
        with self._reading() as connection:
            for run_id, accuracy in connection.execute(query):
                found.setdefault(run_id, []).append(accuracy)
        return found


def _columns(folded: bool) -> list[sa.Column]:
    """Return what the runs of a row have in common, as an index has it, so that none of the long rows is read."""
    return [runs.c.settings_key, runs.c.name] if folded else [runs.c.id]


def _key(first: str, name: str | None = None) -> str:
    return first if name is None else f"{first}:{name}"


def _key_of(run: Run, *, folded: bool) -> str:
    return _key(settings_key(run.config.model_dump()), run.name) if folded else run.id


def _of_keys(keys: Iterable[str], *, folded: bool) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what the runs of some rows fulfil, and perhaps some others, as an index answers it."""
    if not folded:
        return (runs.c.id.in_(list(keys)),)
    parts = [key.partition(":") for key in keys]
    unnamed = [key for key, colon, _ in parts if not colon]
    named = {key: name for key, colon, name in parts if colon}
    return (
        sa.or_(
            sa.and_(runs.c.settings_key.in_(unnamed), runs.c.name.is_(None)),
            sa.and_(runs.c.settings_key.in_(list(named)), runs.c.name.in_([name for _, colon, name in parts if colon])),
        ),
    )


def _order(sort: str) -> tuple[sa.ColumnElement[Any], Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]]:
    """Return what runs are sorted by, and which of their values a row of several is sorted by."""
    if sort in ("created_at", "name"):
        return runs.c[sort], sa.func.max
    if sort in METRICS:
        return sa.case((runs.c.state == "done", runs.c[sort])), sa.func.avg
    if sort not in RunConfig.model_fields:
        raise ValueError(f"Sort: expected created_at, name, a metric or a setting, received {quoted(sort)}.")
    value = runs.c.config[sort]
    return (value.as_float() if sort in _NUMBERS else value.as_string()), sa.func.max


def _newest(connection: sa.Connection, folded: bool, chosen: Sequence[sa.ColumnElement[bool]]) -> dict[str, Run]:
    columns = _columns(folded)
    done_first = sa.case((runs.c.state == "done", 0), else_=1)
    order = (done_first, runs.c.created_at.desc(), runs.c.id)
    place = sa.func.row_number().over(partition_by=columns, order_by=order).label("place")
    placed = sa.select(runs.c.id.label("run"), *(each.label(f"of_{each.name}") for each in columns), place)
    found = placed.where(*chosen).subquery()
    first = sa.select(found).where(found.c.place == 1)
    of_keys = {run_id: _key(*of) for run_id, *of, _ in connection.execute(first)}
    rows = connection.execute(sa.select(runs).where(runs.c.id.in_(of_keys))).mappings().all()
    return {of_keys[run.id]: run for run in with_tags(connection, rows)}


def _frameworks(
    connection: sa.Connection, folded: bool, chosen: Sequence[sa.ColumnElement[bool]]
) -> dict[str, dict[Framework, FrameworkRuns]]:
    key = _columns(folded)
    columns = [
        function(value)
        for name in METRICS
        for value in (sa.cast(runs.c[name], sa.Double),)
        for function in (sa.func.count, sa.func.avg, lambda each: sa.func.sum(each * each))
    ]
    query = (
        sa.select(*key, runs.c.framework, runs.c.state, sa.func.count(), *columns)
        .where(*chosen)
        .group_by(*key, runs.c.framework, runs.c.state)
        .order_by(runs.c.framework.desc())
    )
    found: dict[str, dict[Framework, FrameworkRuns]] = {}
    for row in connection.execute(query):
        framework, state, count, *sums = row[len(key) :]
        each = found.setdefault(_key(*row[: len(key)]), {}).setdefault(framework, FrameworkRuns({}, {}))
        each.states[state] = count
        if state != "done":
            continue
        for place, name in enumerate(METRICS):
            known, mean, squares = sums[3 * place : 3 * place + 3]
            if known:
                each.figures[name] = Figure(mean, _deviation(known, mean, squares), known)
    return found


def _deviation(count: int, mean: float, squares: float) -> float | None:
    return math.sqrt(max(squares - count * mean**2, 0.0) / (count - 1)) if count > 1 else None
