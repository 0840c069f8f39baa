"""A case of the fault suite: what is done, how often, and what each trial must not lose.

    case = Case(8, "…", "stop races the end", prepare, quick=20, long=200)
    result = try_out(case, place, trials=20)

`prepare(place)` sets up what all trials of a case share and returns the trial, a function of its number from 0. A
trial raises `AssertionError` with a sentence that says what was lost; `CannotTryError` says why a case cannot be tried
on this machine.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.faults.place import Place

Trial = Callable[[int], None]


class CannotTryError(Exception):
    """A case cannot be tried here; the message says what is missing."""


@dataclass(frozen=True)
class Case:
    """One entry of the table, by its number in the specification of faults."""

    number: int
    name: str
    """Its name among tests, unlike that of any other."""
    done: str
    """What is done to Duet, and what it must come to."""
    prepare: Callable[[Place], Trial]
    quick: int
    """How many trials the quick form makes."""
    long: int
    """How many the long one makes."""


@dataclass(frozen=True)
class Result:
    """What became of a case. `losses` has a sentence for each trial that did not survive."""

    number: int
    name: str
    done: str
    trials: int
    survived: int
    seconds: float
    losses: tuple[str, ...] = ()
    untried: str = ""
    """Why there were no trials, if there were none."""


def add(first: Result, second: Result) -> Result:
    """Return what became of one case in two pieces."""
    return replace(
        first,
        trials=first.trials + second.trials,
        survived=first.survived + second.survived,
        seconds=first.seconds + second.seconds,
        losses=first.losses + second.losses,
        untried=first.untried and second.untried,
    )


def try_out(case: Case, place: Place, trials: int) -> Result:
    """Try a case so many times; one trial that loses something does not keep the others from being made."""
    started = time.monotonic()
    losses: list[str] = []
    untried, made = "", 0
    try:
        trial = case.prepare(place)
        for number in range(trials):
            made += 1
            try:
                trial(number)
            except Exception as error:  # one that nobody has foreseen is a loss too
                losses.append(f"Trial {number + 1}: {_told(error)}")
                place.settle()
    except CannotTryError as error:
        untried, made = str(error), 0
    seconds = time.monotonic() - started
    return Result(case.number, case.name, case.done, made, made - len(losses), seconds, tuple(losses), untried)


def _told(error: Exception) -> str:
    """Return what was lost; of what nobody has foreseen, where it came up too."""
    if type(error) is AssertionError and str(error):
        return str(error).splitlines()[0]  # pytest adds lines of its own
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.name}, line {frame.lineno} of {frame.filename})"
