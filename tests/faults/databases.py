"""Cases about the database and what is measured: many at once, a reader that stays, damage, and losses that explode.

What is tested is the store, so the processes have no framework unless a case says that it trains.
"""

import math
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from core.config import configure
from core.runs import Store, StoreError, new_id
from core.system.paths import store_url
from tests.faults.case import Trial
from tests.faults.place import START_S, Place, check_integrity, check_measurements
from tests.runs.making import outputs, point, running, start_together

_WRITER = """
store = Store(url)
run_id, count = arguments[0].split()
for i in range(int(count)):
    store.add_metrics(run_id, 1, i + 1, [StepMetrics(i + 1, 0.0, "train", 1.0, 0.5, 0.0)])
    store.heartbeat(run_id, 1)
"""


def eight_writers(place: Place) -> Trial:
    """Let eight processes write measurements and signs of life while this one reads all the time."""
    count = 500 if place.long else 50

    def trial(_number: int) -> None:
        written = [running(place.store, new_id())[0] for _ in range(8)]
        writers = start_together(_WRITER, [f"{run_id} {count}" for run_id in written])
        seen = dict.fromkeys(written, 0)
        while any(writer.poll() is None for writer in writers):
            for run_id in written:
                new = [each for each, _ in place.store.metrics(run_id, after=seen[run_id])]
                assert new == list(range(seen[run_id] + 1, seen[run_id] + 1 + len(new))), f"{run_id}: there is a gap."
                seen[run_id] += len(new)
                assert place.store.get(run_id).step >= seen[run_id], f"{run_id}: it is told of no step it has taken."
        outputs(writers)  # fails with their words if one of them met a locked database
        counts = [len(place.store.metrics(run_id)) for run_id in written]
        assert counts == [count] * 8, f"Measurements: {counts} instead of {count} each."
        check_integrity(place.home / "duet.sqlite3")

    return trial


_READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
print(len(connection.execute("SELECT * FROM runs").fetchall()), flush=True)
sys.stdin.readline()
connection.close()
"""

_LONG_LOG_BYTES = 4 * 2**20
_PAUSE_S = 10


def staying_reader(place: Place) -> Trial:
    """Let a process hold a read transaction, while others write and its log grows; once it leaves, the log is short.

    SQLite cannot shorten a log that a transaction still reads. Duet's own readers hold none; a foreign one may.
    """
    log = place.home / "duet.sqlite3-wal"

    def write(run_id: str, until_bytes: int) -> int:
        number = place.store.get(run_id).step
        while log.stat().st_size < until_bytes:
            number += 1
            place.store.add_metrics(run_id, 1, number, [point(number)])
        return number

    def trial(_number: int) -> None:
        run_id, _ = running(place.store, new_id())
        command = [sys.executable, "-c", _READER, str(place.home / "duet.sqlite3")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert int(reader.stdout.readline())
            written = write(run_id, until_bytes=2 * _LONG_LOG_BYTES)
            assert len(place.store.metrics(run_id)) == written
            reader.communicate("\n")
        deadline = time.monotonic() + 2 * _PAUSE_S
        while log.stat().st_size >= _LONG_LOG_BYTES:
            assert time.monotonic() < deadline, f"The log still has {log.stat().st_size:,} bytes after the reader left."
            written += 1
            place.store.add_metrics(run_id, 1, written, [point(written)])
            time.sleep(0.05)
        assert len(place.store.metrics(run_id)) == written
        check_integrity(place.home / "duet.sqlite3")

    return trial


def damaged_databases(place: Place) -> Trial:
    """Overwrite a database, cut it off, empty it, let a newer Duet have written it; make first starts at once."""
    original = place.home / "original.sqlite3"
    for number in range(40):
        run_id, _ = running(place.store, f"to be damaged {number}")
        place.store.add_metrics(run_id, 1, 1, [point(step) for step in range(1, 30)])
    with closing(sqlite3.connect(place.home / "duet.sqlite3")) as connection:
        connection.execute("VACUUM INTO ?", [str(original)])
    with closing(sqlite3.connect(original)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    whole = original.read_bytes()

    def refusal(path: Path) -> str:
        """Read all that a database holds; return why that was refused, nothing if it was not."""
        try:
            with closing(Store(f"sqlite:///{path}")) as store:
                for run in store.find(limit=100):
                    store.metrics(run.id)
        except StoreError as refused:
            return str(refused)
        return ""

    def overwritten() -> bytes:
        start = place.random.randrange(len(whole) - 1)
        length = place.random.choice([1, 100, 4096, len(whole) // 2])
        piece = place.random.randbytes(min(length, len(whole) - start))
        return whole[:start] + piece + whole[start + len(piece) :]

    def cut_off() -> bytes:
        return whole[: place.random.randrange(len(whole))]

    def damaged(content: bytes) -> None:
        path = place.home / f"damaged-{new_id()}.sqlite3"
        path.write_bytes(content)
        # What is not read is not refused, nor is a value that is another one now: SQLite cannot see that. Where
        # that value is the schema's, it may look like a newer Duet's.
        refused = refusal(path)
        assert not refused or "backup in its place" in refused or "by a newer Duet" in refused, refused
        assert path.read_bytes()[: len(content)] == content, "The damaged database was written to."
        for part in place.home.glob(f"{path.name}*"):
            part.unlink()

    def newer() -> None:
        path = place.home / "newer.sqlite3"
        shutil.copyfile(original, path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE schema SET version = version + 1")
        content = path.read_bytes()
        assert "written by a newer Duet" in refusal(path), "A newer database was not refused."
        assert path.read_bytes() == content, "A newer database was written to."
        path.unlink()

    def first_starts() -> None:
        script = "url = f'{url}.{arguments[0].split()[0]}'\nprint(Store(url).create(config, submission=arguments[0]))"
        name = new_id()
        made = outputs(start_together(script, [f"{name} {i}" for i in range(4)]))
        with closing(Store(f"{store_url()}.{name}")) as store:
            there = sorted(run.id for run in store.find())
        assert there == sorted(line.strip() for line in made), "Of four first starts, one has lost its run."

    def trial(number: int) -> None:
        if number == 1:
            newer()
        elif number % 50 == 2:
            first_starts()
        else:
            damaged(cut_off() if number % 5 == 0 else b"" if number == 3 else overwritten())

    return trial


def diverged(place: Place) -> Trial:
    """Let real trainings diverge, at a learning rate that is far too high."""
    place.schedule()

    def trial(number: int) -> None:
        framework = "keras" if number % 5 == 4 else "pytorch"
        rate = place.random.choice([5.0, 10.0])
        config = configure(
            framework=framework,
            architecture="cnn-64-32-32",
            train_limit=500,
            batch_size=8,
            learning_rate=rate,
            threads=1,
        )
        (run_id,) = place.queue(config)
        run = place.wait_for_state(run_id, "failed", START_S)
        assert run.failure.startswith("Diverged: The loss became "), run.failure
        assert run.advice.startswith("Lower the learning rate"), run.advice
        measured = [each for _, each in place.store.metrics(run_id)]
        assert measured, "The curve does not show where it began."
        assert all(math.isfinite(each.loss) for each in measured), "The curve has a point that cannot be drawn."
        told = int(run.failure.split()[-1].rstrip("."))
        assert measured[-1].step == told - 1, f"The curve ends at step {measured[-1].step}, it diverged at {told}."
        check_measurements(place.store, run_id)

    return trial


def long_curves(place: Place) -> Trial:
    """Measure a million points with one spike each time somewhere else, and draw them with 400 buckets.

    Quickly 20,000.
    """
    count = 1_000_000 if place.long else 20_000

    def trial(_number: int) -> None:
        run_id, attempt = running(place.store, new_id())
        spikes = {place.random.randrange(1, count + 1): 50.0 + i for i in range(5)}
        for first in range(1, count + 1, 5000):
            numbers = range(first, min(first + 5000, count + 1))
            points = [point(each, loss=spikes.get(each, 1 + math.sin(each))) for each in numbers]
            place.store.add_metrics(run_id, attempt, first, points)
        drawn = place.store.curve(run_id, "train")
        assert len(drawn) <= 6 * 400 + 2, f"{len(drawn)} points would be drawn."
        # Of two spikes in one bucket the higher one is what a screen shows.
        bucket = {number: (number - 1) * 400 // count for number in spikes}
        highest = {
            number
            for number in spikes
            if all(spikes[number] >= spikes[other] for other in spikes if bucket[other] == bucket[number])
        }
        lost = highest - {number for number, _ in drawn}
        assert not lost, f"Of the spikes of {run_id}, those at {sorted(lost)} of {count:,} are lost."

    return trial
