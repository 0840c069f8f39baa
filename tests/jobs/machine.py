"""Store and scheduler under random sequences of what users, processes and clocks do, beside a model of what must hold.

    run_sequences(Machine, examples=20, steps=25)

The store and the scheduler are Duet's own. The training processes are stand-ins that do nothing by themselves, and the
clocks stand still but for the rules, so a sequence that fails is found again, and made as short as it can be.
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from core.config import configure
from core.jobs import deaths, scheduler
from core.jobs.deaths import note_deaths
from core.jobs.scheduler import Scheduler
from core.runs import ACTIVE, Results, Run, Store, SupersededError
from tests.stepping import CountedMachine

CONFIG = configure(architecture="ann-100", train_limit=100)
CHOICE = st.integers(0, 1_000_000)
_DAY_S = 86_400.0
_ALIVE = deaths.alive


@dataclass
class Process:
    """A training process as far as the scheduler sees it."""

    pid: int
    code: int | None = None
    entered: bool = False
    is_child: bool = True
    """Whether the scheduler that works now has started it."""

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        if self.code is None:
            self.code = -9


@dataclass
class Model:
    """What must be true of one run."""

    state: str = "queued"
    attempt: int = 0
    deleted: bool = False
    stop: bool = False
    pause: bool = False
    process: Process | None = None
    older: list[int] = field(default_factory=list)
    """The attempts before, whose processes may still try to tell something."""

    def end(self, state: str) -> None:
        self.state, self.process = state, None

    def queue_again(self) -> None:
        self.older.append(self.attempt)
        self.state, self.stop, self.pause = "queued", False, False

    @property
    def ending(self) -> str:
        """How it ends if its process is gone."""
        return "stopped" if self.stop else "paused" if self.pause else "failed"


class Machine(CountedMachine):
    """Random steps; after each the store must say what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="machine-"))
        self.stack = ExitStack()
        self.monotonic, self.wall, self.pids = 1000.0, 1.7e9, itertools.count(100)
        self.processes: dict[int, Process] = {}
        self.runs: dict[str, Model] = {}
        self.submissions = itertools.count()
        clock = SimpleNamespace(monotonic=lambda: self.monotonic, time=lambda: self.wall, sleep=lambda _seconds: None)
        for name, replacement in {
            "core.jobs.scheduler.time": clock,
            "core.jobs.deaths.time": clock,
            "core.runs.store.time": clock,
            "core.runs.annotations.time": clock,
            "core.runs.changes.time": clock,
            "core.jobs.scheduler.spawn": self.spawn,
            "core.jobs.scheduler.kill_with_children": lambda pid: self.processes[pid].kill(),
            "core.jobs.warm_pool.WarmPool.want": lambda _pool, _configs: None,
            "core.jobs.warm_pool.WarmPool.take": lambda _pool, _config: None,
            "core.jobs.warm_pool.WarmPool.tick": lambda _pool, **_options: False,
            "core.jobs.scheduler.run_directory": self.directory,
            "core.runs.annotations.run_directory": self.directory,
            "core.jobs.deaths.START_DEADLINE_S": float("inf"),  # there is a scheduler
        }.items():
            self.stack.enter_context(patch(name, replacement))
        for module in (deaths, scheduler):
            if module.alive is _ALIVE:  # a planted fault stays
                self.stack.enter_context(patch.object(module, "alive", self.alive))
        self.store = Store(f"sqlite:///{self.home / 'runs.sqlite3'}")
        self.scheduler = Scheduler(self.store)

    def directory(self, run_id: str) -> Path:
        return self.home / run_id

    def alive(self, run: Run) -> bool:
        return run.pid in self.processes and self.processes[run.pid].code is None

    def spawn(self, _module: str, run_id: str, *, log: Any) -> Process:
        process = Process(next(self.pids))
        self.processes[process.pid] = process
        self.starting[run_id] = process
        return process

    def teardown(self) -> None:
        self.store.close()
        self.stack.close()
        shutil.rmtree(self.home, ignore_errors=True)

    # What users do.

    @rule()
    def submit(self) -> None:
        run_id = self.store.create(CONFIG, submission=f"{next(self.submissions)}")
        self.runs[run_id] = Model()

    @rule(choice=CHOICE)
    def clone(self, choice: int) -> None:
        if self.runs:
            other = self.store.clone(self.pick(choice), submission=f"{next(self.submissions)}", epochs=5)
            self.runs[other] = Model()

    @rule(choice=CHOICE)
    def stop(self, choice: int) -> None:
        def allowed(run: Model) -> bool:
            return run.state in ("queued", "paused", *ACTIVE) and not run.deleted

        def change(run: Model) -> None:
            if run.state in ACTIVE:
                run.stop = True
            else:
                run.end("stopped")

        self.act(choice, self.store.request_stop, allowed, change)

    @rule(choice=CHOICE)
    def pause(self, choice: int) -> None:
        def change(run: Model) -> None:
            if run.state in ACTIVE:
                run.pause = True
            else:
                run.end("paused")

        def allowed(run: Model) -> bool:
            return run.state in ("queued", *ACTIVE) and not run.deleted

        self.act(choice, self.store.request_pause, allowed, change)

    @rule(choice=CHOICE, anew=st.booleans())
    def resume(self, choice: int, anew: bool) -> None:
        def allowed(run: Model) -> bool:
            return run.state in ("failed", "stopped", "paused") and not run.deleted

        self.act(choice, self.store.retry if anew else self.store.resume, allowed, Model.queue_again)

    @rule(choice=CHOICE)
    def delete(self, choice: int) -> None:
        def change(run: Model) -> None:
            run.deleted = True
            if run.state == "queued":
                run.end("stopped")

        self.act(choice, self.store.delete, lambda run: run.state not in ACTIVE and not run.deleted, change)

    @rule(choice=CHOICE)
    def restore(self, choice: int) -> None:
        self.act(choice, self.store.restore, lambda run: run.deleted, lambda run: setattr(run, "deleted", False))

    @rule()
    def purge(self) -> None:
        gone = set(self.store.purge())
        assert gone == {run_id for run_id, run in self.runs.items() if run.deleted}
        self.runs = {run_id: run for run_id, run in self.runs.items() if run_id not in gone}

    # What training processes do.

    @rule(choice=CHOICE)
    def enter_and_begin(self, choice: int) -> None:
        for run_id, run in self.with_process(choice):
            if not run.process.entered:
                self.store.enter(run_id, run.attempt, pid=run.process.pid, process_started_at=1.0)
                run.process.entered = True
                self.store.begin(run_id, run.attempt, total_steps=100)
                run.state = "running"

    @rule(choice=CHOICE)
    def heed(self, choice: int) -> None:
        """Send a heartbeat, and do as asked."""
        for run_id, run in self.with_process(choice):
            if run.process.entered:
                asked = self.store.heartbeat(run_id, run.attempt)
                assert asked == ("stop" if run.stop else "pause" if run.pause else None)
                if asked:
                    self.store.finish(run_id, run.attempt, "stopped" if asked == "stop" else "paused", Results())
                    run.process.code = 0
                    run.end("stopped" if asked == "stop" else "paused")

    @rule(choice=CHOICE, well=st.booleans())
    def finish(self, choice: int, well: bool) -> None:
        for run_id, run in self.with_process(choice):
            if run.process.entered:
                if well:
                    self.store.finish(run_id, run.attempt, "done", Results(test_accuracy=0.9))
                else:
                    self.store.fail(run_id, run.attempt, failure="It failed.", advice="Do better.")
                run.process.code = 0
                run.end("done" if well else "failed")

    @rule(choice=CHOICE)
    def kill(self, choice: int) -> None:
        for _, run in self.with_process(choice):
            run.process.kill()

    @precondition(lambda self: any(run.older for run in self.runs.values()))
    @rule(choice=CHOICE)
    def speak_late(self, choice: int) -> None:
        """A process of an older attempt, held up until now, tells its end: nobody listens."""
        known = [(run_id, run) for run_id, run in self.runs.items() if run.older]
        run_id, run = known[choice % len(known)]
        with suppress(SupersededError):
            self.store.finish(run_id, run.older[choice % len(run.older)], "done", Results())
            raise AssertionError("A process of an older attempt has ended its run.")

    # What time and the scheduler do.

    @rule(seconds=st.sampled_from([0.1, 3.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    @rule(seconds=st.sampled_from([_DAY_S, -_DAY_S]))
    def set_clock(self, seconds: float) -> None:
        self.wall += seconds

    @rule()
    def restart_scheduler(self) -> None:
        self.scheduler = Scheduler(self.store)
        for process in self.processes.values():
            process.is_child = False

    @rule()
    def look(self) -> None:
        """List the runs, as the command line and the pages do."""
        for run_id, run in self.active():
            ceased = abs(self.wall - (self.store.get(run_id).heartbeat_at or 0.0)) > 3.0
            if run.process.entered and run.process.code is not None and ceased:
                run.end(run.ending)
        note_deaths(self.store)

    @rule()
    def tick(self) -> None:
        gone = [
            run
            for _, run in self.active()
            if run.process.code is not None and (run.process.entered or run.process.is_child)
        ]
        waiting = [run.id for run in self.store.queue()]
        unentered = [(run_id, run) for run_id, run in self.active() if not run.process.entered and run not in gone]
        for run in gone:
            run.end(run.ending)
        self.starting: dict[str, Process] = {}
        self.scheduler.tick()
        for run_id, run in unentered:  # given up after a minute, by the scheduler's own clock
            if self.store.get(run_id).state not in ACTIVE:
                run.process.kill()
                run.end(run.ending)
        free = not self.active()
        assert list(self.starting) == (waiting[:1] if free else []), "It has started others than the first that waits."
        for run_id, process in self.starting.items():
            run = self.runs[run_id]
            run.state, run.attempt, run.process = "starting", run.attempt + 1, process

    # What must hold.

    @invariant()
    def store_says_what_the_model_says(self) -> None:
        found = {run.id: run for run in self.store.find(limit=10_000, deleted=None)}
        assert found.keys() == self.runs.keys()
        for run_id, run in self.runs.items():
            told = found[run_id]
            assert (told.state, told.attempt, told.deleted_at is not None) == (run.state, run.attempt, run.deleted)
            assert (told.ended_at is None) == (run.state in ("queued", *ACTIVE))
        listed = {run.id for run in self.store.find(limit=10_000)}
        assert listed == {run_id for run_id, run in self.runs.items() if not run.deleted}
        assert len(self.active()) <= 1, "More train at once than there are slots."
        waiting = {run.id for run in self.store.queue()}
        assert waiting == {run_id for run_id, run in self.runs.items() if run.state == "queued"}

    def pick(self, choice: int) -> str:
        return list(self.runs)[choice % len(self.runs)]

    def active(self) -> list[tuple[str, Model]]:
        return [(run_id, run) for run_id, run in self.runs.items() if run.state in ACTIVE]

    def with_process(self, choice: int) -> Iterator[tuple[str, Model]]:
        """Yield one run that is trained by a living process, if there is any."""
        living = [(run_id, run) for run_id, run in self.active() if run.process.code is None]
        if living:
            yield living[choice % len(living)]

    def act(
        self, choice: int, do: Callable[[str], None], allowed: Callable[[Model], bool], change: Callable[[Model], None]
    ) -> None:
        """Do something to a run: it changes as the model says, or is refused with a sentence."""
        if not self.runs:
            return
        run_id = self.pick(choice)
        run = self.runs[run_id]
        if allowed(run):
            do(run_id)
            change(run)
        else:
            with suppress(ValueError):
                do(run_id)
                raise AssertionError(f"{do.__name__} of a run that is {run.state} said nothing.")
