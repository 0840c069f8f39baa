"""More of how runs learn, folded away until it is asked for: learning rate, gradient, and errors at each epoch.

show_details(runs, frame, key="results")

Errors are those on the validation images; while a run trains they follow the newest epoch.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.runs import STEP_METRICS, changing_confusion, step_curves
from core.config import FRAMEWORK_TITLES
from core.runs import Run, open_store
from core.training.records import Epoch
from ui.shared.open_dataset import open_dataset


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
            _show_errors(runs, key)


def _show_errors(runs: Sequence[Run], key: str) -> None:
    validated = {
        run_id: {epoch.epoch: epoch for epoch in epochs if epoch.confusion} for run_id, epochs in _epochs(runs).items()
    }
    numbers = sorted(set().union(*validated.values()))
    if not numbers:
        st.caption("They are shown when the first epoch has been validated.")
        return
    chosen = _choose_epoch(numbers, f"{key}-epoch")
    for run, column in zip(runs, st.columns(len(runs), gap="medium"), strict=True):
        title = FRAMEWORK_TITLES[run.config.framework]
        with column:
            epoch = validated[run.id].get(chosen)
            if epoch is None:
                st.caption(f"{title} has not validated epoch {chosen}.")
                continue
            st.markdown(
                f"**{title}**, epoch {chosen}: {epoch.val_accuracy:.2%} predicted correctly, loss {epoch.val_loss:.4f}"
            )
            if dataset := open_dataset(run.config.dataset):
                chart = changing_confusion(np.array(epoch.confusion), dataset.class_names, run.config.framework)
                st.altair_chart(chart, key=f"{key}-errors-{run.id}")


def _choose_epoch(numbers: Sequence[int], key: str) -> int:
    """Let one of several epochs be chosen; as long as that is the newest, it stays the newest."""
    newest, following = numbers[-1], f"{key}-newest"
    if len(numbers) == 1:
        return newest
    if st.session_state.get(following, True) or st.session_state.get(key) not in numbers:
        st.session_state[key] = newest

    def measure_new_part() -> None:
        st.session_state[following] = st.session_state[key] == newest

    return st.select_slider("Epoch", numbers, key=key, on_change=measure_new_part)


def _epochs(runs: Sequence[Run]) -> dict[str, list[Epoch]]:
    """Return the records of the runs' epochs, reading only those that this session has not seen."""
    before: dict[tuple[str, int], list[Epoch]] = st.session_state.get("epochs", {})
    # A next attempt takes back what it trains again.
    epochs = {(run.id, run.attempt): before.get((run.id, run.attempt), []) for run in runs}
    for (run_id, _), known in epochs.items():
        known.extend(open_store().epochs(run_id, after=known[-1].epoch if known else 0))
    st.session_state["epochs"] = epochs
    return {run_id: known for (run_id, _), known in epochs.items()}
