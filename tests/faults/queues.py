"""Cases about the queue: many runs, two submitters, one slot, and nobody there in the middle."""

import random
import time
from itertools import pairwise

from core.config import configure
from core.runs import INACTIVE, Run
from tests.browser.app import Server
from tests.faults.case import Trial
from tests.faults.place import START_S, Place
from tests.waiting import wait_for

_EACH = 10
_RUN = configure(architecture="ann-100", train_limit=200, epochs=1, threads=1)


def _check_one_at_a_time(runs: list[Run]) -> None:
    """Fail unless each run began after the one before it had ended."""
    in_order = sorted((run for run in runs if run.attempt), key=lambda run: run.started_at)
    for before, after in pairwise(in_order):
        assert before.ended_at <= after.started_at, f"{before.id} and {after.id} were trained at once."


def _shuffled_turns(generator: random.Random) -> list[str]:
    turns = ["first", "second"] * _EACH
    generator.shuffle(turns)
    return turns


def twenty_runs_in_order(place: Place) -> Trial:
    """Queue twenty runs from two submitters on one slot; they are trained in order, the submitters in turn.

    Quickly with stand-ins that train nothing, as what is tested is the queue; the long form trains.
    """
    worker = {} if place.long else {"worker": ["tests.workers", "quick"]}

    def trial(number: int) -> None:
        queued = {"first": [], "second": []}
        for submitter in _shuffled_turns(place.random):
            queued[submitter] += place.queue(_RUN, submitter=f"{submitter} of {number}")
        place.schedule(**worker)
        everything = [*queued["first"], *queued["second"]]

        def all_are_done() -> bool:
            return all(place.store.get(run_id).state in INACTIVE for run_id in everything)

        wait_for(all_are_done, len(everything) * START_S / 4, "The queue did not come to its end.")
        runs = [place.store.get(run_id) for run_id in everything]
        assert [run.state for run in runs] == ["done"] * len(runs), [run.failure for run in runs]
        _check_one_at_a_time(runs)
        started = sorted(runs, key=lambda run: run.started_at)
        for submitter, ids in queued.items():
            mine = [run.id for run in started if run.submitter == f"{submitter} of {number}"]
            assert mine == ids, f"The runs of the {submitter} submitter were not trained in their order."
        turns = [run.submitter for run in started]
        assert all(turns[i] != turns[i + 1] for i in range(0, len(turns), 2)), "One submitter waited for the other."
        place.kill_scheduler()

    return trial


def twenty_runs_disturbed(place: Place) -> Trial:
    """Queue twenty runs, move and stop some, kill scheduler and dashboard in the middle, start the dashboard again."""
    dashboard = Server(place.home)
    kept = 8 if place.long else 4
    place.closing.callback(dashboard.close)

    def trial(number: int) -> None:
        dashboard.start()
        ids = [place.queue(_RUN, submitter=f"{submitter} of {number}")[0] for submitter in ("first", "second") * _EACH]
        place.schedule()
        place.wait_for_state(ids[1], "done", 2 * START_S)
        place.kill_scheduler()
        dashboard.kill()
        waiting = [run.id for run in place.store.queue()]
        assert len(waiting) >= len(ids) - 4, "More were started than one slot allows."
        to_front = place.random.choice(waiting[kept:])
        place.store.move(to_front, "front")
        stopped = place.random.sample([run_id for run_id in waiting if run_id != to_front], k=len(waiting) - kept)
        for run_id in stopped:
            place.store.request_stop(run_id)
        expected = [run.id for run in place.store.queue()]
        time.sleep(0.5)
        dashboard.start()

        def all_rest() -> bool:
            return all(place.store.get(run_id).state in INACTIVE for run_id in ids)

        wait_for(all_rest, len(expected) * START_S / 2, "The queue did not go on.")
        runs = {run_id: place.store.get(run_id) for run_id in ids}
        for run_id, run in runs.items():
            if run_id in stopped:
                assert (run.state, run.attempt) == ("stopped", 0), f"Stopped while it waited, it is {run.state}."
            else:
                assert (run.state, run.attempt) == ("done", 1), f"It is {run.state} at attempt {run.attempt}."
        _check_one_at_a_time(list(runs.values()))
        went = sorted(expected, key=lambda run_id: runs[run_id].started_at)
        assert went == expected, "What waited was not trained in the order of the queue."
        assert to_front in expected[:2], "What was moved to the front was not there."
        dashboard.kill()
        place.settle()  # the scheduler that the dashboard has started stays for a while

    return trial
