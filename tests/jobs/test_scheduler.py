"""The queue and the fate of training processes, with real processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from filelock import FileLock
from sqlalchemy.exc import OperationalError

from core import runs
from core.config import RunConfig, configure
from core.jobs import scheduler
from core.jobs.deaths import alive
from core.jobs.devices import Device, Devices
from core.jobs.scheduler import Scheduler, cpu_slots, ensure_running, set_cpu_slots, submit
from core.runs import ENDED, Run, Store
from core.system.paths import PROJECT, run_directory, store_url
from core.system.processes import spawn, started_at
from tests import processes
from tests.conftest import furnish
from tests.waiting import wait_for

QUICK = configure(architecture="ann-100", train_limit=500, epochs=2, threads=1)
KERAS = QUICK.model_copy(update={"framework": "keras"})
LONG = QUICK.model_copy(update={"epochs": 1000, "batch_size": 1})


def tick_until(looked: Scheduler, condition: Callable[[], object], seconds: float = 30) -> None:
    """Let a scheduler look at its runs again and again until a condition holds."""

    def tick_and_ask() -> object:
        looked.tick()
        return condition()

    wait_for(tick_and_ask, seconds)


@pytest.fixture
def store() -> Store:
    return Store(store_url())


def queue(store: Store, *configs: RunConfig) -> list[str]:
    """Queue runs that have nothing to do with each other."""
    return [store.create(config, submission=runs.new_id()) for config in configs]


@pytest.fixture(autouse=True)
def no_warm_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedulers of this process keep no spare processes; `tests/jobs/test_warm_pool.py` is about them."""
    monkeypatch.setattr("core.jobs.warm_pool._WANTED_S", 0.0)


@pytest.fixture
def use_workers(duet_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Call it with a conduct to let schedulers of this process start the training processes of `tests.workers`."""

    def use(conduct: str) -> None:
        monkeypatch.setattr(
            scheduler, "spawn", lambda _module, *arguments, log: spawn("tests.workers", conduct, *arguments, log=log)
        )

    yield use
    wait_for(lambda: not processes.of_home(duet_home), seconds=10)  # an end is recorded just before the process goes


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen]:
    """A living process that is no training."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    yield process
    process.communicate(b"\n", timeout=10)
    assert process.returncode == 0


# Real trainings of both frameworks.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, unpacked_datasets: Path) -> Iterator[SimpleNamespace]:
    """A pair and a run after it, trained through the queue, with who was active at each look."""
    with pytest.MonkeyPatch.context() as patch:
        home = furnish(tmp_path_factory.mktemp("trained"), unpacked_datasets)
        patch.setenv("DUET_HOME", str(home))
        patch.setattr(scheduler, "ensure_running", lambda: None)
        patch.setattr("core.jobs.warm_pool._WANTED_S", 0.0)
        store = Store(store_url())
        *pair, last = [
            *submit(store, [QUICK, KERAS], submission="pair"),
            *submit(store, [QUICK], submission="last"),
        ]
        active: list[set[str]] = []

        def all_have_ended() -> bool:
            active.append({run.id for run in store.find(states=runs.ACTIVE)})
            return all(run.state in ENDED for run in store.find())

        tick_until(Scheduler(store), all_have_ended, seconds=90)
        yield SimpleNamespace(
            pair=[store.get(run_id) for run_id in pair],
            last=store.get(last),
            active=active,
            directories={run.id: run_directory(run.id) for run in store.find()},
        )
        processes.end(home)
        shutil.rmtree(home / "datasets")


def test_queued_runs_are_trained(trained):
    assert [run.state for run in (*trained.pair, trained.last)] == ["done"] * 3
    assert all(run.results.test_accuracy > 0.3 for run in (*trained.pair, trained.last))


def test_one_device_trains_one_run_or_pair_at_a_time_in_order(trained):
    pair = {run.id for run in trained.pair}

    assert pair in trained.active
    assert all(active <= pair or active == {trained.last.id} for active in trained.active)
    assert max(run.ended_at for run in trained.pair) <= trained.last.started_at


def test_training_process_keeps_a_log(trained):
    for directory in trained.directories.values():
        log = (directory / "log.txt").read_text()
        assert "Preparing ann-100" in log
        assert "Epoch 2: validation loss" in log
        assert "Done after" in log


def test_killed_training_is_found_failed(store):
    (run_id,) = queue(store, LONG)
    looked = Scheduler(store)
    tick_until(looked, lambda: store.get(run_id).step > 0)

    os.kill(store.get(run_id).pid, signal.SIGKILL)
    tick_until(looked, lambda: store.get(run_id).state == "failed", seconds=10)

    run = store.get(run_id)
    assert run.failure == "The training process was killed (signal 9, SIGKILL)."
    assert run.cause == "killed"
    assert "smaller batch size" in run.advice
    assert not looked.tick()


def test_training_is_stopped_while_it_starts(store, monkeypatch):
    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", 120)  # on a busy machine a start may take long
    (run_id,) = queue(store, LONG)
    looked = Scheduler(store)
    looked.tick()
    assert store.get(run_id).state == "starting"

    store.request_stop(run_id)
    tick_until(looked, lambda: not alive(store.get(run_id)) and store.get(run_id).state not in runs.ACTIVE)

    run = store.get(run_id)
    assert run.state == "stopped"
    assert run.results.train_seconds > 0  # it has ended by itself, and told what it had done
    assert run.failure is None


@pytest.mark.usefixtures("ends_processes")
def test_new_scheduler_adopts_a_training_and_records_its_end(store, duet_home):
    def schedulers() -> list[psutil.Process]:
        return processes.of_home(duet_home, "core.jobs.scheduler")

    (run_id,) = submit(store, [LONG], submission="a")
    ensure_running()
    wait_for(lambda: store.get(run_id).step > 0)
    wait_for(lambda: len(schedulers()) == 1)  # of two that were started, one has left
    (killed,) = schedulers()
    killed.kill()
    killed.wait(10)  # its lock is free only when it is quite gone

    step = store.get(run_id).step
    ensure_running()
    wait_for(lambda: schedulers())
    wait_for(lambda: store.get(run_id).step > step)
    assert store.get(run_id).attempt == 1

    psutil.Process(store.get(run_id).pid).kill()
    wait_for(lambda: store.get(run_id).state == "failed", seconds=10)
    assert store.get(run_id).failure == "The training process is gone: it was killed, or the machine was restarted."


# The rest needs no training.


def test_many_queued_runs_go_one_at_a_time_in_order(store, use_workers):
    use_workers("quick")
    queued = queue(store, *[QUICK] * 4)
    gpu, *_ = queue(store, QUICK.model_copy(update={"device": "gpu:0"}))
    busy: list[list[Run]] = []

    def all_are_done() -> bool:
        busy.append(store.find(states=runs.ACTIVE))
        return all(run.state == "done" for run in store.find())

    tick_until(Scheduler(store), all_are_done)

    assert sorted(queued, key=lambda run_id: store.get(run_id).started_at) == queued
    assert all(len([run for run in active if run.config.device == "cpu"]) <= 1 for active in busy)
    assert store.get(gpu).started_at < store.get(queued[1]).started_at  # another device has its own slot


@pytest.mark.slow
def test_never_more_runs_at_once_than_there_are_slots_and_submitters_take_turns(store, use_workers):
    use_workers("quick")
    set_cpu_slots(store, 2)
    queued = [
        store.create(QUICK, submission=f"{i}", name=f"{i}", submitter="first" if i < 16 else "second")
        for i in range(20)
    ]
    busy: list[int] = []

    def all_are_done() -> bool:
        busy.append(store.count(states=runs.ACTIVE))
        return store.count(states=("done",)) == 20

    tick_until(Scheduler(store), all_are_done, seconds=120)

    assert max(busy) == 2
    started = sorted((store.get(run_id) for run_id in queued), key=lambda run: run.started_at)
    assert [run.submitter for run in started[:8]] == ["first", "second"] * 4
    for submitter in ("first", "second"):
        names = [int(run.name) for run in started if run.submitter == submitter]
        assert names == sorted(names)


def test_queue_is_worked_off_in_the_order_that_it_was_brought_into(store, use_workers):
    use_workers("quick")
    first, second, third, fourth = queue(store, *[QUICK] * 4)
    store.move(third, "front")
    store.set_priority(fourth, 1)

    tick_until(Scheduler(store), lambda: store.count(states=("done",)) == 4)

    assert [run.id for run in sorted(store.find(), key=lambda run: run.started_at)] == [fourth, third, first, second]


def test_run_takes_the_next_free_device(store, use_workers, monkeypatch):
    use_workers("stubborn")
    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", 0)
    found = Devices((Device("cpu", "CPU"), Device("gpu:0", "GPU"), Device("gpu:1", "GPU")), probed=True)
    monkeypatch.setattr(scheduler, "known_devices", lambda _framework: found)
    queued = queue(store, *[QUICK.model_copy(update={"device": "auto"})] * 4)
    looked = Scheduler(store)

    tick_until(looked, lambda: store.count(states=("running",)) == 3)
    assert [store.get(run_id).config.device for run_id in queued] == ["gpu:0", "gpu:1", "cpu", "auto"]

    store.request_stop(queued[1])
    tick_until(looked, lambda: store.get(queued[3]).state == "running")
    assert store.get(queued[3]).config.device == "gpu:1"

    for run_id in (queued[0], *queued[2:]):
        store.request_stop(run_id)
    tick_until(looked, lambda: store.count(states=runs.ACTIVE) == 0)


@pytest.mark.parametrize("text", ["0", "65", "-1", "two", "1.5"])
def test_wrong_number_of_slots_is_refused(store, monkeypatch, text):
    with pytest.raises(
        ValueError, match=f"Runs at once on the CPU: expected a whole number from 1 to 64, received '{text}'"
    ):
        set_cpu_slots(store, text)

    monkeypatch.setenv("DUET_CPU_SLOTS", text)
    with pytest.raises(ValueError, match="DUET_CPU_SLOTS: expected a whole number from 1 to 64"):
        submit(store, [QUICK], submission="a")
    assert store.count() == 0


def test_slots_come_from_the_setting_unless_the_environment_says_otherwise(store, monkeypatch):
    assert cpu_slots(store) == 1
    set_cpu_slots(store, 3)
    assert cpu_slots(store) == 3

    monkeypatch.setenv("DUET_CPU_SLOTS", "2")
    assert cpu_slots(store) == 2


def test_paused_run_leaves_its_slot_and_comes_back(store, use_workers):
    use_workers("pausing")
    (paused,) = queue(store, QUICK)
    looked = Scheduler(store)
    tick_until(looked, lambda: store.get(paused).state == "running")

    store.request_pause(paused)
    (other,) = queue(store, QUICK)
    tick_until(looked, lambda: store.get(paused).state == "paused" and store.get(other).state == "running")

    store.resume(paused)
    store.request_pause(other)
    tick_until(looked, lambda: store.get(paused).state == "running")
    assert store.get(paused).attempt == 2

    store.request_pause(paused)
    tick_until(looked, lambda: store.get(paused).state == "paused")


def test_run_that_does_not_pause_is_ended_as_paused(store, use_workers, monkeypatch):
    use_workers("stubborn")
    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", 0.3)
    (run_id,) = queue(store, QUICK)
    looked = Scheduler(store)
    tick_until(looked, lambda: store.get(run_id).state == "running")

    store.request_pause(run_id)
    tick_until(looked, lambda: store.get(run_id).state == "paused")


def test_stopped_process_is_not_responding_until_it_goes_on(store, use_workers, monkeypatch):
    monkeypatch.setattr(scheduler, "_SILENT_S", 0.5)
    use_workers("halted")
    (run_id,) = queue(store, QUICK)
    looked = Scheduler(store)
    tick_until(looked, lambda: store.get(run_id).state == "running")

    tick_until(looked, lambda: store.get(run_id).unresponsive)
    assert store.get(run_id).state == "running"

    os.kill(store.get(run_id).pid, signal.SIGCONT)
    tick_until(looked, lambda: not store.get(run_id).unresponsive)
    store.request_pause(run_id)
    tick_until(looked, lambda: store.get(run_id).state == "paused")


def test_clock_that_is_set_forward_silences_nobody(store, monkeypatch):
    """Nor does a scheduler that was stopped itself for a day."""
    run_id = store.create(QUICK, submission="a", claimed=True)
    store.enter(run_id, 1, pid=os.getpid(), process_started_at=started_at(psutil.Process()))
    looked = Scheduler(store)
    looked.tick()

    now = time.monotonic()
    clock = SimpleNamespace(time=lambda: time.time() + 86_400, monotonic=lambda: now + 86_400)
    monkeypatch.setattr(scheduler, "time", clock)
    looked.tick()

    assert not store.get(run_id).unresponsive


@pytest.mark.usefixtures("hasty")
def test_long_deleted_runs_are_purged_by_the_scheduler(store, monkeypatch):
    (run_id,) = queue(store, QUICK)
    store.delete(run_id)

    scheduler.main()
    assert store.count(deleted=True) == 1

    monkeypatch.setattr(scheduler, "KEEP_DELETED_S", 0)
    scheduler.main()
    assert store.count(deleted=None) == 0


def test_process_that_dies_before_its_first_sign_of_life_is_found(store, use_workers):
    use_workers("dies")
    (run_id,) = queue(store, QUICK)

    tick_until(Scheduler(store), lambda: store.get(run_id).state == "failed", seconds=10)

    assert store.get(run_id).failure == "The training process ended early with exit code 3."


@pytest.mark.parametrize("asked_to_stop", [False, True])
def test_process_that_sends_no_heartbeat_is_ended(store, duet_home, use_workers, monkeypatch, asked_to_stop):
    use_workers("silent")
    monkeypatch.setattr(scheduler, "START_DEADLINE_S", 0.3)
    (run_id,) = queue(store, QUICK)
    looked = Scheduler(store)
    looked.tick()
    if asked_to_stop:
        store.request_stop(run_id)

    tick_until(looked, lambda: store.get(run_id).state in ENDED and not processes.of_home(duet_home))

    run = store.get(run_id)
    if asked_to_stop:
        assert run.state == "stopped"
    else:
        assert run.failure == "The training process sent no heartbeat within 0 s."


def test_start_that_a_scheduler_did_not_live_to_make_is_found(store, monkeypatch):
    monkeypatch.setattr(scheduler, "START_DEADLINE_S", 0.1)
    (run_id,) = queue(store, QUICK)
    store.claim(run_id)  # and then it was killed

    tick_until(Scheduler(store), lambda: store.get(run_id).state == "failed", seconds=10)


def test_clock_that_is_set_forward_ends_no_start(store, monkeypatch):
    (run_id,) = queue(store, QUICK)
    store.claim(run_id)
    a_day_later = time.time() + 86_400
    clock = SimpleNamespace(time=lambda: a_day_later, monotonic=time.monotonic)
    monkeypatch.setattr(scheduler, "time", clock)
    monkeypatch.setattr("core.runs.store.time", clock)
    looked = Scheduler(store)

    assert looked.tick()
    assert looked.tick()

    assert store.get(run_id).state == "starting"


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere the time of a start stays when the clock is set")
def test_clock_that_is_set_does_not_hide_a_living_process(store, monkeypatch):
    run_id = store.create(QUICK, submission="a", claimed=True)
    store.enter(run_id, 1, pid=os.getpid(), process_started_at=started_at(psutil.Process()))
    before = psutil.Process().create_time()
    true = psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: true + 86_400)  # counted back from the time of day

    assert psutil.Process().create_time() == before + 86_400
    assert alive(store.get(run_id))


@pytest.mark.parametrize("asked_to_stop", [False, True])
def test_stranger_with_the_pid_of_a_training_is_left_alone(store, monkeypatch, stranger, asked_to_stop):
    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", -1)
    run_id = store.create(QUICK, submission="a", claimed=True)
    earlier = started_at(psutil.Process(stranger.pid)) - 100
    store.enter(run_id, 1, pid=stranger.pid, process_started_at=earlier)
    if asked_to_stop:
        store.request_stop(run_id)

    assert not Scheduler(store).tick()

    assert store.get(run_id).state == ("stopped" if asked_to_stop else "failed")
    assert stranger.poll() is None


def test_training_that_ignores_a_stop_is_killed_with_its_children(store, duet_home, use_workers, monkeypatch):
    use_workers("stubborn")
    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", 0.3)
    (run_id,) = queue(store, QUICK)
    looked = Scheduler(store)
    tick_until(looked, lambda: store.get(run_id).state == "running")
    wait_for(lambda: len(processes.of_home(duet_home)) == 4)
    looked.tick()
    assert alive(store.get(run_id))  # nobody has asked

    store.request_stop(run_id)
    tick_until(looked, lambda: store.get(run_id).state == "stopped")

    wait_for(lambda: not processes.of_home(duet_home))


def test_training_has_time_to_stop_by_itself(store, duet_home, use_workers, monkeypatch):
    use_workers("stubborn")
    (run_id,) = queue(store, QUICK)
    looked = Scheduler(store)
    tick_until(looked, lambda: store.get(run_id).state == "running")
    wait_for(lambda: len(processes.of_home(duet_home)) == 4)  # a child that comes later would survive
    store.request_stop(run_id)

    for _ in range(3):
        looked.tick()
    assert alive(store.get(run_id))

    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", 0)
    tick_until(looked, lambda: store.get(run_id).state == "stopped")


def test_stubborn_training_of_a_command_line_is_killed_alone(store, duet_home, monkeypatch):
    """It shares its process group with whatever else the command line runs: here, with this test."""
    monkeypatch.setattr(scheduler, "_STOP_GRACE_S", 0)
    run_id = store.create(QUICK, submission="a", claimed=True)
    command = [sys.executable, "-m", "tests.workers", "stubborn", run_id]
    training = subprocess.Popen(command, cwd=PROJECT)
    wait_for(lambda: store.get(run_id).state == "running")
    store.request_stop(run_id)

    tick_until(Scheduler(store), lambda: store.get(run_id).state == "stopped")

    assert training.wait(timeout=10) == -signal.SIGKILL
    wait_for(lambda: not processes.of_home(duet_home))


def test_no_process_list_shows_the_password_of_the_store(duet_home, use_workers, monkeypatch):
    monkeypatch.setenv("DUET_STORE", f"sqlite:///{duet_home}/planted-secret.sqlite3")
    use_workers("pausing")
    store = Store(store_url())
    (run_id,) = queue(store, QUICK)
    tick_until(Scheduler(store), lambda: store.get(run_id).state == "running")

    commands = [" ".join(process.cmdline()) for process in processes.of_home(duet_home)]
    assert any(run_id in command for command in commands)
    assert not any("planted-secret" in command for command in commands)
    store.request_pause(run_id)
    wait_for(lambda: store.get(run_id).state == "paused")


def test_stopped_queued_run_is_never_started(store, use_workers):
    use_workers("quick")
    stopped, kept = queue(store, QUICK, QUICK)
    store.request_stop(stopped)

    tick_until(Scheduler(store), lambda: store.get(kept).state == "done")

    assert store.get(stopped).attempt == 0
    assert not run_directory(stopped).exists()


@pytest.mark.usefixtures("use_workers")
def test_run_that_cannot_be_started_fails_and_the_next_one_gets_its_turn(store, monkeypatch):
    def refuse(_module: str, run_id: str, log: object) -> subprocess.Popen:
        if run_id == bad:
            raise OSError("Cannot allocate memory")
        return spawn("tests.workers", "quick", run_id, log=log)

    monkeypatch.setattr(scheduler, "spawn", refuse)
    bad, good = queue(store, QUICK, QUICK)

    tick_until(Scheduler(store), lambda: store.get(good).state == "done")

    assert store.get(bad).failure == "The training process could not be started: Cannot allocate memory."


@pytest.fixture
def not_started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been started: nothing is."""
    modules: list[str] = []
    monkeypatch.setattr(scheduler, "spawn", lambda module, **_options: modules.append(module))
    return modules


@pytest.mark.usefixtures("not_started")
def test_submission_seen_twice_gives_the_same_runs(store):
    pair = submit(store, [QUICK, KERAS], submission="a")

    assert submit(store, [QUICK, KERAS], submission="a") == pair
    assert submit(store, [QUICK, KERAS], submission="b") != pair
    assert [len(store.find(pair=store.get(run_id).pair)) for run_id in pair] == [2, 2]


@pytest.mark.usefixtures("not_started")
def test_seeds_of_a_pair_are_pairs_of_one_group(store):
    run_ids = submit(store, [QUICK, KERAS], submission="a", seeds=3)

    runs = [store.get(run_id) for run_id in run_ids]
    assert submit(store, [QUICK, KERAS], submission="a", seeds=3) == run_ids
    assert [(run.config.framework, run.config.seed - QUICK.seed) for run in runs] == [
        (framework, seed) for seed in range(3) for framework in ("pytorch", "keras")
    ]
    assert len({run.group for run in runs}) == 1
    assert runs[0].group is not None
    assert [runs[0].pair, runs[2].pair, runs[4].pair] == [runs[1].pair, runs[3].pair, runs[5].pair]
    assert len({run.pair for run in runs}) == 3
    assert len(store.find()) == 6


@pytest.mark.usefixtures("not_started")
def test_a_single_seed_makes_no_group(store):
    (run_id,) = submit(store, [QUICK], submission="a")

    assert (store.get(run_id).group, store.get(run_id).pair) == (None, None)


@pytest.mark.usefixtures("not_started")
def test_clicks_handled_at_once_make_one_pair(store):
    class Interrupted(Store):
        """Lets the second click in between the two runs of the first."""

        clicked = False

        def create(self, *arguments, **options) -> str:
            run_id = super().create(*arguments, **options)
            if not self.clicked:
                self.clicked = True
                submit(self, [QUICK, KERAS], submission="a")
            return run_id

    pair = submit(Interrupted(store_url()), [QUICK, KERAS], submission="a")

    assert {run.id for run in store.find()} == set(pair)
    assert len({run.pair for run in store.find()}) == 1


@pytest.mark.usefixtures("not_started")
def test_runs_of_one_framework_can_be_submitted_together(store):
    first, second = submit(store, [QUICK, LONG], submission="a")

    assert [store.get(first).config, store.get(second).config] == [QUICK, LONG]


def test_scheduler_is_started_unless_there_is_one(duet_home, not_started):
    with FileLock(duet_home / "scheduler.lock"):
        ensure_running()
    assert not_started == []

    ensure_running()
    assert not_started == ["core.jobs.scheduler"]


@pytest.mark.parametrize(
    ("end", "started"),
    [(None, ["core.jobs.scheduler"]), (Store.claim, ["core.jobs.scheduler"]), (Store.request_stop, [])],
)
def test_runs_that_were_left_behind_are_taken_up(store, not_started, monkeypatch, end, started):
    monkeypatch.setattr(scheduler, "ensure_running", ensure_running)  # `trained` keeps it from starting any

    scheduler.resume_pending(store)
    assert not_started == []

    (run_id,) = queue(store, QUICK)
    if end:
        end(store, run_id)
    scheduler.resume_pending(store)

    assert not_started == started


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedulers of this process leave after a moment of idleness."""
    monkeypatch.setattr(scheduler, "_IDLE_S", 0.1)
    monkeypatch.setattr(scheduler, "_TICK_S", 0.01)


@pytest.mark.usefixtures("hasty")
def test_scheduler_leaves_when_there_is_nothing_to_do(store, duet_home, use_workers):
    use_workers("quick")
    queued = queue(store, QUICK, QUICK)

    scheduler.main()

    assert [store.get(run_id).state for run_id in queued] == ["done", "done"]
    with FileLock(duet_home / "scheduler.lock", timeout=0):
        pass


@pytest.mark.usefixtures("hasty")
def test_scheduler_that_was_held_up_itself_stays_while_runs_train(store, use_workers, monkeypatch):
    use_workers("quick")
    (run_id,) = queue(store, QUICK)
    tick = Scheduler.tick

    def tick_and_be_held_up(looked: Scheduler) -> bool:
        busy = tick(looked)
        time.sleep(0.2)  # longer than it stays idle
        return busy

    monkeypatch.setattr(Scheduler, "tick", tick_and_be_held_up)
    scheduler.main()

    assert store.get(run_id).state == "done"


@pytest.mark.usefixtures("hasty")
def test_scheduler_leaves_at_once_where_there_is_one(store, duet_home):
    (run_id,) = queue(store, QUICK)

    with FileLock(duet_home / "scheduler.lock"):
        scheduler.main()

    assert store.get(run_id).state == "queued"


@pytest.mark.usefixtures("hasty")
def test_run_queued_while_the_scheduler_is_leaving_is_trained(store, use_workers, monkeypatch):
    use_workers("quick")
    work = scheduler._work
    queued = []

    def work_and_miss_one(looked: Scheduler) -> None:
        work(looked)
        if not queued:  # it has looked for the last time, but still holds the lock
            ensure_running()
            queued.extend(queue(store, QUICK))

    monkeypatch.setattr(scheduler, "_work", work_and_miss_one)
    scheduler.main()

    assert [store.get(run_id).state for run_id in queued] == ["done"]


@pytest.mark.usefixtures("hasty")
def test_scheduler_outlives_a_busy_database(store, use_workers, monkeypatch):
    use_workers("quick")
    (run_id,) = queue(store, QUICK)
    tick = Scheduler.tick
    failures = [OperationalError("UPDATE runs", {}, Exception("database or disk is full"))]

    def tick_at_second_try(looked: Scheduler) -> bool:
        if failures:
            raise failures.pop()
        return tick(looked)

    monkeypatch.setattr(Scheduler, "tick", tick_at_second_try)
    scheduler.main()

    assert store.get(run_id).state == "done"
