"""Launching from a page: a double click makes one run, or one search."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.engines import available_cores
from core.jobs.scheduler import submit
from core.runs import Store, new_id, open_store
from core.studies.search.control import start_search
from core.studies.search.specification import Specification

_DOUBLE_CLICK_S = 2.0


def launch(configs: Sequence[RunConfig], seeds: int = 1) -> list[str]:
    """Queue runs, one or a pair for each of so many seeds, and return their ids at once.

    Asked again for the same, within two seconds or while they still wait for a device, it gives the same ones.
    """
    return launch_each([configs], seeds)


def launch_each(together: Sequence[Sequence[RunConfig]], seeds: int) -> list[str]:
    """Queue each of some runs or pairs as `launch` does one, and return the ids of all."""
    store = open_store()
    asked = [list(configs) for configs in together]
    before = st.session_state.get("launched")
    if before is None or (before.together, before.seeds) != (asked, seeds) or _has_begun(store, before):
        before = _Launch(asked, seeds, submission=new_id(), clicked_at=time.monotonic())
    run_ids: list[str] = []
    for number, configs in enumerate(asked):
        submission = f"{before.submission}-{number}"
        run_ids += submit(store, configs, submission=submission, submitter=submitter(), seeds=seeds)
    st.session_state["launched"] = before._replace(run_ids=run_ids)
    return run_ids


def launch_search(specification: Specification) -> str:
    """Begin a search and return its id; asked again for the same within two seconds, it gives that one."""
    before = st.session_state.get("launched-search")
    clicked_at = time.monotonic()
    if before is None or before.specification != specification or clicked_at - before.clicked_at >= _DOUBLE_CLICK_S:
        before = _SearchLaunch(specification, submission=new_id(), clicked_at=clicked_at)
    search_id = start_search(open_store(), specification, submission=before.submission, submitter=submitter())
    st.session_state["launched-search"] = before
    return search_id


def submitter() -> str:
    """Return an opaque word for this browser session; the queue is fair between sessions."""
    return st.session_state.setdefault("submitter", new_id())


class _Launch(NamedTuple):
    together: list[list[RunConfig]]
    seeds: int
    submission: str
    clicked_at: float
    run_ids: Sequence[str] = ()


class _SearchLaunch(NamedTuple):
    specification: Specification
    submission: str
    clicked_at: float


def _has_begun(store: Store, before: _Launch) -> bool:
    if time.monotonic() - before.clicked_at < _DOUBLE_CLICK_S:
        return False
    return any(store.get(run_id).state != "queued" for run_id in before.run_ids)


def configs_for(config: RunConfig, frameworks: Sequence[Framework]) -> list[RunConfig]:
    """Return the run for each framework; those that train side by side on the CPU share its cores."""
    threads = config.threads
    if len(frameworks) > 1 and config.device == "cpu" and not threads:
        threads = max(1, available_cores() // len(frameworks))
    return [config.model_copy(update={"framework": framework, "threads": threads}) for framework in frameworks]


def both() -> tuple[Framework, ...]:
    """Return every framework, in the order they are always shown in."""
    return tuple(FRAMEWORK_TITLES)
