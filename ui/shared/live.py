"""Runs as they go: progress, a way to stop them, and curves that grow in place.

    watch(runs, key="results")

While one of the runs goes on, this part of the page refreshes itself, reading only what is new;
when one has ended the whole page runs once more.
"""

from collections.abc import Mapping, Sequence
from typing import get_args

import streamlit as st

from core.charts.curves import Scale, curves, difference_frame, difference_strip, metric_frame
from core.charts.runs import METRICS, curve_frame
from core.config import Framework
from core.jobs.scheduler import ensure_running
from core.runs import INACTIVE, Run, open_store
from core.training.records import StepMetrics
from ui.shared.dialogs import refresh_page
from ui.shared.formatting import load, status
from ui.shared.run_actions import ACTIONS, show_action
from ui.shared.training_details import show_details

_REFRESH_S = 0.5


def watch(runs: Sequence[Run], key: str, *, details: bool = False) -> None:
    """Show progress and curves of `runs`, live while one goes on; `details` to be opened, too, if asked for."""
    pending = [run.id for run in runs if run.state not in INACTIVE]
    st.fragment(_watch, run_every=_REFRESH_S if pending else None)([run.id for run in runs], key, pending, details)


def _watch(run_ids: Sequence[str], key: str, pending: Sequence[str], details: bool) -> None:
    store = open_store()
    runs = [store.get(run_id) for run_id in run_ids]
    if any(run.state in INACTIVE for run in runs if run.id in pending):
        refresh_page()
    if pending:
        ensure_running()
    with st.container():  # whatever comes and goes in it, the charts keep their place and are not built anew
        # What ended is told by the head of the page that shows details.
        for run in (run for run in runs if not details or run.state not in INACTIVE):
            _show_progress(run, key)
        if loads := [text for run in runs if (text := load(run))]:
            st.caption(f"In use: {'; '.join(loads)}.")
    points = _points(runs)
    frameworks = {run.id: run.config.framework for run in runs}
    _show_curves(runs, points, frameworks, key)
    if details:
        show_details(runs, curve_frame(points, frameworks), key)


def _show_curves(
    runs: Sequence[Run], points: Mapping[str, Sequence[StepMetrics]], frameworks: Mapping[str, Framework], key: str
) -> None:
    """Draw loss and accuracy, and below those of a pair by how much the two differ."""
    scale = st.segmented_control(
        "Vertical axis",
        get_args(Scale),
        default="last 80 %",
        required=True,
        key=f"{key}-scale",
        format_func=str.capitalize,
        label_visibility="collapsed",
    )
    epochs = max(run.config.epochs for run in runs)
    paired = len(set(frameworks.values())) == len(runs) == 2
    for column, metric in zip(st.columns(2, gap="medium"), METRICS, strict=True):
        frame = metric_frame(points, frameworks, metric, scale, epochs=epochs)
        # Streamlit forgets a zoom when the data change, unless the zoom is a selection it listens to.
        column.vega_lite_chart(
            frame,
            curves(metric, scale, epochs=epochs),
            key=f"{key}-{metric}",
            on_select="rerun",
            selection_mode="zoom",
            alt=f"Training and validation {metric} over the epochs",
        )
        if paired:
            column.vega_lite_chart(
                difference_frame(frame),
                difference_strip(metric, epochs=epochs),
                key=f"{key}-{metric}-difference",
                alt=f"Difference of the training {metric}, Keras − PyTorch, over the epochs",
            )
    st.caption(
        "Lines are the running mean over the training images, faint what was measured, dots the validation. "
        "Drag to move, turn the wheel to zoom, double-click to see all again."
    )


def _show_progress(run: Run, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if run.state in INACTIVE:
            st.markdown(status(run))
            return
        st.progress(run.progress, text=status(run))
        if ACTIONS["pause"].fits(run):
            show_action("pause", run, key)
        show_action("stop", run, key, disabled=run.stop_requested)
    if run.unresponsive:
        st.caption("Its process has sent no heartbeat for a while. It may come back; *Stop* ends it for good.")


def _points(runs: Sequence[Run]) -> dict[str, list[StepMetrics]]:
    """Return the measurements of runs: thinned when this session first sees them, and from then on what is new."""
    store = open_store()
    before: dict[tuple[str, int], list[tuple[int, StepMetrics]]] = st.session_state.get("points", {})
    # A next attempt takes back what it measures again.
    points = {(run.id, run.attempt): before.get((run.id, run.attempt)) or store.curves(run.id) for run in runs}
    for (run_id, _), measured in points.items():
        measured.extend(store.metrics(run_id, after=measured[-1][0] if measured else 0))
    st.session_state["points"] = points
    return {run_id: [point for _, point in measured] for (run_id, _), measured in points.items()}
