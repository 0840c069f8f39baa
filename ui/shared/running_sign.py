"""The sign of running work: how many runs train and how far they are, with the way to them; and so in the tab's title.

show_running_sign(store.pending())
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core.runs.lists import PendingRun

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "duet_running_sign",
    html='<a class="sign" hidden></a>',
    css=(_HERE / "running_sign.css").read_text(),
    js=(_HERE / "running_sign.js").read_text(),
)


def show_running_sign(pending: Sequence[PendingRun]) -> None:
    """Show the sign, empty where nothing waits or trains."""
    sign = sign_of(pending)
    answer = _component(key="running-sign", data=sign, on_open_change=lambda: None)
    if answer.get("open"):
        st.switch_page("../pages/results.py", query_params={"run": sign["run"]} if sign["run"] else {})


def sign_of(pending: Sequence[PendingRun]) -> dict[str, Any]:
    """Return what the sign says of runs that wait or train: its text, their progress, 0 to 1, and the run it leads to.

    It leads to a run where only that or its pair goes on, else to all of them, where the run is None. While all wait
    there is no progress.
    """
    training = [run for run in pending if run.state != "queued"]
    waiting = len(pending) - len(training)
    progress = sum(run.progress for run in training) / len(training) if training else None
    counts = [f"{len(training):,} training" if training else "", f"{waiting:,} waiting" if waiting else ""]
    text = ", ".join(filter(None, counts))
    if progress is not None:
        text += f" · {progress:.0%}"
    alone = {run.pair or run.id for run in training or pending}
    return {"text": text, "progress": progress, "run": (training or pending)[0].id if len(alone) == 1 else None}
