"""Telling when a run ends, if the user asks for it: a notification of the browser, or a sound where it may not.

    show_notifications(store.pending())

It is asked for in each browser and remembered there. It works on every page, and in a tab that is in the background.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core.runs import Run, open_store
from core.runs.lists import PendingRun
from ui.shared.formatting import state_of

_REMEMBERED = 20

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "duet_notifications",
    html='<button type="button" class="bell" aria-pressed="false"></button><span class="why" role="status"></span>',
    css=(_HERE / "notifications.css").read_text(),
    js=(_HERE / "notifications.js").read_text(),
)


def show_notifications(pending: Sequence[PendingRun]) -> None:
    """Show the bell, and tell of the runs that have ended since they were pending."""
    _component(key="notifications", data={"ended": ends(pending)})


def ends(pending: Sequence[PendingRun]) -> list[dict[str, Any]]:
    """Return the runs that have ended since this session first saw them go on: the last few, oldest first."""
    store = open_store()
    attempts = {run.id: run.attempt for run in pending}
    before = st.session_state.get("notifications-pending", {})
    told = st.session_state.setdefault("notifications-ended", [])
    for run_id in before.keys() - attempts.keys():
        try:
            run = store.get(run_id)
        except ValueError:  # removed for good
            continue
        if run.state in ("done", "failed"):  # whoever stops or pauses a run knows
            told.append(_words(run))
    st.session_state["notifications-pending"] = attempts
    st.session_state["notifications-ended"] = told[-_REMEMBERED:]
    return st.session_state["notifications-ended"]


def _words(run: Run) -> dict[str, Any]:
    accuracy = run.results.test_accuracy
    body = run.failure if accuracy is None else f"Test accuracy {accuracy:.2%}."
    return {"id": f"{run.id}.{run.attempt}", "title": f"{run.title}: {state_of(run)}", "body": body}
