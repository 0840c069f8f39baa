"""What ends a training early, told so that something can be done about it.

    told = diagnose(error, config)                  # a cause, what happened in plain words, what to do
    next_steps(run, resumable=True, learnt=True)   # the same advice as things a button can do

A cause is one of `CAUSES`; the store keeps it beside the words.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from sqlalchemy.exc import OperationalError

from core.config import RunConfig
from core.runs import Run
from core.training.checkpoints import DamagedStateError
from core.training.records import DivergedError

Cause = Literal[
    "out_of_memory",
    "diverged",
    "killed",
    "not_started",
    "disk_full",
    "device_gone",
    "data_changed",
    "damaged",
    "refused",
    "error",
]

CAUSES: dict[Cause, str] = {
    "out_of_memory": "out of memory",
    "diverged": "diverged",
    "killed": "killed",
    "not_started": "did not start",
    "disk_full": "disk full",
    "device_gone": "device gone",
    "data_changed": "data changed",
    "damaged": "kept state damaged",
    "refused": "settings refused",
    "error": "error",
}
"""Each cause, as it is said after "failed"."""

# What the frameworks, NumPy's and C++'s allocators and the system say, in lower case.
_OUT_OF_MEMORY = (
    "out of memory",
    "oom when",
    "resource_exhausted",
    "allocate memory",
    "not enough memory",
    "bad_alloc",
    "alloc_failed",
)

# What is said of a processor that is not there, or has fallen off the bus.
_DEVICE_GONE = (
    "device (--device): ",
    "no cuda gpus are available",
    "cuda error",
    "cuda_error",
    "cudnn_status_execution_failed",
    "device lost",
    "gpu is lost",
    "hip error",
)


class DataChangedError(ValueError):
    """The data set is no longer the one that a run began with."""


class FailureReport(NamedTuple):
    """A failure in plain words: its cause, what happened, what to do about it."""

    cause: Cause
    failure: str
    advice: str


def diagnose(error: Exception, config: RunConfig) -> FailureReport:
    """Say in plain words what ended a training, and what to do about it."""
    text = str(error)
    if isinstance(error, DivergedError):
        advice = f"Lower the learning rate (it was {config.learning_rate:g}) and train again."
        return FailureReport("diverged", f"Diverged: {text}", advice)
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _OUT_OF_MEMORY):
        advice = f"Use a smaller batch size (it was {config.batch_size}) or a smaller network."
        return FailureReport("out_of_memory", "Out of memory.", advice)
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or (
        isinstance(error, OperationalError) and "disk is full" in text
    ):
        return FailureReport("disk_full", "The disk is full.", "Free some space, then train again.")
    if isinstance(error, DataChangedError):
        return FailureReport("data_changed", text, "Begin anew, or put the data back as they were.")
    if isinstance(error, DamagedStateError):
        return FailureReport("damaged", text, "Begin anew, or put the run's folder back from a backup and resume.")
    if any(sign in text.lower() for sign in _DEVICE_GONE):
        return FailureReport(
            "device_gone", text, "Choose a device that is there, or bring this one back and train again."
        )
    if isinstance(error, ValueError):
        return FailureReport("refused", text, "Change that setting and train again.")
    advice = "The traceback says where. Training again may help; the log has more."
    return FailureReport("error", f"{type(error).__name__}: {text}", advice)


@dataclass(frozen=True)
class NextStep:
    """Something that can be done about a failed run.

    `resume` and `retry` are the run's own next attempts, `clone` queues a new run with `changes` to its settings,
    `edit` opens the settings.
    """

    title: str
    verb: Literal["resume", "retry", "clone", "edit"]
    changes: dict[str, Any] = field(default_factory=dict)


def next_steps(run: Run, *, resumable: bool, learnt: bool) -> list[NextStep]:
    """Return what can be done about a failed run, the most promising first.

    Args:
        resumable: whether it has kept a state to go on from.
        learnt: whether it has kept weights.
    """
    steps = _STEPS.get(run.cause or "error", _go_on)(run, resumable, learnt)
    return [*steps, NextStep("Change the settings", "edit")]


def _go_on(run: Run, resumable: bool, _learnt: bool) -> list[NextStep]:
    if not resumable:
        return [NextStep("Try again", "retry")]
    return [NextStep(f"Resume from step {run.step:,}", "resume"), NextStep("Restart", "retry")]


def _use_less_memory(run: Run, _resumable: bool, _learnt: bool) -> list[NextStep]:
    half = run.config.batch_size // 2
    if not half:
        return []
    return [NextStep(f"Halve the batch size to {half:,} and train again", "clone", {"batch_size": half})]


def _slow_down(run: Run, _resumable: bool, learnt: bool) -> list[NextStep]:
    rate = float(f"{run.config.learning_rate / 10:.3g}")
    lower = {"learning_rate": rate}
    steps = [NextStep(f"Lower the learning rate to {rate:g} and train again", "clone", lower)]
    if learnt:
        title = f"Lower the learning rate to {rate:g} and go on from the best weights"
        steps.insert(0, NextStep(title, "clone", {**lower, "initial_weights": run.id}))
    return steps


def _move(run: Run, resumable: bool, learnt: bool) -> list[NextStep]:
    steps = _go_on(run, resumable, learnt)
    if run.config.device == "cpu":
        return steps
    return [NextStep("Train on the CPU", "clone", {"device": "cpu"}), *steps]


def _begin_anew(_run: Run, _resumable: bool, _learnt: bool) -> list[NextStep]:
    return [NextStep("Begin anew on the data as they are now", "retry")]


_STEPS: dict[str, Callable[[Run, bool, bool], list[NextStep]]] = {
    "out_of_memory": _use_less_memory,
    "diverged": _slow_down,
    "device_gone": _move,
    "data_changed": _begin_anew,
    "damaged": lambda *_: [NextStep("Begin anew", "retry")],
    "refused": lambda *_: [],
}
"""What suits each cause; any other is gone on from, or tried again."""
