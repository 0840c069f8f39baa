"""A table of runs: a click on a run opens it, ticked ones are chosen to do something with.

show_runs(runs, key="last-runs")
chosen = choose_runs(runs, key="runs")
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import Run
from ui.shared.formatting import state_of

_Mode = Literal["single-cell", "multi-row"]

_COLUMNS = {
    "State": st.column_config.TextColumn(width=150),
    "Test accuracy": st.column_config.NumberColumn(format="percent"),
    "Progress": st.column_config.ProgressColumn(width=110, format="percent", min_value=0, max_value=1),
    "Training": st.column_config.NumberColumn("Training, seconds", format="%.1f"),
    "Launched": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
    "Tags": st.column_config.ListColumn(),
}


def show_runs(runs: Sequence[Run], key: str) -> None:
    """Show runs in the order they come; a click on one opens its results."""
    if not runs:
        st.info("No runs yet. Press *Train both now* on the Home page, or choose the settings on the Train page.")
        return
    _show(runs, key, ("single-cell",))
    st.caption("Click a run to open its results.")


def choose_runs(runs: Sequence[Run], key: str) -> list[Run]:
    """Show runs, open one that is clicked, and return those that are ticked."""
    return [runs[row] for row in _show(runs, key, ("multi-row", "single-cell"))]


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


def _show(runs: Sequence[Run], key: str, modes: tuple[_Mode, ...]) -> list[int]:
    """Show the table, open the run of a clicked cell, and return the positions of the ticked rows."""
    # What is ticked is known by its row, so a table of other runs is another one.
    digest = hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:12]
    picked = st.dataframe(
        runs_frame(runs),
        key=f"{key}-{digest}",
        hide_index=True,
        on_select="rerun",
        selection_mode=modes,
        column_config=_COLUMNS,
        placeholder="",
        height="content" if len(runs) <= 15 else "auto",
    )
    if picked.selection.cells:
        row, _ = picked.selection.cells[0]
        st.switch_page("../pages/results.py", query_params={"run": runs[row].id})
    return picked.selection.rows
