"""Cases in which processes die: trainings, the scheduler and the dashboard, at moments that nobody has chosen."""

import signal
import subprocess
import sys
import time
from urllib.request import urlopen

import numpy as np

from core.config import FRAMEWORK_TITLES, RunConfig, configure
from core.networks import registry
from core.runs import Run, new_id
from core.system.paths import PROJECT, run_directory
from core.training import checkpoints
from tests import processes
from tests.browser.app import Server
from tests.faults.case import Trial
from tests.faults.place import NOTICED_S, START_S, Place, check_files, check_measurements
from tests.sample_networks import EVERYTHING_RANDOM, SETTINGS_OF_EVERYTHING_RANDOM
from tests.session import PageSession
from tests.waiting import wait_for

SHORT = configure(architecture="ann-100", train_limit=200, epochs=2, threads=1)
LONG = SHORT.model_copy(update={"epochs": 1000, "batch_size": 1, "train_limit": 500, "checkpoint_policy": "last"})
"""Trains for minutes, and writes a checkpoint after each of its short epochs."""

KEEPS_OFTEN = ["tests.faults.worker", "keep-often"]
_KERAS_EVERY = 10


def killed_trainings(place: Place) -> Trial:
    """Kill trainings with SIGKILL at random moments: some while they start, most while they train and write."""
    place.schedule(worker=KEEPS_OFTEN)
    mine: dict[str, str] = {}

    def trial(number: int) -> None:
        framework = "keras" if number % _KERAS_EVERY == _KERAS_EVERY - 1 else "pytorch"
        run_id = mine.get(framework)
        if run_id is None or place.store.get(run_id).state == "done":
            (run_id,) = place.queue(LONG.model_copy(update={"framework": framework}))
            mine[framework] = run_id
        else:
            place.store.resume(run_id)
        # The slot of the one that was killed before is free.
        wait_for(lambda: place.training(run_id), NOTICED_S, f"Run {run_id} was not started within {NOTICED_S:.0f} s.")
        if place.random.random() < 0.2:
            time.sleep(place.random.uniform(0, 2))
        else:
            place.wait_for_steps(run_id, after=place.store.get(run_id).resumed_step)
            time.sleep(place.random.uniform(0, 1))
        process = place.training(run_id)
        if process is None:  # it has come to its end before
            assert place.store.get(run_id).state == "done"
            return
        process.kill()
        run = place.wait_for_state(run_id, "failed")
        assert run.failure == "The training process was killed (signal 9, SIGKILL).", run.failure
        check_measurements(place.store, run_id)
        check_files(run_id)

    return trial


def out_of_memory(place: Place) -> Trial:
    """Let trainings run out of the memory that RLIMIT_AS leaves them, while a dashboard is up."""
    dashboard = Server(place.home)
    place.closing.callback(dashboard.close)
    place.schedule(worker=["tests.faults.worker", "little-memory"])

    def trial(number: int) -> None:
        dashboard.start()
        framework = list(FRAMEWORK_TITLES)[number % 2]
        greedy = configure(framework=framework, architecture="cnn-64-32-32", batch_size=8192, train_limit=50_000)
        (run_id,) = place.queue(greedy)
        run = place.wait_for_state(run_id, "failed", START_S)
        assert run.failure == "Out of memory.", f"{framework}: {run.failure}"
        assert "smaller batch size" in run.advice, run.advice
        time.sleep(1)  # in which the scheduler looks several times
        assert place.store.get(run_id).attempt == 1, "It was tried again without being asked for."
        with urlopen(f"{dashboard.url}/_stcore/health", timeout=10) as answer:
            assert answer.status == 200, "The dashboard does not answer any more."
        dashboard.kill()

    return trial


_SUBMITTER = """
import json, sys, time
from core.config import configure
from core.runs import open_store
from core.jobs.scheduler import submit
(run_id,) = submit(open_store(), [configure(**json.loads(sys.argv[1]))], submission=sys.argv[2])
print(run_id, flush=True)
time.sleep(600)
"""


def submitted(place: Place, config: RunConfig) -> tuple[subprocess.Popen, str]:
    """Submit a run from a process of its own, which stays; the scheduler that it starts is its child."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SUBMITTER, config.model_dump_json(), new_id()],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    place.closing.callback(process.stdout.close)
    place.closing.callback(process.kill)
    return process, process.stdout.readline().strip()


def killed_dashboard(place: Place) -> Trial:
    """Kill the dashboard, and who has submitted a run and started the scheduler, while the run trains."""
    dashboard = Server(place.home)
    place.closing.callback(dashboard.close)

    def trial(_number: int) -> None:
        dashboard.start()
        submitter, run_id = submitted(place, LONG)
        place.wait_for_steps(run_id)
        time.sleep(place.random.uniform(0, 1))
        dashboard.kill()
        submitter.kill()
        submitter.wait()
        place.wait_for_steps(run_id, after=place.store.get(run_id).step)
        dashboard.start()
        with PageSession(dashboard.url, "results", run=run_id) as session:
            session.watch(1)
            assert not session.failures, f"The page of the run shows {session.failures[0]}"
            assert any(run_id in text for text in session.texts), "The page of the run does not show it."
        place.wait_for_steps(run_id, after=place.store.get(run_id).step)
        place.store.request_stop(run_id)
        run = place.wait_for_state(run_id, "stopped", 30)
        assert run.attempt == 1, f"It was begun anew: attempt {run.attempt}."
        check_measurements(place.store, run_id)
        check_files(run_id)
        dashboard.kill()

    return trial


def killed_scheduler(place: Place) -> Trial:
    """Kill the scheduler; meanwhile the run goes on, or comes to its end, or dies, in turn."""

    def begin(config: RunConfig) -> tuple[str, int]:
        place.schedule()
        (run_id,) = place.queue(config)
        place.wait_for_steps(run_id)
        time.sleep(place.random.uniform(0, 0.5))
        place.kill_scheduler()
        return run_id, place.store.get(run_id).pid

    def goes_on() -> Run:
        run_id, pid = begin(LONG)
        place.schedule_again()
        place.wait_for_steps(run_id, after=place.store.get(run_id).step)
        time.sleep(1)  # in which the new scheduler looks several times
        run = place.store.get(run_id)
        assert (run.state, run.pid) == ("running", pid), f"It was not adopted: {run.state}, process {run.pid}."
        place.store.request_stop(run_id)
        return place.wait_for_state(run_id, "stopped", 30)

    def ends() -> Run:
        run_id, _ = begin(LONG.model_copy(update={"epochs": 10}))
        run = place.wait_for_state(run_id, "done", START_S)
        place.schedule_again()
        time.sleep(1)
        assert place.store.get(run_id) == run, "Its end was changed."
        return run

    def dies() -> Run:
        run_id, _ = begin(LONG)
        place.training(run_id).kill()
        place.schedule_again()
        run = place.wait_for_state(run_id, "failed")
        gone = "The training process is gone: it was killed, or the machine was restarted."
        assert run.failure == gone, run.failure
        return run

    def trial(number: int) -> None:
        run = (goes_on, ends, dies)[number % 3]()
        assert run.attempt == 1, f"It was begun anew: attempt {run.attempt}."
        check_measurements(place.store, run.id)
        check_files(run.id)
        place.kill_scheduler()

    return trial


def resumed_bit_for_bit(place: Place) -> Trial:
    """Kill a training three times at random moments, resume it each time, and compare with an undisturbed one.

    Quickly once.
    """
    registry.save(EVERYTHING_RANDOM)
    place.schedule(worker=KEEPS_OFTEN)
    kills = 3 if place.long else 1

    def trial(number: int) -> None:
        framework = list(FRAMEWORK_TITLES)[number % 2]
        settings = SETTINGS_OF_EVERYTHING_RANDOM | {"train_limit": 2000, "epochs": 6, "seed": number}
        config = configure(framework=framework, **settings)
        (whole_id,) = place.queue(config)
        whole = place.wait_for_state(whole_id, "done", START_S)
        (run_id,) = place.queue(config)
        for share in sorted(place.random.uniform(0.05, 0.7) for _ in range(kills)):
            place.wait_for_steps(run_id, after=int(share * whole.total_steps))
            process = place.training(run_id)
            assert process is not None, "It came to its end before it could be killed."
            process.kill()
            place.wait_for_state(run_id, "failed")
            place.store.resume(run_id)
        broken = place.wait_for_state(run_id, "done", START_S)

        assert broken.attempt == kills + 1
        went_on_from = [attempt.resumed_step for attempt in place.store.attempts(run_id)][1:]
        assert any(went_on_from), "It began anew each time, so nothing was resumed."
        check_measurements(place.store, run_id)
        first, second = (checkpoints.load(run_directory(run.id)) for run in (whole, broken))
        assert first.epoch == second.epoch, f"Kept epoch {second.epoch} instead of {first.epoch}."
        for name, values in first.weights.items():
            assert np.array_equal(second.weights[name], values), f"{framework}: {name} differs, seed {number}."
        records = [[epoch._replace(seconds=0) for epoch in place.store.epochs(run.id)] for run in (whole, broken)]
        assert records[0] == records[1], f"{framework}: the records of the epochs differ, seed {number}."
        for figure in ("test_loss", "test_accuracy", "confusion"):
            first, second = (getattr(run.results, figure) for run in (whole, broken))
            assert first == second, f"{framework}: {figure} differs, seed {number}."

    return trial


def died_before_a_sign_of_life(place: Place) -> Trial:
    """Let a training process exit at once, or never say anything, or lose its scheduler just before its start.

    What is tested is the scheduler, so the processes are stand-ins without a framework.
    """
    deadline = 60.0 if place.long else 1.0

    def trial(number: int) -> None:
        conduct = ("dies", "silent", "claimed")[number % 3]
        (run_id,) = place.queue(SHORT)
        if conduct == "claimed":
            place.store.claim(run_id)
        deadlines = {} if place.long or conduct == "dies" else {"START_DEADLINE_S": deadline}
        place.schedule(worker=["tests.workers", conduct], deadlines=deadlines)
        within = START_S if conduct == "dies" else deadline + NOTICED_S  # it has to be there before it can die
        run = place.wait_for_state(run_id, "failed", within)
        expected = "exit code 3" if conduct == "dies" else "no heartbeat"
        assert expected in run.failure, run.failure
        wait_for(lambda: place.training(run_id) is None, 5, "The silent process was left running.")
        place.kill_scheduler()

    return trial


def stubborn_family(place: Place) -> Trial:
    """Stop a training process that ignores SIGTERM and whose children and grandchildren do, too.

    What is tested is the scheduler, so the process is a stand-in without a framework.
    """
    grace = 10.0 if place.long else 0.5
    deadlines = {} if place.long else {"_STOP_GRACE_S": grace}

    def family() -> list[int]:
        return [process.pid for process in processes.of_home(place.home) if process.pid != place.scheduler_pid]

    def trial(_number: int) -> None:
        place.schedule(worker=["tests.workers", "stubborn"], deadlines=deadlines)
        (run_id,) = place.queue(SHORT)
        place.wait_for_state(run_id, "running", START_S)
        wait_for(lambda: len(family()) == 4, 10, "The family did not come together.")
        asked_at = time.monotonic()
        place.store.request_stop(run_id)
        wait_for(lambda: not family(), grace + NOTICED_S, "Of the stubborn family somebody is left.")
        assert time.monotonic() - asked_at >= grace, "It was killed before its time to stop was over."
        run = place.wait_for_state(run_id, "stopped")
        assert run.failure is None
        place.kill_scheduler()

    return trial


def stopped_or_in_another_clock(place: Place) -> Trial:
    """Let the scheduler live a day ahead of its trainings, or behind, and halt a training with SIGSTOP.

    The clock of a machine cannot be set for a test alone, so it is the scheduler's own `time.time` that is a day off.
    """
    deadlines = {} if place.long else {"_SILENT_S": 2.0, "_STOP_GRACE_S": 1.0}

    def trial(number: int) -> None:
        place.schedule(clock=86_400 * (-1) ** number, deadlines=deadlines)
        (run_id,) = place.queue(LONG)
        place.wait_for_steps(run_id)
        process = place.training(run_id)
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: place.store.get(run_id).unresponsive, 60, "It was not seen that it does not respond.")
        time.sleep(2)
        assert place.store.get(run_id).state == "running", "A process that is only halted was declared dead."
        process.send_signal(signal.SIGCONT)
        wait_for(
            lambda: not place.store.get(run_id).unresponsive, NOTICED_S, "It goes on, but counts as not responding."
        )
        place.wait_for_steps(run_id, after=place.store.get(run_id).step)
        process.send_signal(signal.SIGSTOP)
        place.store.request_stop(run_id)
        place.wait_for_state(run_id, "stopped", 10 + NOTICED_S)
        wait_for(lambda: not process.is_running(), 5, "The halted process was left behind.")
        check_measurements(place.store, run_id)
        place.kill_scheduler()

    return trial
