"""A run as the store knows it, its attempts, and the words for its states."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from core.config import FRAMEWORK_TITLES, RunConfig
from core.runs.doubts import Doubt, find_doubt
from core.runs.results import FinishedResults, Results

State = Literal["queued", "starting", "running", "done", "failed", "stopped", "paused"]
Request = Literal["stop", "pause"]

ACTIVE: tuple[State, ...] = ("starting", "running")
ENDED: tuple[State, ...] = ("done", "failed", "stopped")
INACTIVE: tuple[State, ...] = (*ENDED, "paused")
"""Nothing happens to these by itself."""


@dataclass(frozen=True)
class Run:
    """One row of the store. `results` are the figures of a run that is done, and those so far of one that is not.

    Times are Unix seconds, except for `process_started_at`: see `core.system.processes.started_at`.
    """

    id: str
    submission: str
    pair: str | None
    """The same for runs that train side by side."""
    config: RunConfig
    state: State
    attempt: int
    stop_requested: bool
    created_at: float
    started_at: float | None
    training_at: float | None
    ended_at: float | None
    heartbeat_at: float | None
    pid: int | None
    process_started_at: float | None
    step: int
    total_steps: int | None
    images_per_second: float | None
    failure: str | None
    advice: str | None
    traceback: str | None
    results: Results
    name: str | None
    """What its user calls it."""
    note: str | None
    group: str | None
    """The same for runs that were launched together, such as several seeds of one setting."""
    submitter: str | None
    """Who launched it, as an opaque word; the queue is fair between them."""
    priority: int
    """Runs of a higher one are started first."""
    position: int
    """Its place among the waiting runs of one submitter and priority."""
    pause_requested: bool
    resumes: bool
    """Whether its next or present attempt goes on from the resume state in its folder."""
    resumed_step: int
    """The step that its last attempt began from."""
    unresponsive: bool
    """Whether its process has sent no heartbeat for a while: not responding, but there."""
    process_load: dict[str, float] | None
    """What its process used at its last heartbeat: `memory_bytes`, `cpu_percent`."""
    deleted_at: float | None
    cause: str | None
    """What made it fail, as one of `core.jobs.failures.CAUSES`."""
    tags: tuple[str, ...] = ()

    def finished(self) -> "FinishedRun | None":
        """Return the run with figures none of which is missing, if it is done."""
        if self.state != "done" or self.ended_at is None:
            return None
        try:
            results = FinishedResults.model_validate(self.results.as_json())
        except ValidationError:  # recorded by another program
            return None
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return FinishedRun(**values | {"results": results})

    @property
    def doubt(self) -> Doubt | None:
        """What speaks against the run if it is done: "done, but …"; None where nothing does."""
        return find_doubt(self.config, self.results, steps=self.step) if self.state == "done" else None

    @property
    def title(self) -> str:
        """A name people can tell runs apart by."""
        if self.name:
            return self.name
        started = datetime.fromtimestamp(self.created_at).strftime("%d %b %H:%M")
        return f"{self.config.architecture} · {FRAMEWORK_TITLES[self.config.framework]} · {started}"

    @property
    def progress(self) -> float:
        """The share of its steps that a run has taken, 0 to 1."""
        return share_of_steps(self.step, self.total_steps)

    @property
    def seconds_left(self) -> float | None:
        """The training time still to come if it goes on as so far; None before it can be known."""
        taken = self.step - self.resumed_step
        if self.state != "running" or not taken or self.total_steps is None:
            return None
        if self.training_at is None or self.heartbeat_at is None:
            return None
        so_far = max(self.heartbeat_at - self.training_at, 0.0)  # the clock may have been set back
        return so_far / taken * (self.total_steps - self.step)


@dataclass(frozen=True)
class FinishedRun(Run):
    """A run that was trained and tested to its end."""

    ended_at: float
    results: FinishedResults


@dataclass(frozen=True)
class Attempt:
    """One try at a run: a process, and how it ended. Times are Unix seconds."""

    attempt: int
    state: State
    started_at: float | None
    ended_at: float | None
    resumed_step: int
    """The step that it went on from; 0 from the beginning."""
    failure: str | None


def share_of_steps(step: int, total_steps: int | None) -> float:
    """Return how much of its steps a run has taken, 0 to 1; 0 before it is known how many there are."""
    return min(step / total_steps, 1.0) if total_steps else 0.0


def new_id() -> str:
    """Return a fresh opaque id of twelve hexadecimal digits."""
    return secrets.token_hex(6)


def finished(runs: Iterable[Run]) -> list[FinishedRun]:
    """Return those of some runs that are done, in the same order."""
    return [done for run in runs if (done := run.finished())]


def summary(run: Run) -> dict[str, Any]:
    """Return what the command line tells of a run as JSON; figures that it does not have yet are null."""
    figures = ("parameters", "train_seconds", "images_per_second", "val_accuracy", "test_accuracy", "test_loss")
    return {
        "run_id": run.id,
        "name": run.name,
        "state": run.state,
        "attempt": run.attempt,
        "framework": run.config.framework,
        "device": run.config.device,
        "dataset": run.config.dataset,
        "architecture": run.config.architecture,
        "epochs": run.config.epochs,
        "seed": run.config.seed,
        **{figure: getattr(run.results, figure) for figure in figures},
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "progress": run.progress,
        "failure": run.failure,
        "cause": run.cause,
        "doubt": run.doubt and run.doubt.as_json(),
        "pair": run.pair,
        "group": run.group,
        "tags": list(run.tags),
        "note": run.note,
        "priority": run.priority,
        "deleted": run.deleted_at is not None,
    }
