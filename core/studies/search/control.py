"""What users do with searches, written where the process that works on them finds it.

    search_id = start_search(store, specification, submission=token)
    pause_search(store, search_id); resume_search(store, search_id); stop_search(store, search_id)
    extend_search(store, search_id, trials=20)
    resume_searches(store)              # after all of Duet was ended by force

That process is `core.studies.search.driver`, which these start; without it, this imports no Optuna.
"""

import time
from collections.abc import Sequence
from typing import Any

from core.jobs import scheduler
from core.runs import Search, Store
from core.studies.search.specification import MOST_TRIALS, Specification
from core.system.background import Job
from core.system.paths import data_dir


def start_search(store: Store, specification: Specification, *, submission: str, submitter: str | None = None) -> str:
    """Begin a search and return its id. A `submission` that was seen before gives the search it made then."""
    scheduler.cpu_slots(store)  # a wrong DUET_CPU_SLOTS is told here, where somebody reads it
    search_id = store.create_search(specification.model_dump(mode="json"), submission=submission, submitter=submitter)
    ensure_driving()
    return search_id


def specification_of(search: Search) -> Specification:
    """Return what a search is to do."""
    return Specification.model_validate(search.specification)


def pause_search(store: Store, search_id: str) -> None:
    """Let a search rest: its runs keep their state and leave their device.

    Raises:
        ValueError: if there is no such search, or it does not go on.
    """
    _change(store, search_id, ("running",), "paused", state="paused")


def resume_search(store: Store, search_id: str) -> None:
    """Let a search that is paused or stopped go on.

    Raises:
        ValueError: if there is no such search, or it is in another state.
    """
    _change(store, search_id, ("paused", "stopped"), "resumed", state="running", reason=None, ended_at=None)
    for trial in store.trials(search_id, ("running",)):
        for run in map(store.get, trial.run_ids):
            if run.state == "paused":
                store.resume(run.id)
    scheduler.ensure_running()


def stop_search(store: Store, search_id: str) -> None:
    """End a search: its runs stop, and no other begins.

    Raises:
        ValueError: if there is no such search, or it has ended.
    """
    values = {"state": "stopped", "reason": "It was stopped.", "ended_at": time.time()}
    _change(store, search_id, ("running", "paused"), "stopped", **values)


def extend_search(store: Store, search_id: str, *, trials: int = 0, minutes: float = 0, images: int = 0) -> None:
    """Give a search more of its budget, and let it go on if it has ended. What it had no limit of stays so.

    Raises:
        ValueError: if there is no such search, nothing is added, or all there is to try was tried.
    """
    search = store.search(search_id)
    before = specification_of(search)
    added: dict[str, float] = {"trials": trials, "minutes": minutes, "images": images}
    limited = {name: getattr(before, name) for name in added if getattr(before, name) is not None}
    if any(amount < 0 for amount in added.values()) or not any(added[name] for name in limited):
        raise ValueError(
            f"Extend: expected more of what limits this search, {' or '.join(limited) or 'which nothing does'}, "
            f"received {', '.join(f'{amount:g} {name}' for name, amount in added.items() if amount) or 'nothing'}."
        )
    begun = sum(store.count_trials(search_id).values())
    if before.size is not None and begun >= before.size:
        raise ValueError(f"All {before.size:,} settings of this search were tried: begin one with other values.")
    after = before.model_copy(update={name: limit + added[name] for name, limit in limited.items()})
    if after.trials is not None and after.trials > MOST_TRIALS:
        raise ValueError(f"Extend: expected at most {MOST_TRIALS:,} trials in all, received {after.trials:,}.")
    _change(
        store,
        search_id,
        ("running", "paused", "stopped", "done"),
        "extended",
        specification=after.model_dump(mode="json"),
        state="paused" if search.state == "paused" else "running",
        reason=None,
        ended_at=None,
    )


def _change(store: Store, search_id: str, states: Sequence[Any], done: str, **values: Any) -> None:
    search = store.search(search_id)
    if not store.change_search(search_id, states, **values):
        raise ValueError(f"Search {search_id} is {search.state}: only one that is {' or '.join(states)} can be {done}.")
    ensure_driving()


def ensure_driving() -> None:
    """Start the process that works on searches unless there is one."""
    driving().start("core.studies.search.driver")


def driving() -> Job:
    """Return the job that this process is."""
    return Job(data_dir() / "searching")


def resume_searches(store: Store) -> None:
    """Start that process where searches go on without it, as when all of Duet was ended by force."""
    if store.unsettled_searches():
        ensure_driving()
