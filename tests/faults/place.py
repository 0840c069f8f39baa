"""Where a case happens: a home of its own, with its store, its scheduler's process, and a seeded generator.

with a_place(seed=0, long=False) as place:
    place.schedule()
    (run_id,) = place.queue(config)
    place.training(run_id).kill()
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from core import datasets
from core.config import RunConfig
from core.runs import ACTIVE, Run, Store, SupersededError, new_id
from core.system.paths import run_directory, store_url
from core.system.processes import spawn
from core.training import checkpoints
from tests import processes
from tests.conftest import furnish
from tests.waiting import wait_for

START_S = 300.0
"""Seconds that a framework may take to start on a machine that does other things too."""

NOTICED_S = 10.0
"""Seconds within which Duet promises to notice that a process has gone."""


class Place:
    """A home and what happens in it. `long` is whether the full deadlines are waited for."""

    def __init__(self, home: Path, *, seed: int, long: bool):
        self.home = home
        self.long = long
        self.random = random.Random(seed)
        self.store = Store(store_url())
        self.closing = ExitStack()
        """What is to be undone at the end."""
        self._scheduler: subprocess.Popen | None = None
        self._options: dict[str, Any] = {}

    def move_to(self, home: Path) -> None:
        """Go on in another home, with the same data sets."""
        (home / "datasets").symlink_to(self.home / "datasets")
        self.closing.callback(self.store.close)
        os.environ["DUET_HOME"] = str(home)  # what it was before comes back at the end
        self.home, self.store = home, Store(store_url())

    def schedule(self, **options: Any) -> None:
        """Start the scheduler's process in place of the one before; options are those of `tests.faults.scheduler`."""
        self.kill_scheduler()
        self._options = options
        with (self.home / "scheduler.log").open("ab") as log:
            if options:
                self._scheduler = spawn("tests.faults.scheduler", json.dumps(options), log=log)
            else:
                self._scheduler = spawn("core.jobs.scheduler", log=log)
        wait_for(self._scheduler_works, START_S, "The scheduler did not start.")

    def _scheduler_works(self) -> bool:
        """Say whether the scheduler has come so far as to hold its lock, which nobody else may try to take here."""
        assert self._scheduler.poll() is None, "The scheduler has ended: was there another one?"
        opened = psutil.Process(self._scheduler.pid).open_files()
        return any(Path(file.path).name == "scheduler.lock" for file in opened)

    def schedule_again(self) -> None:
        """Start the scheduler anew after its end, with the same options."""
        self.schedule(**self._options)

    def kill_scheduler(self) -> None:
        """End the scheduler as a crash would, and nothing that it has started."""
        if self._scheduler is not None:
            self._scheduler.kill()
            self._scheduler.wait()
            self._scheduler = None

    @property
    def scheduler_pid(self) -> int | None:
        """The number of the scheduler's process, if there is one."""
        return self._scheduler.pid if self._scheduler else None

    def queue(self, *configs: RunConfig, submitter: str | None = None) -> list[str]:
        """Queue runs that have nothing to do with each other."""
        return [self.store.create(config, submission=new_id(), submitter=submitter) for config in configs]

    def training(self, run_id: str) -> psutil.Process | None:
        """Return the process that trains a run; nothing if there is none."""
        entered = self.store.get(run_id).pid
        for process in processes.of_home(self.home):
            with suppress(psutil.Error):
                # Until it has entered itself, it is known by what it was started for.
                if process.pid == entered or run_id in process.cmdline():
                    return process
        return None

    def wait_for_steps(self, run_id: str, after: int = 0) -> None:
        """Wait until a run has measured steps after so many; fail if it ends before."""

        def came() -> bool:
            run = self.store.get(run_id)
            assert run.state in ("queued", *ACTIVE), f"Run {run_id} is {run.state} too early: {run.failure}"
            return run.state == "running" and run.step > after

        wait_for(came, START_S, f"Run {run_id} took no step within {START_S:.0f} s.")

    def wait_for_state(self, run_id: str, state: str, seconds: float = NOTICED_S) -> Run:
        """Wait until a run is in a state, and return it."""

        def came() -> bool:
            return self.store.get(run_id).state == state

        try:
            wait_for(came, seconds)
        except AssertionError:
            run = self.store.get(run_id)
            told = f"Run {run_id} is {run.state} ({run.failure}) and not {state} after {seconds:.0f} s."
            raise AssertionError(told) from None
        return self.store.get(run_id)

    def settle(self) -> None:
        """End all that works in this home and give up its runs, so that the next trial finds it at rest."""
        again = self._scheduler is not None
        self.kill_scheduler()
        processes.end(self.home)
        for run in self.store.find(states=("queued", *ACTIVE), limit=1000):
            with suppress(SupersededError, ValueError):  # it has ended meanwhile
                self.store.request_stop(run.id)
                self.store.fail(run.id, run.attempt, failure="Given up between two trials.", advice="")
        if again:
            self.schedule_again()

    def close(self) -> None:
        """End all that works in this home."""
        self.kill_scheduler()
        processes.end(self.home)
        self.store.close()
        self.closing.close()


def check_measurements(store: Store, run_id: str) -> None:
    """Fail if a measurement of a run is missing or there twice."""
    measured = store.metrics(run_id)
    numbers = [number for number, _ in measured]
    assert numbers == list(range(1, len(numbers) + 1)), f"Run {run_id}: measurements are not numbered without a gap."
    for split in ("train", "validation"):
        steps = [point.step for _, point in measured if point.split == split]
        assert steps == sorted(set(steps)), f"Run {run_id}: a {split} step was measured twice."
    epochs = [epoch.epoch for epoch in store.epochs(run_id)]
    assert epochs == list(range(1, len(epochs) + 1)), f"Run {run_id}: an epoch is missing or there twice: {epochs}."


def check_files(run_id: str) -> None:
    """Fail if what a run keeps cannot be read, or if anything of it had to be refused."""
    directory = run_directory(run_id)
    if (directory / "checkpoint.json").exists() or (directory / "checkpoint-before.json").exists():
        damage = checkpoints.load(directory).damage
        assert not damage, damage
    state = checkpoints.load_state(directory)
    assert state is None or not state.damage, state.damage


def check_integrity(database: Path) -> None:
    """Fail if SQLite finds fault with a database."""
    with closing(sqlite3.connect(database)) as connection:
        told = connection.execute("PRAGMA integrity_check").fetchall()
    assert told == [("ok",)], f"The database is damaged: {told}"


@contextmanager
def a_place(*, seed: int, long: bool, unpacked: Path | None = None) -> Iterator[Place]:
    """Make a home and take it away again; `unpacked` is a folder of data sets to begin with."""
    with tempfile.TemporaryDirectory(prefix="duet-faults-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with patch.dict(os.environ, {"DUET_HOME": folder}):
            os.environ.pop("DUET_STORE", None)
            if unpacked is None:
                datasets.load("mnist")
            else:
                furnish(home, unpacked)
            place = Place(home, seed=seed, long=long)
            try:
                yield place
            finally:
                place.close()
                shutil.rmtree(home / "datasets", ignore_errors=True)
