"""The store: runs, their states and their measurements, in a database through SQLAlchemy Core.

    store = open_store()
    run_id = store.create(config, submission=token)
    store.get(run_id).state
    store.metrics(run_id, after=120)

On the command line `python -m core.runs [--json]` lists the runs.

States: queued → starting → running → done, failed or stopped. Each change is one `UPDATE` that
names the state and the attempt it starts from, so of two that race exactly one wins, and a late
process of an older attempt can publish nothing. Every write is a `BEGIN IMMEDIATE` transaction;
every process opens its own connections. A database that is damaged or newer than this code is
refused and left as it is.
"""

import argparse
import json
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from filelock import FileLock, Timeout

from core.command_line import Parser
from core.config import FRAMEWORK_TITLES, RunConfig
from core.home import store_url
from core.training import Point

State = Literal["queued", "starting", "running", "done", "failed", "stopped"]

ACTIVE: tuple[State, ...] = ("starting", "running")
ENDED: tuple[State, ...] = ("done", "failed", "stopped")

_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 20

_LONG_WAL_BYTES = 4 * 2**20
_CHECKPOINT_WAIT_S = 1
_CHECKPOINT_PAUSE_S = 10.0

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
    """One row of the store. `results` are the figures of a finished run.

    Times are Unix seconds, except for `process_started_at`: see `core.processes.started_at`.
    """

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
        so_far = max(self.heartbeat_at - self.training_at, 0.0)  # the clock may have been set back
        return so_far / self.step * (self.total_steps - self.step)


class StoreError(RuntimeError):
    """The database cannot be used; the message says why, and what to do."""


class SupersededError(RuntimeError):
    """This process no longer owns the run: it was ended or started anew by someone else."""


class Store:
    """The runs of one database. Safe to share between threads, never across a fork.

    Raises:
        StoreError: if the database is damaged, empty, or written by a newer Duet.
    """

    def __init__(self, url: str):
        self._engine = _connect(url)
        self._checkpoint_tried_at = -_CHECKPOINT_PAUSE_S

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
            "state": "queued",
        }
        if claimed:
            values |= {"state": "starting", "attempt": 1, "started_at": now, "heartbeat_at": now}
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
        """Take a queued run for starting; return its attempt, or None if it is not queued."""
        now = time.time()
        with self._engine.begin() as connection:
            return connection.scalar(
                _runs.update()
                .where(_runs.c.id == run_id, _runs.c.state == "queued")
                .values(state="starting", attempt=_runs.c.attempt + 1, started_at=now, heartbeat_at=now, pid=None)
                .returning(_runs.c.attempt)
            )

    def enter(self, run_id: str, attempt: int, *, pid: int, process_started_at: float) -> None:
        """Record the process that runs an attempt.

        Raises:
            SupersededError: if the attempt is over, or another process runs it.
        """
        with self._engine.begin() as connection:
            owner = connection.scalar(sa.select(_runs.c.pid).where(_runs.c.id == run_id))
            if owner is not None:
                raise SupersededError(f"Attempt {attempt} of run {run_id} is run by process {owner}.")
            self._update(run_id, attempt, ("starting",), connection, pid=pid, process_started_at=process_started_at)

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
        self._shorten_log()

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

    def _shorten_log(self) -> None:
        """Move SQLite's write-ahead log into the database once it is long, one process at a time.

        SQLite before 3.51.3 can damage a database when a checkpoint meets another one and a write
        (https://sqlite.org/wal.html#walresetbug), so its automatic checkpoints are off. This one is
        alone by a file lock, and TRUNCATE keeps writers out while it works.
        """
        if self._engine.dialect.name != "sqlite":
            return
        database = Path(self._engine.url.database)
        log = database.with_name(f"{database.name}-wal")
        now = time.monotonic()
        if now - self._checkpoint_tried_at < _CHECKPOINT_PAUSE_S or log.stat().st_size < _LONG_WAL_BYTES:
            return
        self._checkpoint_tried_at = now
        # Whatever keeps it from being done now, such as a reader that stays, a later one makes up for it.
        with (
            suppress(Timeout, sqlite3.OperationalError),
            FileLock(f"{database}.checkpoint.lock", timeout=0),
            closing(sqlite3.connect(database, timeout=_CHECKPOINT_WAIT_S)) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _reading(self) -> sa.Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def new_id() -> str:
    """Return a fresh opaque id of twelve hexadecimal digits."""
    return secrets.token_hex(6)


def open_store(url: str | None = None) -> Store:
    """Return this process's store for `url`, by default the one of this installation."""
    return _opened(url or store_url())


@lru_cache(maxsize=4)
def _opened(url: str) -> Store:
    return Store(url)


def _run(row: sa.RowMapping) -> Run:
    return Run(**{**row, "config": RunConfig.model_validate(row["config"])})


def _connect(url: str) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S} if url.startswith("sqlite") else {})
    if engine.dialect.name != "sqlite":
        _create_tables(engine)
        return engine
    _prepare_sqlite(engine)
    database = Path(engine.url.database)
    with FileLock(f"{database}.lock"):  # of two first starts at once, one makes the tables
        if database.exists() and database.stat().st_size == 0:  # SQLite would take it for a new one
            raise StoreError(
                f"The runs' database {database} has lost its content: the file is empty. Put a backup in its place, "
                f"or remove it to begin with no runs."
            )
        _create_tables(engine)
    return engine


def _create_tables(engine: sa.Engine) -> None:
    """Make the tables unless they are there; nothing is written to those of a newer Duet."""
    with engine.begin() as connection:
        version = None
        if sa.inspect(connection).has_table(_schema.name):
            version = connection.scalar(sa.select(sa.func.max(_schema.c.version)))
        if version is not None and version > _SCHEMA_VERSION:
            raise StoreError(
                f"The runs in {engine.url.database} were written by a newer Duet (schema {version}, this one "
                f"reads {_SCHEMA_VERSION}): start that one, or set DUET_HOME to another folder."
            )
        _metadata.create_all(connection)
        if version is None:
            connection.execute(_schema.insert().values(version=_SCHEMA_VERSION))


def _prepare_sqlite(engine: sa.Engine) -> None:
    """Set what WAL mode needs, and make every transaction take the write lock at its start."""

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is deferred; ours below is not
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=0"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @sa.event.listens_for(engine, "handle_error")
    def explain(context: sa.engine.ExceptionContext) -> None:
        # The class itself stands for a damaged file; its subclasses for a constraint, a full disk and so on.
        if type(context.original_exception) is sqlite3.DatabaseError:
            raise StoreError(
                f"The runs' database {engine.url.database} is damaged ({context.original_exception}). It is left as "
                f"it is: put a backup in its place, or move it away to begin with no runs."
            ) from context.original_exception


def main(arguments: list[str] | None = None) -> int:
    """List the runs, newest first."""
    parser = Parser(prog="python -m core.runs", description="List the runs, newest first.", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--limit", metavar="N", type=_count, default=50, help="how many to list (default 50)")
    options = parser.parse_args(arguments)
    try:
        runs = open_store().find(limit=options.limit)
    except StoreError as error:
        sys.exit(str(error))
    if options.json:
        print(json.dumps([summary(run) for run in runs]))
        return 0
    if not runs:
        print("No runs yet. Start one: python -m core.train --epochs 1")
    for run in runs:
        accuracy = f"{run.results['test_accuracy']:.4f}" if run.results and "test_accuracy" in run.results else "–"
        print(f"{run.id}  {run.state:8}  {run.title:40}  test accuracy {accuracy}")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1, received {text!r}")
    return int(text)


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
