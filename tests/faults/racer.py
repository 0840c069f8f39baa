"""A process that acts on a store at the very moment at which others do: `python -m tests.faults.racer ACTION`.

It reads a line of JSON for each race, `[run id or token, moment]`, waits until that moment of the monotonic clock,
which all processes of a machine share, acts, and prints what came of it as a line of JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from core.config import configure
from core.jobs.scheduler import submit
from core.runs import Results, Store, SupersededError, open_store
from core.system.paths import PROJECT

_LEAD_S = 0.02


def _ending(end: Callable[[Store, str], None]) -> Callable[[Store, str], bool]:
    """Return what tells whether it was this that ended a run."""

    def try_to_end(store: Store, run_id: str) -> bool:
        try:
            end(store, run_id)
        except SupersededError:
            return False
        return True

    return try_to_end


def _ask(store: Store, run_id: str) -> None:
    with suppress(ValueError):  # it has ended
        store.request_stop(run_id)


ACTIONS: dict[str, Callable[[Store, str], object]] = {
    "ask": _ask,
    "finish": _ending(lambda store, run_id: store.finish(run_id, 1, "done", Results(test_accuracy=0.5))),
    "stop": _ending(lambda store, run_id: store.finish(run_id, 1, "stopped", Results())),
    "fail": _ending(lambda store, run_id: store.fail(run_id, 1, failure="It is gone.", advice="")),
    "submit": lambda store, token: submit(
        store,
        [configure(architecture="ann-100", train_limit=200, epochs=1, threads=1)],
        submission=token,
    ),
}


class Racers:
    """Racing processes, one for each of `actions`; close them at the end."""

    def __init__(self, actions: Sequence[str]):
        self._actions = tuple(actions)
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.racer", action],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for action in actions
        ]
        for process in self._processes:
            assert process.stdout.readline() == "ready\n"

    def race(self, subject: str, delays_s: Sequence[float]) -> list[tuple[str, object]]:
        """Let all act on a run or a token at once, each after a delay; return the actions with what came of them."""
        moment = time.monotonic() + _LEAD_S
        for process, delay in zip(self._processes, delays_s, strict=True):
            process.stdin.write(f"{json.dumps([subject, moment + delay])}\n")
            process.stdin.flush()
        return [
            (action, json.loads(process.stdout.readline()))
            for action, process in zip(self._actions, self._processes, strict=True)
        ]

    def close(self) -> None:
        """Let the processes end."""
        for process in self._processes:
            process.stdin.close()
        for process in self._processes:
            process.wait(timeout=30)
            process.stdout.close()


def main(action: str) -> None:
    """Race until there is no race any more."""
    store = open_store()
    print("ready", flush=True)
    for line in sys.stdin:
        subject, moment = json.loads(line)
        while (left := moment - time.monotonic()) > 0:
            if left > 0.002:
                time.sleep(left - 0.002)
        print(json.dumps(ACTIONS[action](store, subject)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
