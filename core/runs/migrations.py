"""Bringing a database of an older Duet to the present tables, one version at a time, in one transaction.

A migration is written as it was when its version was made: it must not change when the tables change later.
"""

from collections.abc import Callable

import sqlalchemy as sa

from core.runs.downsampling import add_blocks
from core.runs.schema import FROM_CONFIG, VERSION, metadata, schema

_ROWS = 500


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring the tables of `version` to those of `VERSION`."""
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
    metadata.create_all(connection)
    connection.execute(schema.insert().values(version=VERSION))


def _from_1(connection: sa.Connection) -> None:
    for column in (
        "name VARCHAR(100)",
        "note TEXT",
        '"group" VARCHAR(12)',
        "submitter VARCHAR(64)",
        "priority INTEGER DEFAULT '0' NOT NULL",
        "position INTEGER DEFAULT '0' NOT NULL",
        f"pause_requested BOOLEAN DEFAULT {_false(connection)} NOT NULL",
        f"resumes BOOLEAN DEFAULT {_false(connection)} NOT NULL",
        "resumed_step INTEGER DEFAULT '0' NOT NULL",
        f"silent BOOLEAN DEFAULT {_false(connection)} NOT NULL",
        "process_load JSON",
        "deleted_at FLOAT",
        "dataset VARCHAR(100) DEFAULT '' NOT NULL",
        "architecture VARCHAR(100) DEFAULT '' NOT NULL",
        "framework VARCHAR(16) DEFAULT '' NOT NULL",
        "device VARCHAR(16) DEFAULT '' NOT NULL",
        "test_accuracy FLOAT",
    ):
        connection.execute(sa.text(f"ALTER TABLE runs ADD COLUMN {column}"))
    for name in ("pair", '"group"', "position", "deleted_at", "dataset", "architecture", "framework", "test_accuracy"):
        connection.execute(sa.text(f"CREATE INDEX ix_runs_{name.strip(chr(34))} ON runs ({name})"))
    connection.execute(sa.text("CREATE INDEX ix_runs_submitter_started_at ON runs (submitter, started_at)"))
    connection.execute(sa.text("ALTER TABLE metrics ADD COLUMN learning_rate FLOAT"))
    connection.execute(sa.text("ALTER TABLE metrics ADD COLUMN gradient_norm FLOAT"))
    metadata.create_all(connection)
    runs = sa.table(
        "runs",
        *map(sa.column, ("id", "created_at", "position", "test_accuracy", *FROM_CONFIG)),
        sa.column("config", sa.JSON),
        sa.column("results", sa.JSON),
    )
    listed = connection.execute(sa.select(runs.c.id).order_by(runs.c.created_at, runs.c.id)).scalars().all()
    for first in range(0, len(listed), _ROWS):
        chosen = sa.select(runs.c.id, runs.c.config, runs.c.results).where(runs.c.id.in_(listed[first : first + _ROWS]))
        rows = {row.id: row for row in connection.execute(chosen)}
        for position, run_id in enumerate(listed[first : first + _ROWS], start=first + 1):
            values = {name: rows[run_id].config[name] for name in FROM_CONFIG}
            accuracy = (rows[run_id].results or {}).get("test_accuracy")
            changes = {"position": position, "test_accuracy": accuracy, **values}
            connection.execute(runs.update().where(runs.c.id == run_id).values(**changes))
    connection.execute(
        sa.text(
            "INSERT INTO attempts (run_id, attempt, state, started_at, ended_at, failure) "
            "SELECT id, attempt, state, started_at, ended_at, failure FROM runs WHERE attempt > 0"
        )
    )
    counts = sa.text("SELECT run_id, MAX(sequence) FROM metrics GROUP BY run_id")
    for run_id, count in connection.execute(counts).all():
        add_blocks(connection, run_id, 0, count)


def _from_2(connection: sa.Connection) -> None:
    connection.execute(sa.text("ALTER TABLE runs ADD COLUMN cause VARCHAR(24)"))


def _from_3(connection: sa.Connection) -> None:
    for name in ("deleted_at", "dataset", "architecture", "framework", "test_accuracy"):
        connection.execute(sa.text(f"DROP INDEX ix_runs_{name}"))
    for name in ("created_at", "state", "dataset", "architecture", "framework", "test_accuracy"):
        connection.execute(sa.text(f"CREATE INDEX ix_runs_deleted_at_{name} ON runs (deleted_at, {name})"))


def _false(connection: sa.Connection) -> str:
    return "0" if connection.dialect.name == "sqlite" else "false"


MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {1: _from_1, 2: _from_2, 3: _from_3}
"""What leads from each version to the next."""
