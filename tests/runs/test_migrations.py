"""A database of an older Duet: `version_1.sql` was dumped from one that version 1 itself had made."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.runs import Store, migrations
from core.runs.schema import VERSION
from tests.runs.making import outputs, point, start_together

VERSION_1 = (Path(__file__).parent / "version_1.sql").read_text()


@pytest.fixture
def version_1(url: str) -> str:
    """The URL of a database of version 1."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in _statements(connection.dialect.name):
            connection.exec_driver_sql(statement)
    return url


def _statements(dialect: str) -> list[str]:
    """Return the dump as one dialect understands it, tables before the rows that refer to them."""
    lines = [line for line in VERSION_1.replace(";\n", ";\0").split("\0") if line.strip()]
    lines = [line for line in lines if not line.startswith(("BEGIN", "COMMIT"))]
    if dialect == "sqlite":
        return lines
    order = ("CREATE TABLE schema", "CREATE TABLE runs", "CREATE TABLE", "CREATE INDEX", 'INSERT INTO "runs"', "INSERT")
    ordered = sorted(lines, key=lambda line: next(i for i, start in enumerate(order) if line.startswith(start)))
    return [_with_booleans(line) for line in ordered]


def _with_booleans(statement: str) -> str:
    """Return a statement with `stop_requested`, a 0 in SQLite's dump, as PostgreSQL wants it."""
    if not statement.startswith('INSERT INTO "runs"'):
        return statement
    head, middle, tail = statement.partition(",0,17")
    assert middle, statement
    return f"{head},false,17{tail}"


def test_runs_of_version_1_are_all_there(version_1):
    store = Store(version_1)
    done, failed, stopped, first, second, starting = store.find(order="oldest")

    assert [run.state for run in (done, failed, stopped, starting)] == ["done", "failed", "stopped", "starting"]
    assert done.results == {"parameters": 79510, "test_accuracy": 0.91, "images_per_second": 1234.5}
    assert (done.config.epochs, done.pair, done.pair == failed.pair) == (3, "0123456789ab", True)
    assert (failed.failure, failed.advice, failed.traceback) == ("Out of memory.", "Use less.", "Traceback")
    assert [run.id for run in store.queue()] == [first.id, second.id]
    assert [attempt.state for attempt in store.attempts(failed.id)] == ["failed"]
    assert store.attempts(first.id) == []
    store.close()


def test_figures_of_version_1_can_be_found_and_drawn(version_1):
    store = Store(version_1)
    done, *_ = store.find(order="oldest")

    assert [run.id for run in store.find(order="most accurate", limit=1)] == [done.id]
    assert store.count(dataset="birds") == store.count(dataset="birds", states=["queued"]) == 1
    assert store.count(framework="tensorflow") == 2
    assert store.speeds(done.config) == {64: 1234.5}
    assert len(store.metrics(done.id)) == 150
    assert store.metrics(done.id, after=149)[0][1].step == 150
    assert 77 in [number for number, _ in store.curve(done.id, "train", buckets=1)]  # a loss of 9
    store.close()


def test_runs_of_version_1_go_on(version_1):
    store = Store(version_1)
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


def test_migrated_tables_are_those_of_a_new_database(version_1, tmp_path):
    Store(version_1).close()
    migrated = described(version_1)
    engine = sa.create_engine(version_1, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        fresh = f"sqlite:///{tmp_path / 'fresh.sqlite3'}"
    else:
        fresh = version_1
        with engine.begin() as connection:
            for table in migrated:
                connection.execute(sa.text(f'DROP TABLE "{table}" CASCADE'))
    Store(fresh).close()

    assert migrated == described(fresh)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_file_is_copied_before_it_is_changed(version_1, database):
    Store(version_1).close()

    with closing(sqlite3.connect(database.with_name("duet.sqlite3.schema-1"))) as copy:
        assert copy.execute("SELECT version FROM schema").fetchall() == [(1,)]
        assert copy.execute("SELECT COUNT(*) FROM metrics").fetchone() == (151,)
        assert "name" not in [column[1] for column in copy.execute("PRAGMA table_info(runs)")]


def test_migration_that_fails_changes_nothing(version_1, monkeypatch):
    def fail(connection: sa.Connection) -> None:
        migrations._from_1(connection)
        raise RuntimeError("The power is gone.")

    before = described(version_1)
    with monkeypatch.context() as patch:
        patch.setitem(migrations.MIGRATIONS, 1, fail)
        with pytest.raises(RuntimeError, match="The power is gone"):
            Store(version_1)

    assert described(version_1) == before
    store = Store(version_1)
    assert store.count() == 6
    store.close()


def test_two_first_starts_at_once_migrate_once(version_1):
    counts = outputs(start_together("print(Store(url).count())", ["", "", ""]))

    assert counts == ["6\n"] * 3
    with sa.create_engine(version_1, poolclass=sa.NullPool).connect() as connection:
        versions = connection.exec_driver_sql("SELECT version FROM schema ORDER BY version").scalars().all()
    assert versions == [1, VERSION]
