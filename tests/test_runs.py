"""The store: who may change a run's state, what is measured, and what many processes do to it at once."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from core import runs
from core.config import RunConfig, configure
from core.home import PROJECT, store_url
from core.runs import Store, StoreError, SupersededError, main, open_store
from core.training import Point

CONFIG = configure(architecture="ann-100", train_limit=100)

_TOGETHER = """
import sys
from core import runs
from core.config import configure
from core.runs import Store
from core.training import Point
url, *arguments = sys.argv[1:]
config = configure(architecture="ann-100", train_limit=100)
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def store() -> Store:
    return Store(store_url())


@pytest.fixture
def database(duet_home: Path) -> Path:
    return duet_home / "duet.sqlite3"


def start_together(script: str, arguments: list[str]) -> list[subprocess.Popen]:
    """Start a process for each of `arguments`, and let them run `script` when the last is ready."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _TOGETHER + script, store_url(), argument],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for argument in arguments
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def outputs(processes: list[subprocess.Popen]) -> list[str]:
    """Wait for processes to end well and return what each printed."""
    printed = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        printed.append(output)
    return printed


def running(store: Store, submission: str = "a", config: RunConfig = CONFIG) -> tuple[str, int]:
    run_id = store.create(config, submission=submission)
    attempt = store.claim(run_id)
    store.enter(run_id, attempt, pid=1, process_started_at=0.0)
    store.begin(run_id, attempt, total_steps=100)
    return run_id, attempt


def point(step: int, split: str = "train", **values: float) -> Point:
    return Point(step, step / 10, split, **{"loss": 1.0, "accuracy": 0.5, "seconds": step / 10} | values)


def test_run_goes_from_queued_to_done(store):
    run_id = store.create(CONFIG, submission="a")
    assert (store.get(run_id).state, store.get(run_id).attempt) == ("queued", 0)

    attempt = store.claim(run_id)
    claimed = store.get(run_id)
    assert (claimed.state, claimed.attempt, attempt) == ("starting", 1, 1)
    assert claimed.started_at == claimed.heartbeat_at

    store.enter(run_id, attempt, pid=123, process_started_at=4.5)
    store.begin(run_id, attempt, total_steps=50)
    assert (store.get(run_id).state, store.get(run_id).total_steps, store.get(run_id).pid) == ("running", 50, 123)

    store.finish(run_id, attempt, "done", {"test_accuracy": 0.9})
    finished = store.get(run_id)
    assert (finished.state, finished.results, finished.config) == ("done", {"test_accuracy": 0.9}, CONFIG)
    assert finished.created_at <= finished.started_at <= finished.training_at <= finished.ended_at


def test_run_trained_by_its_maker_never_waits_in_the_queue(store):
    run = store.get(store.create(CONFIG, submission="a", claimed=True))

    assert (run.state, run.attempt, run.stop_requested) == ("starting", 1, False)
    assert run.heartbeat_at == run.started_at
    assert store.claim(run.id) is None


def test_claimed_run_is_not_claimed_again(store):
    run_id = store.create(CONFIG, submission="a")

    assert [store.claim(run_id), store.claim(run_id), store.claim("0" * 12)] == [1, None, None]


CHANGES = {
    "enter": lambda store, run_id, attempt: store.enter(run_id, attempt, pid=9, process_started_at=9.0),
    "begin": lambda store, run_id, attempt: store.begin(run_id, attempt, total_steps=9),
    "beat": lambda store, run_id, attempt: store.beat(run_id, attempt),
    "add_metrics": lambda store, run_id, attempt: store.add_metrics(run_id, attempt, 1, [point(9)]),
    "finish": lambda store, run_id, attempt: store.finish(run_id, attempt, "done", {"late": True}),
    "fail": lambda store, run_id, attempt: store.fail(run_id, attempt, failure="late", advice="late"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("ending", ["done", "stopped", "failed"])
def test_ended_run_cannot_be_changed(store, change, ending):
    run_id, attempt = running(store)
    if ending == "failed":
        store.fail(run_id, attempt, failure="Out of memory.", advice="Use less.")
    else:
        store.finish(run_id, attempt, ending, {})
    before = store.get(run_id)

    with pytest.raises(SupersededError):
        CHANGES[change](store, run_id, attempt)

    assert store.get(run_id) == before
    assert store.metrics(run_id) == []


@pytest.mark.parametrize("state", ["starting", "running"])
@pytest.mark.parametrize("change", CHANGES)
def test_late_attempt_publishes_nothing(store, database, change, state):
    run_id = store.create(CONFIG, submission="a")
    late = store.claim(run_id)
    # What a retry will do: the run goes back into the queue, and a second attempt is made of it.
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE runs SET state = 'queued'")
    attempt = store.claim(run_id)
    if state == "running":
        store.begin(run_id, attempt, total_steps=50)
    before = store.get(run_id)

    with pytest.raises(SupersededError):
        CHANGES[change](store, run_id, late)

    assert attempt == late + 1
    assert store.get(run_id) == before
    assert store.metrics(run_id) == []


@pytest.mark.parametrize("change", ["begin", "beat", "add_metrics", "finish", "fail"])
def test_queued_run_belongs_to_nobody(store, change):
    run_id = store.create(CONFIG, submission="a")

    with pytest.raises(SupersededError):
        CHANGES[change](store, run_id, 0)

    assert store.get(run_id).state == "queued"


def test_attempt_has_one_process(store):
    run_id = store.create(CONFIG, submission="a")
    attempt = store.claim(run_id)
    store.enter(run_id, attempt, pid=123, process_started_at=4.5)

    with pytest.raises(SupersededError, match="run by process 123"):
        store.enter(run_id, attempt, pid=124, process_started_at=5.5)

    assert store.get(run_id).pid == 123


def test_submission_seen_before_gives_its_run(store):
    first = store.create(CONFIG, submission="a")

    assert store.create(CONFIG.model_copy(update={"epochs": 9}), submission="a") == first
    assert store.create(CONFIG, submission="b") != first
    assert len(store.find()) == 2


def test_submission_seen_by_several_processes_at_once_gives_one_run(store):
    script = "store = Store(url)\nprint([store.create(config, submission=f'{i}') for i in range(30)])"

    made = outputs(start_together(script, ["", "", ""]))

    assert len(set(made)) == 1
    assert len(store.find()) == 30


def test_queued_run_is_stopped_at_once(store):
    run_id = store.create(CONFIG, submission="a")

    store.request_stop(run_id)

    run = store.get(run_id)
    assert run.state == "stopped"
    assert run.ended_at is not None
    assert store.claim(run_id) is None


def test_active_run_is_asked_to_stop(store):
    run_id, attempt = running(store)
    assert store.beat(run_id, attempt) is False

    store.request_stop(run_id)
    store.request_stop(run_id)

    assert store.beat(run_id, attempt) is True
    assert (store.get(run_id).state, store.get(run_id).stop_requested) == ("running", True)


def test_ended_run_is_not_asked_to_stop(store):
    run_id, attempt = running(store)
    store.finish(run_id, attempt, "done", {})
    before = store.get(run_id)

    store.request_stop(run_id)

    assert store.get(run_id) == before


def test_metrics_come_in_order_and_only_once(store):
    run_id, attempt = running(store)
    store.add_metrics(run_id, attempt, 1, [point(3, images_per_second=100.0), point(5)])
    seen = store.metrics(run_id)
    store.add_metrics(run_id, attempt, 3, [point(10, "validation", accuracy=0.7)])

    assert seen == [(1, point(3, images_per_second=100.0)), (2, point(5))]
    assert store.metrics(run_id, after=2) == [(3, point(10, "validation", accuracy=0.7))]
    assert store.metrics(run_id, after=3) == []
    assert [number for number, _ in store.metrics(run_id, limit=2)] == [1, 2]
    assert (store.get(run_id).step, store.get(run_id).images_per_second) == (10, 100.0)
    assert store.get(run_id).progress == 0.1


def test_points_that_cannot_all_be_written_are_not_written_at_all(store):
    run_id, attempt = running(store)
    store.add_metrics(run_id, attempt, 1, [point(1)])

    with pytest.raises(Exception, match="UNIQUE"):
        store.add_metrics(run_id, attempt, 1, [point(2), point(3)])

    assert (len(store.metrics(run_id)), store.get(run_id).step) == (1, 1)


def test_time_left_comes_from_the_time_so_far(store, monkeypatch):
    clock = SimpleNamespace(time=lambda: clock.now, monotonic=lambda: 0.0, now=1000.0)
    monkeypatch.setattr(runs, "time", clock)
    run_id, attempt = running(store)
    assert store.get(run_id).seconds_left is None

    clock.now = 1020.0
    store.add_metrics(run_id, attempt, 1, [point(40)])
    assert store.get(run_id).seconds_left == 30.0

    clock.now = 500.0  # somebody sets it back
    store.beat(run_id, attempt)
    assert store.get(run_id).seconds_left == 0.0

    store.finish(run_id, attempt, "done", {})
    assert store.get(run_id).seconds_left is None


def test_runs_are_listed_by_page_state_and_pair(store):
    made = [store.create(CONFIG, submission=f"{i}", pair="p" if i in (3, 4) else None) for i in range(7)]
    store.request_stop(made[2])

    def ids(**options) -> list[str]:
        return [run.id for run in store.find(**options)]

    assert ids() == made[::-1]
    assert ids(limit=3) + ids(limit=3, offset=3) + ids(limit=3, offset=6) == made[::-1]
    assert ids(oldest_first=True, limit=2) == made[:2]
    assert ids(pair="p", oldest_first=True) == made[3:5]
    assert ids(states=("stopped", "done")) == [made[2]]
    assert ids(states=()) == []


def test_speeds_are_those_of_runs_like_it_newest_first(store):
    def finish(submission: str, speed: float, **changes) -> None:
        config = CONFIG.model_copy(update=changes)
        store.finish(*running(store, submission, config), "done", {"images_per_second": speed})

    finish("a", 100.0)
    finish("b", 200.0, epochs=9)
    finish("c", 300.0, batch_size=128)
    finish("d", 400.0, threads=1)
    finish("e", 500.0, framework="tensorflow")
    finish("f", 600.0, device="gpu:0")
    store.finish(*running(store, "g"), "stopped", {"images_per_second": 700.0})

    assert store.speeds(CONFIG) == {64: 200.0, 128: 300.0}
    assert store.speeds(CONFIG.model_copy(update={"threads": 1})) == {64: 400.0}
    assert store.speeds(CONFIG.model_copy(update={"architecture": "cnn-64-32-32"})) == {}


def test_run_that_is_not_there_is_named(store):
    with pytest.raises(ValueError, match="There is no run '3f9c0a1b2c3d' here"):
        store.get("3f9c0a1b2c3d")


def test_each_home_has_its_own_store(tmp_path, monkeypatch):
    first = open_store()
    assert open_store() is first

    monkeypatch.setenv("DUET_HOME", str(tmp_path / "other"))

    assert open_store() is not first
    assert open_store().find() == []


@pytest.mark.usefixtures("store")
def test_newer_database_is_refused_and_left_alone(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("UPDATE schema SET version = 99; ALTER TABLE metrics RENAME TO points;")

    with pytest.raises(StoreError, match=r"written by a newer Duet \(schema 99, this one reads 1\): start that one"):
        Store(store_url())

    with closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {"schema", "runs", "points"}


@pytest.mark.parametrize("content", [b"", b"This is not a database. " * 500, b"SQLite format 3\0" + b"\xff" * 8176])
def test_database_that_is_none_is_refused_and_left_alone(database, content):
    database.write_bytes(content)

    with pytest.raises(StoreError, match=r"(is damaged|has lost its content).*backup in its place") as caught:
        Store(store_url())

    assert str(database) in str(caught.value)
    assert database.read_bytes() == content


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


def test_first_starts_at_once_make_one_database():
    made = outputs(start_together("print(Store(url).create(config, submission=arguments[0]))", ["a", "b", "c", "d"]))

    assert sorted(run.id for run in Store(store_url()).find()) == sorted(line.strip() for line in made)


_WRITER = """
runs._LONG_WAL_BYTES, runs._CHECKPOINT_PAUSE_S = 200_000, 0.05
store = Store(url)
run_id = arguments[0]
claimed = [run.id for run in store.find(states=("queued",)) if store.claim(run.id)]
for i in range(60):
    store.add_metrics(run_id, 1, i + 1, [Point(i + 1, 0.0, "train", 1.0, 0.5, 0.0)])
    store.beat(run_id, 1)
print(" ".join(claimed))
"""


def test_eight_writers_and_a_reader_lose_nothing(store, database):
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
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def add_points(store: Store, run_id: str, first: int, count: int) -> None:
    for number in range(first, first + count):
        store.add_metrics(run_id, 1, number, [point(number)])


@pytest.fixture
def log(database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The write-ahead log of a database that moves it into the database from 100,000 bytes on."""
    monkeypatch.setattr(runs, "_LONG_WAL_BYTES", 100_000)
    monkeypatch.setattr(runs, "_CHECKPOINT_PAUSE_S", 0)
    monkeypatch.setattr(runs, "_CHECKPOINT_WAIT_S", 0)
    return database.with_name("duet.sqlite3-wal")


def test_write_ahead_log_stays_short(store, log):
    run_id, _ = running(store)
    sizes = []
    for number in range(1, 101):
        add_points(store, run_id, number, 1)
        sizes.append(log.stat().st_size)

    assert max(sizes) < 150_000
    assert sizes.count(0) > 1
    assert len(store.metrics(run_id)) == 100


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


def test_log_is_moved_by_one_process_at_a_time(store, database, log):
    run_id, _ = running(store)
    with FileLock(f"{database}.checkpoint.lock"):
        add_points(store, run_id, 1, 50)
        assert log.stat().st_size > 150_000

    add_points(store, run_id, 51, 1)
    assert log.stat().st_size == 0


def test_command_lists_the_runs_as_json(store):
    waiting = store.create(CONFIG, submission="a")
    run_id, attempt = running(store, "b")
    store.finish(run_id, attempt, "done", {"parameters": 79510, "test_accuracy": 0.9})

    command = [sys.executable, "-m", "core.runs", "--json"]
    listed = json.loads(subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout)

    assert [run["run_id"] for run in listed] == [run_id, waiting]
    assert [run["state"] for run in listed] == ["done", "queued"]
    assert (listed[0]["parameters"], listed[0]["test_accuracy"], listed[1]["test_accuracy"]) == (79510, 0.9, None)


def test_command_lists_the_runs_for_people(store, capsys):
    assert main([]) == 0
    assert "No runs yet" in capsys.readouterr().out
    run_id = store.create(CONFIG, submission="a")
    store.create(CONFIG, submission="b")

    main(["--limit", "1"])
    main([])

    one, two, three = capsys.readouterr().out.splitlines()
    assert one == two
    assert three.startswith(f"{run_id}  queued")


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--limit", "-3"], ["--limit", "many"], ["--limt", "3"]])
def test_command_refuses_wrong_options_in_one_sentence(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    errors = capsys.readouterr().err
    assert arguments[0] in errors
    assert errors.count("\n") == 1


def test_command_tells_of_a_damaged_database(database):
    database.write_bytes(b"This is not a database. " * 500)

    with pytest.raises(SystemExit, match="is damaged"):
        main([])
