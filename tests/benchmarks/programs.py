"""Programs that `test_turns` lets take turns; each notes in a file when it is at work."""

import os
import time
from pathlib import Path

from benchmarks.turns import Turns


def count(turns: Turns, *, name: str, times: int, notes: str) -> None:
    """Report 1, 2, 3, …, and print as frameworks do."""
    print("Epoch 1/5 [==>    ]")
    for number in range(1, times + 1):
        with turns.measure() as figures:
            with Path(notes).open("a") as file:
                file.write(f"{name}{number} ")
            figures["number"] = number


def stop_early(turns: Turns) -> None:
    """Report a turn that ended a second before now."""
    turns.begin()
    turns.end(until=time.perf_counter() - 1)


def tell(turns: Turns, *, variable: str) -> None:
    """Report a variable of the environment."""
    with turns.measure() as figures:
        figures["told"] = os.environ.get(variable)


def fail(turns: Turns, *, after: int) -> None:
    """Fail after so many turns."""
    for _ in range(after):
        with turns.measure():
            pass
    raise ValueError("there is no such thing")
