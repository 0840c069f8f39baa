"""Cases about who is meant: a process with another one's number, clicks that are handled at once, races of ends."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from core.config import configure
from core.runs import ENDED, new_id
from core.system.paths import store_url
from core.system.processes import spawn
from tests import processes
from tests.faults.case import CannotTryError, Trial
from tests.faults.lives import SHORT
from tests.faults.place import START_S, Place
from tests.faults.racer import Racers
from tests.runs.making import running
from tests.waiting import wait_for

_LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def reused_pid(place: Place) -> Trial:
    """Kill a training while no scheduler is there, and give its process number to a stranger.

    What is tested is the scheduler, so the training is a stand-in without a framework.
    """
    try:
        _LAST_PID.write_text(_LAST_PID.read_text())
    except OSError as error:
        raise CannotTryError(f"a process number cannot be chosen here ({error.strerror}: {_LAST_PID})") from error

    def stranger_with(pid: int) -> subprocess.Popen | None:
        for _ in range(100):
            _LAST_PID.write_text(str(pid - 1))
            stranger = subprocess.Popen(
                [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
            )
            if stranger.pid == pid:
                return stranger
            stranger.communicate(b"\n")
        return None

    def trial(number: int) -> None:
        run_id = place.store.create(SHORT, submission=new_id(), claimed=True)
        training = spawn("tests.workers", "stubborn", run_id, store_url(), log=subprocess.DEVNULL)
        place.wait_for_state(run_id, "running", START_S)
        training.kill()
        training.wait()
        processes.end(place.home)
        stranger = stranger_with(training.pid)
        assert stranger is not None, "The number could not be given to a stranger in a hundred attempts."
        asked = bool(number % 2)
        if asked:
            place.store.request_stop(run_id)
        place.schedule(deadlines={"_STOP_GRACE_S": 0.0})
        place.wait_for_state(run_id, "stopped" if asked else "failed")
        assert stranger.poll() is None, f"The stranger was killed by signal {-(stranger.returncode or 0)}."
        stranger.communicate(b"\n", timeout=10)
        assert stranger.returncode == 0, "The stranger was disturbed."
        place.kill_scheduler()

    return trial


def racing_ends(place: Place) -> Trial:
    """Let a run come to its end, be found dead and be stopped, twice, at the same moment.

    What is tested is the store, so the racers are processes without a framework.
    """
    racers = Racers(["ask", "ask", "finish", "stop", "fail"])
    place.closing.callback(racers.close)
    ends = {"finish": "done", "stop": "stopped", "fail": "failed"}

    def trial(_number: int) -> None:
        run_id, _ = running(place.store, submission=new_id())
        came = racers.race(run_id, [place.random.uniform(0, 0.001) for _ in range(5)])
        winners = [action for action, won in came if won]
        run = place.store.get(run_id)
        assert len(winners) == 1, f"Ended by {winners or 'nobody'}."
        assert run.state == ends[winners[0]], f"It is {run.state}, but was ended by {winners[0]}."
        assert (run.failure is None) == (run.state != "failed"), f"It is {run.state} with the failure {run.failure}."
        (attempt,) = place.store.attempts(run_id)
        assert (attempt.state, attempt.ended_at) == (run.state, run.ended_at), "Its attempt tells another end."
        with suppress(ValueError):
            place.store.request_stop(run_id)
        assert place.store.get(run_id) == run, "A stop after its end has changed it."

    return trial


def racing_stops_of_trainings(place: Place) -> Trial:
    """Ask real trainings to stop, twice, about when they come to their end."""
    place.schedule()
    config = configure(architecture="ann-100", train_limit=2000, batch_size=16, epochs=3, threads=1)

    def trial(_number: int) -> None:
        (run_id,) = place.queue(config)
        place.wait_for_steps(run_id)
        share = place.random.uniform(0.3, 1)
        with suppress(AssertionError):  # it may be at its end before
            place.wait_for_steps(run_id, after=int(share * place.store.get(run_id).total_steps) - 1)
        for _ in range(2):
            with suppress(ValueError):  # it is at its end
                place.store.request_stop(run_id)
        wait_for(lambda: place.store.get(run_id).state in ENDED, 30, f"Run {run_id} did not end.")
        run = place.store.get(run_id)
        assert run.state in ("done", "stopped"), f"It is {run.state}: {run.failure}"
        tested = run.results.test_accuracy is not None
        assert tested == (run.state == "done"), f"It is {run.state} with {run.results}."
        assert (run.step == run.total_steps) or run.state == "stopped", "It is done, but steps are missing."
        wait_for(lambda: place.training(run_id) is None, 10, "Its process was left behind.")
        assert place.store.get(run_id) == run, "Its end was changed."

    return trial


def clicks_at_once(place: Place) -> Trial:
    """Let four processes submit the same click at the same moment, with no scheduler there."""
    racers = Racers(["submit"] * 4)
    place.closing.callback(racers.close)

    def schedulers() -> list[int]:
        return [process.pid for process in processes.of_home(place.home, "core.jobs.scheduler")]

    def trial(_number: int) -> None:
        before = place.store.count()
        came = racers.race(new_id(), [place.random.uniform(0, 0.001) for _ in range(4)])
        made = {run_id for _, (run_id,) in came}
        assert len(made) == 1, f"One click made {len(made)} runs."
        assert place.store.count() == before + 1
        (run_id,) = made
        run = place.wait_for_state(run_id, "done", START_S)
        assert (run.attempt, len(place.store.attempts(run_id))) == (1, 1), "It was trained more than once."
        wait_for(lambda: len(schedulers()) == 1, 10, f"There are {len(schedulers())} schedulers.")

    return trial
