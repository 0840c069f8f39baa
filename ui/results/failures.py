"""A failed run: what happened, why, and what to do next as buttons.

show_failure(run)
"""

import hashlib
import json

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.jobs.failures import NextStep, next_steps
from core.jobs.scheduler import ensure_running
from core.runs import Run, open_store
from core.system.paths import run_directory
from core.training import checkpoints
from ui.shared.formatting import escape_markdown, state_of
from ui.shared.launching import submitter
from ui.shared.logs import show_traceback
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
        for position, step in enumerate(steps):
            first = position == 0
            if st.button(step.title, key=f"next-{run.id}-{position}", type="primary" if first else "secondary"):
                _take_next_step(run, step)
    show_traceback(run)


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
