"""The store: runs, their states and their measurements, in a database through SQLAlchemy Core.

    store = open_store()
    run_id = store.create(config, submission=token)
    store.get(run_id).state
    store.metrics(run_id, after=120)

On the command line `python -m core.runs [--json]` lists the runs.

States: queued → starting → running → done, failed or stopped. Each change is one `UPDATE` that
names the state and the attempt it starts from, so of two that race exactly one wins, and a late
process of an older attempt can publish nothing. Every write is a `BEGIN IMMEDIATE` transaction;
every process opens its own connections.
"""

import argparse
import json
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from core.config import FRAMEWORK_TITLES, RunConfig
from core.home import store_url
from core.training import Point

State = Literal["queued", "starting", "running", "done", "failed", "stopped"]

ACTIVE: tuple[State, ...] = ("starting", "running")
ENDED: tuple[State, ...] = ("done", "failed", "stopped")

_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 20

_metadata = sa.MetaData()

_schema = sa.Table("schema", _metadata, sa.Column("version", sa.Integer, primary_key=True))

_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("submission", sa.String(64), nullable=False, unique=True),
    sa.Column("pair", sa.String(12)),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("stop_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("started_at", sa.Float),
    sa.Column("training_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("heartbeat_at", sa.Float),
    sa.Column("pid", sa.Integer),
    sa.Column("process_started_at", sa.Float),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("total_steps", sa.Integer),
    sa.Column("images_per_second", sa.Float),
    sa.Column("failure", sa.Text),
    sa.Column("advice", sa.Text),
    sa.Column("traceback", sa.Text),
    sa.Column("results", sa.JSON),
)

_metrics = sa.Table(
    "metrics",
    _metadata,
    sa.Column("run_id", sa.String(12), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Float, nullable=False),
    sa.Column("split", sa.String(16), nullable=False),
    sa.Column("loss", sa.Float, nullable=False),
    sa.Column("accuracy", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("images_per_second", sa.Float),
)


@dataclass(frozen=True)
class Run:
    """One row of the store. Times are Unix seconds; `results` are the figures of a finished run."""

    id: str
    submission: str
    pair: str | None
    config: RunConfig
    state: State
    attempt: int
    stop_requested: bool
    created_at: float
    started_at: float | None
    training_at: float | None
    ended_at: float | None
    heartbeat_at: float | None
    pid: int | None
    process_started_at: float | None
    step: int
    total_steps: int | None
    images_per_second: float | None
    failure: str | None
    advice: str | None
    traceback: str | None
    results: dict[str, Any] | None

    @property
    def title(self) -> str:
        """A name people can tell runs apart by."""
        started = datetime.fromtimestamp(self.created_at).strftime("%d %b %H:%M")
        return f"{self.config.architecture} · {FRAMEWORK_TITLES[self.config.framework]} · {started}"

    @property
    def progress(self) -> float:
        """The share of its steps that a run has taken, 0 to 1."""
        return min(self.step / self.total_steps, 1.0) if self.total_steps else 0.0

    @property
    def seconds_left(self) -> float | None:
        """The training time still to come if it goes on as so far; None before it can be known."""
        if self.state != "running" or not self.step or self.training_at is None or self.heartbeat_at is None:
            return None
        return (self.heartbeat_at - self.training_at) / self.step * (self.total_steps - self.step)


class SupersededError(RuntimeError):
    """This process no longer owns the run: it was ended or started anew by someone else."""


class Store:
    """The runs of one database. Safe to share between threads, never across a fork."""

    def __init__(self, url: str):
        self._engine = _connect(url)

    def create(self, config: RunConfig, *, submission: str, pair: str | None = None, claimed: bool = False) -> str:
        """Queue a run and return its id. A `submission` that was seen before gives the run it made then.

        With `claimed` the run does not wait in the queue: the caller trains it itself, as attempt 1.
        """
        now = time.time()
        values = {
            "id": new_id(),
            "submission": submission,
            "pair": pair,
            "config": config.model_dump(mode="json"),
            "created_at": now,
            **({"state": "starting", "attempt": 1, "started_at": now} if claimed else {"state": "queued"}),
        }
        with self._engine.begin() as connection:
            known = connection.scalar(sa.select(_runs.c.id).where(_runs.c.submission == submission))
            if known is None:
                connection.execute(_runs.insert().values(values))
        return known or values["id"]

    def get(self, run_id: str) -> Run:
        """Return one run.

        Raises:
            ValueError: if there is none of that id.
        """
        with self._reading() as connection:
            row = connection.execute(sa.select(_runs).where(_runs.c.id == run_id)).mappings().first()
        if row is None:
            raise ValueError(f"There is no run {run_id!r} here. Listed runs: python -m core.runs.")
        return _run(row)

    def find(
        self,
        *,
        states: Iterable[State] | None = None,
        pair: str | None = None,
        limit: int = 50,
        offset: int = 0,
        oldest_first: bool = False,
    ) -> list[Run]:
        """Return a page of runs, newest first unless said otherwise."""
        order = _runs.c.created_at if oldest_first else _runs.c.created_at.desc()
        query = sa.select(_runs).order_by(order, _runs.c.id).limit(limit).offset(offset)
        if states is not None:
            query = query.where(_runs.c.state.in_(list(states)))
        if pair is not None:
            query = query.where(_runs.c.pair == pair)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def speeds(self, config: RunConfig, limit: int = 200) -> dict[int, float]:
        """Return the images per second of finished runs like `config`, newest first, by batch size."""
        same = [
            _runs.c.config[name].as_string() == str(getattr(config, name))
            for name in ("dataset", "architecture", "framework", "device", "threads")
        ]
        query = (
            sa.select(_runs.c.config["batch_size"].as_integer(), _runs.c.results["images_per_second"].as_float())
            .where(_runs.c.state == "done", *same)
            .order_by(_runs.c.created_at.desc())
            .limit(limit)
        )
        found: dict[int, float] = {}
        with self._reading() as connection:
            for batch_size, speed in connection.execute(query):
                found.setdefault(batch_size, speed)
        return found

    def claim(self, run_id: str) -> int | None:
        """Take a queued run for starting; return its attempt, or None if it is no longer queued."""
        with self._engine.begin() as connection:
            attempt = connection.scalar(sa.select(_runs.c.attempt).where(_runs.c.id == run_id)) + 1
            changed = connection.execute(
                _runs.update()
                .where(_runs.c.id == run_id, _runs.c.state == "queued")
                .values(state="starting", attempt=attempt, started_at=time.time(), heartbeat_at=time.time())
            )
        return attempt if changed.rowcount else None

    def enter(self, run_id: str, attempt: int, *, pid: int, process_started_at: float) -> None:
        """Record the process that runs an attempt.

        Raises:
            SupersededError: if the attempt is over already.
        """
        self._update(run_id, attempt, ("starting",), pid=pid, process_started_at=process_started_at)

    def begin(self, run_id: str, attempt: int, *, total_steps: int) -> None:
        """Say that training begins now."""
        now = time.time()
        self._update(
            run_id, attempt, ("starting",), state="running", training_at=now, heartbeat_at=now, total_steps=total_steps
        )

    def beat(self, run_id: str, attempt: int) -> bool:
        """Give a sign of life; return whether the run has been asked to stop."""
        self._update(run_id, attempt, ACTIVE, heartbeat_at=time.time())
        with self._reading() as connection:
            return connection.scalar(sa.select(_runs.c.stop_requested).where(_runs.c.id == run_id))

    def add_metrics(self, run_id: str, attempt: int, first: int, points: list[Point]) -> None:
        """Append measurements numbered from `first`, and move the run's progress on."""
        speed = [point.images_per_second for point in points if point.images_per_second]
        values = {"step": points[-1].step, "heartbeat_at": time.time()}
        with self._engine.begin() as connection:
            self._update(
                run_id,
                attempt,
                ("running",),
                connection,
                **values | ({"images_per_second": speed[-1]} if speed else {}),
            )
            connection.execute(
                _metrics.insert(),
                [
                    {"run_id": run_id, "sequence": number, **point._asdict()}
                    for number, point in enumerate(points, start=first)
                ],
            )

    def metrics(self, run_id: str, after: int = 0, limit: int = 100_000) -> list[tuple[int, Point]]:
        """Return a run's measurements with their numbers, in order, those up to `after` left out."""
        columns = [_metrics.c.sequence, *(_metrics.c[name] for name in Point._fields)]
        query = (
            sa.select(*columns)
            .where(_metrics.c.run_id == run_id, _metrics.c.sequence > after)
            .order_by(_metrics.c.sequence)
            .limit(limit)
        )
        with self._reading() as connection:
            return [(row[0], Point(*row[1:])) for row in connection.execute(query)]

    def request_stop(self, run_id: str) -> None:
        """Ask a run to stop; one that still waits is stopped at once, one that has ended stays as it is."""
        with self._engine.begin() as connection:
            connection.execute(
                _runs.update()
                .where(_runs.c.id == run_id, _runs.c.state == "queued")
                .values(state="stopped", ended_at=time.time())
            )
            connection.execute(
                _runs.update().where(_runs.c.id == run_id, _runs.c.state.in_(ACTIVE)).values(stop_requested=True)
            )

    def finish(self, run_id: str, attempt: int, state: Literal["done", "stopped"], results: dict[str, Any]) -> None:
        """End a run well.

        Raises:
            SupersededError: if it has ended already.
        """
        self._update(run_id, attempt, ACTIVE, state=state, results=results, ended_at=time.time())

    def fail(self, run_id: str, attempt: int, *, failure: str, advice: str, traceback: str | None = None) -> None:
        """End a run with what went wrong and what to do about it.

        Raises:
            SupersededError: if it has ended already.
        """
        self._update(
            run_id,
            attempt,
            ACTIVE,
            state="failed",
            failure=failure,
            advice=advice,
            traceback=traceback,
            ended_at=time.time(),
        )

    def _update(
        self,
        run_id: str,
        attempt: int,
        states: Iterable[State],
        connection: sa.Connection | None = None,
        **values: Any,
    ) -> None:
        if connection is None:
            with self._engine.begin() as own:
                return self._update(run_id, attempt, states, own, **values)
        changed = connection.execute(
            _runs.update()
            .where(_runs.c.id == run_id, _runs.c.attempt == attempt, _runs.c.state.in_(list(states)))
            .values(**values)
        )
        if not changed.rowcount:
            raise SupersededError(f"Attempt {attempt} of run {run_id} is over.")
        return None

    def _reading(self) -> sa.Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def new_id() -> str:
    """Return a fresh opaque id of twelve hexadecimal digits."""
    return secrets.token_hex(6)


@lru_cache(maxsize=4)
def open_store(url: str | None = None) -> Store:
    """Return this process's store for `url`, by default the one of this installation."""
    return Store(url or store_url())


def _run(row: sa.RowMapping) -> Run:
    return Run(**{**row, "config": RunConfig.model_validate(row["config"])})


def _connect(url: str) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    with engine.begin() as connection:
        _metadata.create_all(connection)
        version = connection.scalar(sa.select(sa.func.max(_schema.c.version)))
        if version is None:
            connection.execute(_schema.insert().values(version=_SCHEMA_VERSION))
        elif version > _SCHEMA_VERSION:
            raise ValueError(
                f"The runs in {engine.url.database} were written by a newer Duet (schema {version}, this one "
                f"reads {_SCHEMA_VERSION}): start that one, or set DUET_HOME to another folder."
            )
    return engine


def _prepare_sqlite(engine: sa.Engine) -> None:
    """Set what WAL mode needs, and make every transaction take the write lock at its start."""

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is deferred; ours below is not
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def main(arguments: list[str] | None = None) -> int:
    """List the runs, newest first."""
    parser = argparse.ArgumentParser(prog="python -m core.runs", description="List the runs, newest first.")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--limit", type=int, default=50, help="how many to list (default 50)")
    options = parser.parse_args(arguments)
    runs = open_store().find(limit=options.limit)
    if options.json:
        print(json.dumps([summary(run) for run in runs]))
        return 0
    if not runs:
        print("No runs yet. Start one: python -m core.train --epochs 1")
    for run in runs:
        accuracy = f"{run.results['test_accuracy']:.4f}" if run.results and "test_accuracy" in run.results else "–"
        print(f"{run.id}  {run.state:8}  {run.title:40}  test accuracy {accuracy}")
    return 0


def summary(run: Run) -> dict[str, Any]:
    """Return what the command line tells of a run as JSON; figures that it does not have yet are null."""
    figures = ("parameters", "train_seconds", "images_per_second", "val_accuracy", "test_accuracy", "test_loss")
    return {
        "run_id": run.id,
        "state": run.state,
        "framework": run.config.framework,
        "device": run.config.device,
        "dataset": run.config.dataset,
        "architecture": run.config.architecture,
        "epochs": run.config.epochs,
        "seed": run.config.seed,
        **{figure: (run.results or {}).get(figure) for figure in figures},
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "progress": run.progress,
        "failure": run.failure,
    }


if __name__ == "__main__":
    sys.exit(main())
