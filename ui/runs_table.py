"""A table of runs in which one is opened by picking its row."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import Run


def show_runs(runs: Sequence[Run], key: str) -> None:
    """Show runs in the order they come; picking one opens its results."""
    if not runs:
        st.info("No runs yet. Press *Train both now* on the Home page, or choose the settings on the Train page.")
        return
    table = pd.DataFrame(
        {
            "Network": [run.config.architecture for run in runs],
            "Framework": [FRAMEWORK_TITLES[run.config.framework] for run in runs],
            "State": [run.state for run in runs],
            "Test accuracy": [(run.results or {}).get("test_accuracy") for run in runs],
            "Epochs": [run.config.epochs for run in runs],
            "Batch size": [run.config.batch_size for run in runs],
            "Training": [(run.results or {}).get("train_seconds") for run in runs],
            "Launched": [pd.Timestamp(run.created_at, unit="s", tz="UTC") for run in runs],
        }
    )
    picked = st.dataframe(
        table,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "Test accuracy": st.column_config.NumberColumn(format="percent"),
            "Training": st.column_config.NumberColumn("Training, seconds", format="%.1f"),
            "Launched": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
        },
    )
    st.caption("Tick a run to open its results.")
    if picked.selection.rows:
        run = runs[picked.selection.rows[0]]
        st.switch_page("../pages/results.py", query_params={"run": run.id})
