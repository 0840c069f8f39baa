"""Bringing a database of an older Duet to the present tables, one version at a time, in one transaction.

A migration is written as it was when its version was made: it must not change when the tables change later.
"""

from collections.abc import Callable

import sqlalchemy as sa

from core.runs.folding import settings_key
from core.runs.schema import VERSION, metadata, schema

_ROWS = 500


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring the tables of `version` to those of `VERSION`."""
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
    metadata.create_all(connection)
    connection.execute(schema.insert().values(version=VERSION))


def _from_4(connection: sa.Connection) -> None:
    """Give what was stored under words of Duet's own the names that the field uses."""
    connection.execute(sa.text("ALTER TABLE runs RENAME COLUMN silent TO unresponsive"))
    runs = sa.table("runs", sa.column("id"), sa.column("framework"), sa.column("config", sa.JSON))
    fields = {"weight_average": "ema_decay", "kept": "checkpoint_policy"}
    listed = connection.execute(sa.select(runs.c.id)).scalars().all()
    for first in range(0, len(listed), _ROWS):
        chosen = sa.select(runs.c.id, runs.c.config).where(runs.c.id.in_(listed[first : first + _ROWS]))
        for run_id, before in connection.execute(chosen).all():
            config = {fields.get(name, name): value for name, value in before.items()}
            if config["framework"] == "tensorflow":
                config["framework"] = "keras"
            changes = {"config": config, "framework": config["framework"]}
            connection.execute(runs.update().where(runs.c.id == run_id).values(**changes))


def _from_5(connection: sa.Connection) -> None:
    """Change nothing: version 6 has further tables, which `migrate` makes."""


def _from_6(connection: sa.Connection) -> None:
    """Keep beside each run what the table of runs folds and sorts by."""
    figures = {"val_accuracy": "FLOAT", "test_loss": "FLOAT", "train_seconds": "FLOAT", "parameters": "INTEGER"}
    columns = {"settings_key": "VARCHAR(12) NOT NULL DEFAULT ''", **figures}
    for name, kind in columns.items():
        connection.execute(sa.text(f"ALTER TABLE runs ADD COLUMN {name} {kind}"))
    indexes = {
        "ix_runs_rows": "deleted_at, settings_key, name, created_at",
        "ix_runs_best": "deleted_at, state, dataset, settings_key, name, val_accuracy",
    }
    for name, indexed in indexes.items():
        connection.execute(sa.text(f"CREATE INDEX {name} ON runs ({indexed})"))
    runs = sa.table(
        "runs",
        *(sa.column(name) for name in ("id", *columns)),
        sa.column("config", sa.JSON),
        sa.column("results", sa.JSON),
    )
    listed = connection.execute(sa.select(runs.c.id)).scalars().all()
    for first in range(0, len(listed), _ROWS):
        chosen = sa.select(runs.c.id, runs.c.config, runs.c.results).where(runs.c.id.in_(listed[first : first + _ROWS]))
        for run_id, config, results in connection.execute(chosen).all():
            values = {"settings_key": settings_key(config), **{name: (results or {}).get(name) for name in figures}}
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))


MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {4: _from_4, 5: _from_5, 6: _from_6}
"""What leads from each version to the next."""

OLDEST = min(MIGRATIONS)
"""The oldest version that can be read."""
