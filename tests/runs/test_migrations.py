"""A database of an older Duet: `version_4.sql` was dumped from one that version 4 itself had made."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.runs import Results, Store, migrations
from core.runs.folding import settings_key
from core.runs.schema import VERSION
from tests.runs.making import outputs, point, start_together

VERSION_4 = (Path(__file__).parent / "version_4.sql").read_text()


@pytest.fixture
def version_4(url: str) -> str:
    """The URL of a database of version 4."""
    with closing(sqlite3.connect(":memory:")) as dump:
        dump.executescript(VERSION_4)
        statements = dump.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, rowid")
        tables = sorted((sql for (sql,) in statements), key=lambda sql: not sql.startswith("CREATE TABLE runs"))
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        metadata = sa.MetaData()
        with engine.begin() as connection:
            for statement in sorted(tables, key=lambda sql: not sql.startswith("CREATE TABLE")):
                if connection.dialect.name == "postgresql":
                    statement = statement.replace("BOOLEAN DEFAULT 0", "BOOLEAN DEFAULT false")
                connection.exec_driver_sql(statement)
            metadata.reflect(connection)
            for table in metadata.sorted_tables:  # those that others refer to come first
                found = dump.execute(f'SELECT * FROM "{table.name}"')
                names = [column[0] for column in found.description]
                if rows := [dict(zip(names, row, strict=True)) for row in found]:
                    connection.execute(table.insert(), [_typed(table, row) for row in rows])
    return url


def _typed(table: sa.Table, row: dict) -> dict:
    """Return a row with the types of its columns: SQLite keeps truths as numbers and JSON as text."""
    typed = {}
    for name, value in row.items():
        kind = table.c[name].type
        if value is not None and isinstance(kind, sa.Boolean):
            value = bool(value)
        elif value is not None and isinstance(kind, sa.JSON):
            value = json.loads(value)
        typed[name] = value
    return typed


def test_runs_of_version_4_are_all_there(version_4):
    store = Store(version_4)
    done, failed, stopped, first, second, starting = store.find(order="oldest")

    assert [run.state for run in (done, failed, stopped, starting)] == ["done", "failed", "stopped", "starting"]
    assert done.results == Results(parameters=79510, test_accuracy=0.91, images_per_second=1234.5)
    assert (done.config.ema_decay, done.config.checkpoint_policy) == (0.9, "last")
    assert [run.config.framework for run in (done, failed)] == ["pytorch", "keras"]
    assert (done.config.epochs, done.pair, done.pair == failed.pair) == (3, "0123456789ab", True)
    assert (failed.failure, failed.advice, failed.traceback) == ("Out of memory.", "Use less.", "Traceback")
    assert [run.id for run in store.queue()] == [first.id, second.id]
    row = next(row for row in store.rows() if row.newest.id == done.id)
    assert row.key == settings_key(done.config.model_dump()) + (f":{done.name}" if done.name else "")
    assert row.frameworks["pytorch"].figures["parameters"].mean == 79510
    assert [attempt.state for attempt in store.attempts(failed.id)] == ["failed"]
    assert store.attempts(first.id) == []
    store.close()


def test_figures_of_version_4_can_be_found_and_drawn(version_4):
    store = Store(version_4)
    done, *_ = store.find(order="oldest")

    assert [run.id for run in store.find(order="most accurate", limit=1)] == [done.id]
    assert store.count(dataset="birds") == store.count(dataset="birds", states=["queued"]) == 1
    assert store.count(framework="keras") == 2
    assert store.speeds(done.config) == {64: 1234.5}
    assert len(store.metrics(done.id)) == 150
    assert store.metrics(done.id, after=149)[0][1].step == 150
    assert 77 in [number for number, _ in store.curve(done.id, "train", buckets=1)]  # a loss of 9
    store.close()


def test_runs_of_version_4_go_on(version_4):
    store = Store(version_4)
    *_, starting = store.find(order="oldest")

    store.begin(starting.id, starting.attempt, total_steps=10)
    store.add_metrics(starting.id, starting.attempt, 1, [point(1, gradient_norm=2.0)])

    assert store.metrics(starting.id)[0][1].gradient_norm == 2.0
    store.close()


def described(url: str) -> dict:
    """Return the tables of a database, with their columns, keys and indexes, whatever their order."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            },
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "refers": [(key["constrained_columns"], key["options"]) for key in inspector.get_foreign_keys(table)],
            "indexes": {index["name"]: index["column_names"] for index in inspector.get_indexes(table)},
        }
        for table in inspector.get_table_names()
    }


def test_migrated_tables_are_those_of_a_new_database(version_4, tmp_path):
    Store(version_4).close()
    migrated = described(version_4)
    engine = sa.create_engine(version_4, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        fresh = f"sqlite:///{tmp_path / 'fresh.sqlite3'}"
    else:
        fresh = version_4
        with engine.begin() as connection:
            for table in migrated:
                connection.execute(sa.text(f'DROP TABLE "{table}" CASCADE'))
    Store(fresh).close()

    assert migrated == described(fresh)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_file_is_copied_before_it_is_changed(version_4, database):
    Store(version_4).close()

    with closing(sqlite3.connect(database.with_name("duet.sqlite3.schema-4"))) as copy:
        assert copy.execute("SELECT version FROM schema").fetchall() == [(4,)]
        assert copy.execute("SELECT COUNT(*) FROM metrics").fetchone() == (151,)
        assert "unresponsive" not in [column[1] for column in copy.execute("PRAGMA table_info(runs)")]


def test_migration_that_fails_changes_nothing(version_4, monkeypatch):
    def fail(connection: sa.Connection) -> None:
        migrations._from_4(connection)
        raise RuntimeError("The power is gone.")

    before = described(version_4)
    with monkeypatch.context() as patch:
        patch.setitem(migrations.MIGRATIONS, 4, fail)
        with pytest.raises(RuntimeError, match="The power is gone"):
            Store(version_4)

    assert described(version_4) == before
    store = Store(version_4)
    assert store.count() == 6
    store.close()


def test_two_first_starts_at_once_migrate_once(version_4):
    counts = outputs(start_together("print(Store(url).count())", ["", "", ""]))

    assert counts == ["6\n"] * 3
    with sa.create_engine(version_4, poolclass=sa.NullPool).connect() as connection:
        versions = connection.exec_driver_sql("SELECT version FROM schema ORDER BY version").scalars().all()
    assert versions == [4, VERSION]
