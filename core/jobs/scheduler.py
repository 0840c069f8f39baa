"""The queue: one process that turns queued runs into training processes, and notices how they end.

    prepare([config])               # a user is about to launch this: have a process warm
    run_ids = submit(store, [config], submission=token)
    ensure_running()

`python -m core.jobs.scheduler` is that process. It is started on demand, alone by a file lock, outlives
the dashboard, adopts running trainings when it starts anew, and goes when there is nothing to do.
Each device has slots: a GPU one, the CPU one unless `set_cpu_slots` or `DUET_CPU_SLOTS` says otherwise;
a pair takes one. Which run is next is said by `Store.queue`.
"""

import hashlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from filelock import Timeout
from sqlalchemy.exc import OperationalError

from core.config import RunConfig, with_seeds
from core.jobs.deaths import GONE, START_DEADLINE_S, alive, no_heartbeat, record_end, record_failure, scheduler_lock
from core.jobs.devices import known_devices
from core.jobs.warm_pool import WarmPool, assign, request
from core.networks.registry import get_architecture
from core.runs import ACTIVE, Run, Store, SupersededError, open_store
from core.runs.queue import Waiting
from core.system.files import explain_refusal
from core.system.paths import data_dir, run_directory, store_url
from core.system.processes import kill_with_children, spawn
from core.system.text import quoted

_log = logging.getLogger("duet.scheduler")

_TICK_S = 0.1
_IDLE_S = 20.0
_STOP_GRACE_S = 10.0
_SILENT_S = 10.0

KEEP_DELETED_S = 7 * 86_400.0
"""Seconds after which a deleted run is removed for good."""

CPU_SLOTS = range(1, 65)
"""How many runs or pairs the CPU may train at once."""


def submit(
    store: Store,
    configs: Sequence[RunConfig],
    *,
    submission: str,
    submitter: str | None = None,
    seeds: int = 1,
) -> list[str]:
    """Queue one run, or several that run side by side as a pair, and see to it that they start.

    With more `seeds` than one, that many are queued, each with the seed after the last one's, as one group.

    A `submission` that was seen before gives the runs it made then, so a double click makes one.

    Args:
        submitter: who launches, an opaque word; the queue is fair between submitters.

    Returns:
        The runs' ids, in the order of `configs`, those of the first seed first.

    Raises:
        ValueError: if there are none or too many `seeds`, or a network is gone.
    """
    for config in configs:
        get_architecture(config.architecture)  # it may have been deleted meanwhile
    cpu_slots(store)  # a wrong DUET_CPU_SLOTS is told here, where somebody reads it
    by_seed = zip(*(with_seeds(config, seeds) for config in configs), strict=True)
    group = _shared_id(f"{submission}/group") if seeds > 1 else None
    run_ids = []
    for number, together in enumerate(by_seed):
        own = f"{submission}/{number}"
        pair = _shared_id(own) if len(together) > 1 else None
        run_ids += [
            store.create(
                config,
                submission=f"{own}/{position}/{config.framework}",
                pair=pair,
                group=group,
                submitter=submitter,
            )
            for position, config in enumerate(together)
        ]
    ensure_running()
    return run_ids


def _shared_id(submission: str) -> str:
    """Return an id that is made of a submission, so that two clicks that are handled at once agree on it."""
    return hashlib.sha256(submission.encode()).hexdigest()[:12]


def prepare(configs: Sequence[RunConfig]) -> None:
    """Have a spare process ready for runs that a user is about to launch; see `core.jobs.warm_pool`."""
    request(configs)
    ensure_running()


def cpu_slots(store: Store) -> int:
    """Return how many runs or pairs the CPU trains at once."""
    given = os.environ.get("DUET_CPU_SLOTS")
    return _checked_slots("DUET_CPU_SLOTS", given) if given else store.setting("cpu_slots") or 1


def cpu_slots_are_fixed() -> bool:
    """Say whether whoever started Duet has settled how many runs the CPU trains at once."""
    return bool(os.environ.get("DUET_CPU_SLOTS"))


def set_cpu_slots(store: Store, count: int) -> None:
    """Let the CPU train so many runs or pairs at once; `DUET_CPU_SLOTS` overrules it.

    Raises:
        ValueError: if it is no number from 1 to 64.
    """
    store.set_setting("cpu_slots", _checked_slots("Runs at once on the CPU", str(count)))


def _checked_slots(title: str, text: str) -> int:
    if not text.isdecimal() or int(text) not in CPU_SLOTS:
        raise ValueError(
            f"{title}: expected a whole number from {CPU_SLOTS[0]} to {CPU_SLOTS[-1]}, received {quoted(text)}."
        )
    return int(text)


def ensure_running() -> None:
    """Start the scheduler's process unless there is one, or the disk can be written by none."""
    lock = scheduler_lock()
    try:
        lock.acquire(timeout=0)
        lock.release()
        with (data_dir() / "scheduler.log").open("ab") as log:
            spawn("core.jobs.scheduler", log=log)
    except Timeout:
        return
    except OSError as error:  # what is queued waits until whoever comes next can start it
        if explain_refusal(error) is None:
            raise
        _log.warning("The scheduler could not be started: %s", error)


def resume_pending(store: Store) -> None:
    """Start the scheduler's process where runs wait or train without one, as when all of Duet was ended by force."""
    if store.count(states=("queued", *ACTIVE)):
        ensure_running()


class Scheduler:
    """Starts queued runs as slots come free and records the ends that runs could not record themselves."""

    def __init__(self, store: Store):
        self._store = store
        self._children: dict[str, subprocess.Popen] = {}
        self._warm_pool = WarmPool()
        # When each run was first seen starting, and asked to end, on the clock that nobody sets.
        self._seen: dict[str, float] = {}
        self._ending: dict[str, float] = {}
        self._pulses: dict[str, _Pulse] = {}

    def tick(self) -> bool:
        """Look once at every run that has not ended; return whether there is anything to stay for."""
        listed = self._store.find(states=ACTIVE, limit=1000, deleted=None)
        active = [run for run in listed if not self._has_ended(run)]
        for run in active:
            self._check_heartbeat(run)
        self._reap({run.id for run in listed})
        queued = self._store.waiting()
        slots = cpu_slots(self._store) if queued else 1
        for waiting in queued:
            device = self._device(waiting, active, slots)
            if device and self._start(waiting, device):
                active.append(self._store.get(waiting.id))
        processes_wanted = self._warm_pool.tick(free=not active and not queued)
        return bool(active or queued or processes_wanted)

    def close(self) -> None:
        """Give back what nobody waits for any more."""
        self._warm_pool.close()

    def _reap(self, listed: set[str]) -> None:
        """Forget the processes of runs whose end is recorded, once they are gone."""
        for run_id in self._children.keys() - listed:
            if self._children[run_id].poll() is not None:
                del self._children[run_id]
        for times in (self._seen, self._ending, self._pulses):
            for run_id in times.keys() - listed:
                del times[run_id]

    def _check_heartbeat(self, run: Run) -> None:
        """Record that a run is not responding once its last heartbeat is long ago.

        Time that this process was stopped itself, or slept through with the machine, does not count.
        """
        now = time.monotonic()
        before = self._pulses.get(run.id)
        if before is None or before.beat_at != run.heartbeat_at:
            self._pulses[run.id] = _Pulse(run.heartbeat_at, now, 0.0)
            return
        unresponsive = before.silent_s + min(now - before.looked_at, 1.0)
        self._pulses[run.id] = _Pulse(run.heartbeat_at, now, unresponsive)
        if unresponsive > _SILENT_S and not run.unresponsive and run.pid is not None:
            _log.info("%s is not responding", run.id)
            with suppress(SupersededError):  # it has ended since it was looked up
                self._store.mark_unresponsive(run.id, run.attempt)

    def _device(self, run: Waiting, active: Sequence[Run], slots: int) -> str | None:
        """Return the device to start a run on now; None if it has to wait.

        Args:
            slots: how many runs or pairs the CPU trains at once; any other device trains one.
        """

        def has_room(device: str) -> bool:
            groups = {other.pair or other.id for other in active if other.config.device == device}
            return run.pair in groups or len(groups) < (slots if device == "cpu" else 1)

        allowed = [run.device]
        if run.device == "auto":  # any accelerator rather than the CPU
            found = [device.name for device in known_devices(run.framework).devices]
            allowed = sorted(found, key=lambda name: (name == "cpu", name))
        return next((device for device in allowed if has_room(device)), None)

    def _start(self, waiting: Waiting, device: str) -> bool:
        attempt = self._store.claim(waiting.id, device)
        if attempt is None:
            return False
        run = self._store.get(waiting.id)
        try:
            directory = run_directory(run.id)
            directory.mkdir(parents=True, exist_ok=True)
            self._children[run.id] = self._process(run, directory)
        except OSError as error:  # no disk, memory or process left; the runs after it may have better luck
            failure = f"The training process could not be started: {error}."
            record_failure(self._store, run.id, attempt, failure, cause="not_started")
            return False
        self._warm_pool.want([run.config])
        _log.info("Started %s", run.id)
        return True

    def _process(self, run: Run, directory: Path) -> subprocess.Popen:
        """Return the process that trains a run: a warm one if there is one that fits, else a new one."""
        if spare := self._warm_pool.take(run.config):
            try:
                assign(spare, run.id, store_url())
            except OSError:  # it has just gone
                spare.wait()
            else:
                return spare
        with (directory / "log.txt").open("ab") as log:
            return spawn("core.jobs.worker", run.id, log=log)

    def _has_ended(self, run: Run) -> bool:
        child = self._children.get(run.id)
        if child is not None:
            code = child.poll()
            gone = code is not None
        else:
            code, gone = None, run.pid is not None and not alive(run)
        if gone:
            self._children.pop(run.id, None)
            self._record_death(run, code)
            return True
        if (run.stop_requested or run.pause_requested) and _has_passed(_STOP_GRACE_S, self._ending, run.id):
            self._kill(run)
        if run.pid is None and _has_passed(START_DEADLINE_S, self._seen, run.id):
            self._kill(run)
            record_end(self._store, run, no_heartbeat(START_DEADLINE_S), cause="not_started")
            return True
        return False

    def _kill(self, run: Run) -> None:
        """End a process that does not do as asked, with all it started."""
        child = self._children.get(run.id)
        pid = child.pid if child is not None else run.pid if alive(run) else None
        if pid is None:
            return
        _log.info("Killing %s, process %s", run.id, pid)
        kill_with_children(pid)

    def _record_death(self, run: Run, code: int | None) -> None:
        if code is not None and code < 0:
            record_end(self._store, run, f"The training process was killed ({_signal(-code)}).")
        elif code:
            record_end(self._store, run, f"The training process ended early with exit code {code}.", cause="error")
        else:
            record_end(self._store, run, GONE)


class _Pulse(NamedTuple):
    """The last heartbeat that was seen of a run, when, and for how many seconds it has been the last."""

    beat_at: float | None
    looked_at: float
    silent_s: float


def _has_passed(seconds: float, since: dict[str, float], run_id: str) -> bool:
    """Say whether so many seconds have passed since this was first asked of a run."""
    now = time.monotonic()
    return now - since.setdefault(run_id, now) > seconds


def _signal(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:  # a real-time signal, which has no name
        return f"signal {number}"


def main() -> None:
    """Schedule until nothing has been left to do for a while."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = open_store()
    scheduler = Scheduler(store)
    waiting = True
    while waiting:
        try:
            with scheduler_lock().acquire(timeout=0):
                store.purge(older_than_s=KEEP_DELETED_S)
                try:
                    _work(scheduler)
                finally:
                    scheduler.close()
        except Timeout:
            return
        # A run that was queued while the lock was still held has relied on this process.
        waiting = bool(store.find(states=("queued",), limit=1))


def _work(scheduler: Scheduler) -> None:
    idle_since = time.monotonic()
    while True:
        busy = False
        try:
            busy = scheduler.tick()
        except OperationalError as error:  # the database is busy, or the disk full: no reason to leave at once
            _log.info("Trying again: %s", error.orig)
        if busy:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since >= _IDLE_S:  # asked right after a look, as this process may be held up
            return
        time.sleep(_TICK_S)


if __name__ == "__main__":
    main()
