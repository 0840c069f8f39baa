"""A run that failed, or is done but has learnt nothing: what happened, why, and what to do next as buttons.

show_failure(run)
show_doubt(run)
"""

import hashlib
import json
from collections.abc import Sequence

import streamlit as st

from core.config import FRAMEWORK_TITLES, RunConfig
from core.jobs.failures import NextStep, next_steps
from core.jobs.scheduler import ensure_running
from core.runs import Run, open_store
from core.system.paths import run_directory
from core.system.text import in_words
from core.training import checkpoints
from ui.shared.formatting import escape_markdown, state_of
from ui.shared.launching import submitter
from ui.shared.logs import show_traceback
from ui.shared.presses import pressed
from ui.shared.settings import fill


def show_failure(run: Run) -> None:
    """Say what went wrong and offer what can be done about it."""
    what = f"{FRAMEWORK_TITLES[run.config.framework]} {state_of(run)}."
    failure, advice = run.failure or "", run.advice or ""
    told = [] if what.lower().endswith(f": {failure.lower()}") else [escape_markdown(failure)]
    st.error(" ".join([f"**{what}**", *told, escape_markdown(advice)]), icon=":material/error:")
    directory = run_directory(run.id)
    steps = next_steps(run, resumable=checkpoints.has_state(directory), learnt=checkpoints.has_weights(directory))
    with st.container(horizontal=True):
        _show_next_steps(run, steps)
    show_traceback(run)


def show_doubt(run: Run) -> None:
    """Say what speaks against a run that is done, where something does, and offer what can be done about it."""
    doubt = run.doubt
    if doubt is None:
        return
    what = f"{FRAMEWORK_TITLES[run.config.framework]} {state_of(run)}."
    st.warning(f"**{what}** {escape_markdown(doubt.reason)} {escape_markdown(doubt.advice)}", icon=":material/warning:")
    steps = [NextStep("Change the settings", "edit")]
    if doubt.changes:
        changes = in_words(
            f"{(RunConfig.model_fields[name].title or name).lower()} {value:g}" for name, value in doubt.changes.items()
        )
        steps.insert(0, NextStep(f"Train again with {changes}", "clone", doubt.changes))
    with st.container(horizontal=True, vertical_alignment="center"):
        _show_next_steps(run, steps)
        if doubt.look_at_data:
            st.page_link(
                "../pages/data.py",
                label="Look at the images",
                icon=":material/image_search:",
                query_params={"dataset": run.config.dataset, "view": "Images"},
            )


def _show_next_steps(run: Run, steps: Sequence[NextStep]) -> None:
    """Show a button for each step, the first one as the one to take."""
    for position, step in enumerate(steps):
        first = position == 0
        if pressed(step.title, key=f"next-{run.id}-{position}", type="primary" if first else "secondary"):
            _take_next_step(run, step)


def _take_next_step(run: Run, step: NextStep) -> None:
    store = open_store()
    try:
        if step.verb == "edit":
            fill(run.config.model_dump())
            st.switch_page("../pages/train.py")
        if step.verb == "clone":
            other = store.clone(run.id, submission=_submission(run, step), submitter=submitter(), **step.changes)
            ensure_running()
            st.switch_page("../pages/results.py", query_params={"run": other})
        {"resume": store.resume, "retry": store.retry}[step.verb](run.id)
    except ValueError as error:  # it has changed since the page was drawn, or its network was deleted
        st.toast(escape_markdown(str(error)), icon=":material/info:")
    else:
        ensure_running()
        st.rerun()


def _submission(run: Run, step: NextStep) -> str:
    """Return the same for the same step of the same attempt, so that a second click leads to the same run."""
    changes = json.dumps(step.changes, sort_keys=True)
    return hashlib.sha256(f"{run.id} {run.attempt} {changes}".encode()).hexdigest()
