"""More of how runs learn, folded away until it is asked for: learning rate, gradient, and errors at each epoch.

show_details(runs, frame, key="results")

Errors are those on the validation images; while a run trains they follow the newest epoch.
"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.charts.runs import STEP_METRICS, step_curves
from core.runs import Run
from ui.shared.epoch_explorer import show_epoch_errors


def show_details(runs: Sequence[Run], frame: pd.DataFrame, key: str) -> None:
    """Show the details of runs that are opened.

    Args:
        frame: their measurements, of `core.charts.runs.curve_frame`.
        key: unique on the page.
    """
    rates = st.expander("Learning rate and gradient", icon=":material/speed:", key=f"{key}-steps", on_change="rerun")
    if rates.open:
        with rates:
            for column, metric in zip(st.columns(2, gap="medium"), STEP_METRICS, strict=True):
                column.altair_chart(step_curves(frame, metric), key=f"{key}-{metric}")
            st.caption("The gradient norm is the length of the gradient of all layers together, before it is clipped.")
    errors = st.expander("Validation errors", icon=":material/grid_on:", key=f"{key}-epochs", on_change="rerun")
    if errors.open:
        with errors:
            show_epoch_errors(runs, key)
