"""The database: one that cannot be used, and what many processes do to one at once."""

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from core.runs import Store, StoreError
from core.runs import database as module
from core.runs.schema import VERSION
from core.system.paths import store_url
from tests.runs.making import CONFIG, outputs, point, running, start_together

only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@only_sqlite
@pytest.mark.usefixtures("store")
def test_newer_database_is_refused_and_left_alone(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("UPDATE schema SET version = 99; DROP TABLE tags;")

    with pytest.raises(
        StoreError, match=rf"written by a newer Duet \(schema 99, this one reads {VERSION}\): start that one"
    ):
        Store(store_url())

    with closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert "runs" in tables
    assert "tags" not in tables


@only_sqlite
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("version", "said"),
    [
        *(
            (version, rf"written by an older Duet \(schema {version}, this one reads 4 to {VERSION}\)")
            for version in (-1, 0, 3)
        ),
        (4, r"is damaged.*put a backup in its place"),
    ],
)
def test_database_whose_version_is_not_that_of_its_tables_is_refused_and_left_alone(database, version, said):
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE schema SET version = ?", [version])
        before = connection.execute("SELECT sql FROM sqlite_schema").fetchall()

    with pytest.raises(StoreError, match=said):
        Store(store_url())

    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT sql FROM sqlite_schema").fetchall() == before


@pytest.mark.parametrize("content", [b"", b"This is not a database. " * 500, b"SQLite format 3\0" + b"\xff" * 8176])
def test_database_that_is_none_is_refused_and_left_alone(database, content):
    database.write_bytes(content)

    with pytest.raises(StoreError, match=r"(is damaged|has lost its content).*backup in its place") as caught:
        Store(store_url())

    assert str(database) in str(caught.value)
    assert database.read_bytes() == content


@only_sqlite
def test_damage_inside_the_database_is_told_when_it_is_met(store, database):
    for i in range(50):
        store.create(CONFIG, submission=f"{i}")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = database.read_bytes()
    damaged = whole[:8192] + b"\x55" * (len(whole) - 8192)
    database.write_bytes(damaged)

    with pytest.raises(StoreError, match=r"duet\.sqlite3 is damaged"):
        Store(store_url()).find()

    assert database.read_bytes() == damaged


@only_sqlite
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE runs SET submission = CAST(x'ff41' AS TEXT)", "is damaged (Could not decode to UTF-8"),
        ("UPDATE runs SET config = '{'", "is damaged (Expecting property name"),
        ('UPDATE runs SET config = \'{"epochs": "many"}\'', "The settings or results of run"),
        ("UPDATE runs SET results = '{\"confusion\": 3}'", "The settings or results of run"),
        ("DROP TABLE runs", "is damaged (no such table"),
    ],
)
def test_damage_that_sqlite_does_not_call_so_is_told(store, database, change, said):
    store.create(CONFIG, submission="a")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(change)

    with pytest.raises(StoreError, match="put a backup in its place") as caught:
        Store(store_url()).find()

    assert said in str(caught.value)


def test_first_starts_at_once_make_one_database(url):
    made = outputs(start_together("print(Store(url).create(config, submission=arguments[0]))", ["a", "b", "c", "d"]))

    assert sorted(run.id for run in Store(url).find()) == sorted(line.strip() for line in made)


_WRITER = """
database._LONG_WAL_BYTES, database._CHECKPOINT_PAUSE_S = 200_000, 0.05
store = Store(url)
run_id = arguments[0]
claimed = [run.id for run in store.find(states=("queued",)) if store.claim(run.id)]
for i in range(60):
    store.add_metrics(run_id, 1, i + 1, [StepMetrics(i + 1, 0.0, "train", 1.0, 0.5, 0.0)])
    store.heartbeat(run_id, 1)
print(" ".join(claimed))
"""


@pytest.mark.slow
def test_eight_writers_and_a_reader_lose_nothing(store, url, database):
    queued = [store.create(CONFIG, submission=f"queued {i}") for i in range(20)]
    written = [running(store, f"written {i}")[0] for i in range(8)]

    writers = start_together(_WRITER, written)
    counts = [0] * len(written)
    while any(writer.poll() is None for writer in writers):
        for i, run_id in enumerate(written):
            new = store.metrics(run_id, after=counts[i])
            assert [number for number, _ in new] == list(range(counts[i] + 1, counts[i] + 1 + len(new)))
            counts[i] += len(new)
            assert store.get(run_id).step >= counts[i]
    claimed = " ".join(outputs(writers)).split()

    assert [len(store.metrics(run_id)) for run_id in written] == [60] * 8
    assert sorted(claimed) == sorted(queued)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def add_points(store: Store, run_id: str, first: int, count: int) -> None:
    for number in range(first, first + count):
        store.add_metrics(run_id, 1, number, [point(number)])


def test_reader_keeps_nobody_from_writing(store, url, monkeypatch):
    """Nor does a writer keep anybody from reading; each is told at once, with no time to wait for the other."""
    run_id, _ = running(store)
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_S", 0)
    other = Store(url)

    with store._reading() as connection:
        connection.exec_driver_sql("SELECT * FROM runs").fetchall()
        other.heartbeat(run_id, 1)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET step = 5")
        assert other.get(run_id).step == 0
        assert other.find() != []

    assert other.get(run_id).step == 5
    other.close()


@pytest.fixture
def log(database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The write-ahead log of a database that moves it into the database from 100,000 bytes on."""
    monkeypatch.setattr(module, "_LONG_WAL_BYTES", 100_000)
    monkeypatch.setattr(module, "_CHECKPOINT_PAUSE_S", 0)
    monkeypatch.setattr(module, "_CHECKPOINT_WAIT_S", 0)
    return database.with_name("duet.sqlite3-wal")


@only_sqlite
def test_write_ahead_log_stays_short(store, log):
    run_id, _ = running(store)
    sizes = []
    for number in range(1, 101):
        add_points(store, run_id, number, 1)
        sizes.append(log.stat().st_size)

    assert max(sizes) < 150_000
    assert sizes.count(0) > 1
    assert len(store.metrics(run_id)) == 100


@only_sqlite
def test_reader_that_stays_keeps_nobody_from_writing(store, database, log):
    run_id, _ = running(store)
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        add_points(store, run_id, 1, 50)
        assert log.stat().st_size > 100_000

    add_points(store, run_id, 51, 1)
    assert log.stat().st_size == 0
    assert len(store.metrics(run_id)) == 51


@only_sqlite
def test_log_is_moved_by_one_process_at_a_time(store, database, log):
    run_id, _ = running(store)
    with FileLock(f"{database}.checkpoint.lock"):
        add_points(store, run_id, 1, 50)
        assert log.stat().st_size > 150_000

    add_points(store, run_id, 51, 1)
    assert log.stat().st_size == 0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://duet:planted%20secret@127.0.0.1:1/duet",
        "postgresql+psycopg://127.0.0.1:1/duet?user=duet&password=planted%20secret",
        "postgresql+psycopg://127.0.0.1:1/duet?sslpassword=planted+secret",
        "postgresql+psycopg://127.0.0.1:1/duet?passwrd=planted+secret",
        "postgresql://127.0.0.1:1/duet?user=duet&password=planted%20secret",
    ],
)
def test_server_out_of_reach_is_told_without_its_password(url):
    with pytest.raises(StoreError, match=r"cannot be reached .*unset DUET_STORE") as caught:
        Store(url)

    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url", ["postgresql://duet@127.0.0.1:planted-secret/duet", "planted-secret", "mysql+planted://a:secret@b/c"]
)
def test_what_is_no_url_is_told_without_the_password_in_it(url):
    with pytest.raises(StoreError, match="DUET_STORE: expected the URL") as caught:
        Store(url)

    assert "secret" not in "".join(traceback.format_exception(caught.value))
