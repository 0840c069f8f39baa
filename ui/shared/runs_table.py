"""A table of runs: a click on a run's network opens it, selected ones are chosen to do something with.

Only that button opens a run, so that a click on a column's head sorts and nothing else, and the arrow keys move.

show_runs(runs, key="last-runs")
chosen = choose_runs(runs, key="runs")
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import Run
from ui.shared.formatting import state_of

_COLUMNS = {
    "State": st.column_config.TextColumn(width=150),
    "Test accuracy": st.column_config.NumberColumn(format="percent"),
    "Progress": st.column_config.ProgressColumn(width=110, format="percent", min_value=0, max_value=1),
    "Training": st.column_config.NumberColumn("Training, seconds", format="%.1f"),
    "Launched": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
    "Tags": st.column_config.ListColumn(),
}


def show_runs(runs: Sequence[Run], key: str) -> None:
    """Show runs in the order they come; a click on a network opens its run's results."""
    if not runs:
        st.info("No runs yet. Press *Train both now* on the Home page, or choose the settings on the Train page.")
        return
    digest = _digest(runs)
    st.dataframe(runs_frame(runs), key=f"{key}-{digest}", **_looks(runs, f"{key}-open-{digest}"))
    st.caption("Click a network to open its run.")


def choose_runs(runs: Sequence[Run], key: str) -> list[Run]:
    """Show runs, open the one whose network is clicked, and return those that are selected."""
    digest = _digest(runs)  # what is selected is known by its row, so a table of other runs is another one
    picked = st.dataframe(
        runs_frame(runs),
        key=f"{key}-{digest}",
        on_select="rerun",
        selection_mode="multi-row",
        **_looks(runs, f"{key}-open-{digest}"),
    )
    return [runs[row] for row in picked.selection.rows]


def runs_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return a row a run with what tells runs apart; columns in which there is nothing are left out."""
    frame = pd.DataFrame(
        {
            "Name": [run.name for run in runs],
            "Network": [run.config.architecture for run in runs],
            "Data": [run.config.dataset for run in runs],
            "Framework": [FRAMEWORK_TITLES[run.config.framework] for run in runs],
            "State": [state_of(run) for run in runs],
            "Test accuracy": [run.results.test_accuracy for run in runs],
            "Progress": [run.progress for run in runs],
            "Epochs": [run.config.epochs for run in runs],
            "Batch size": [run.config.batch_size for run in runs],
            "Training": [run.results.train_seconds for run in runs],
            "Launched": [pd.Timestamp(run.created_at, unit="s", tz="UTC") for run in runs],
            "Tags": [list(run.tags) for run in runs],
        }
    )
    empty = [name for name in ("Name", "Tags") if not frame[name].map(bool).any()]
    return frame.drop(columns=[*empty, *(["Data"] if frame["Data"].nunique() == 1 else [])])


def _digest(runs: Sequence[Run]) -> str:
    return hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:12]


def _looks(runs: Sequence[Run], open_key: str) -> dict[str, Any]:
    """Return how a table looks, and that the buttons of its column of networks open these runs."""
    button = st.column_config.ButtonColumn(
        help="Opens the run.",
        type="tertiary",
        alignment="left",
        key=open_key,
        on_click=_open,
        args=([run.id for run in runs], open_key),
    )
    return {
        "hide_index": True,
        "column_config": {"Network": button, **_COLUMNS},
        "placeholder": "",
        "height": "content" if len(runs) <= 15 else "auto",
    }


def _open(run_ids: Sequence[str], open_key: str) -> None:
    """Open the run of the row that was clicked, in the table as it was shown then."""
    st.switch_page("../pages/results.py", query_params={"run": run_ids[st.session_state[open_key].row]})
