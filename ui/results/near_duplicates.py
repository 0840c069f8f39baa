"""Accuracies beside those without near-duplicates of the images that were learnt from, where the two differ.

show_grouped_accuracies(runs, dataset)
"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.datasets import Dataset
from core.datasets.grouping import known_groups
from core.runs import FinishedRun
from core.runs.predictions import DamagedPredictionsError, Part, read_predictions
from core.studies.leaks import GroupedAccuracy, grouped_accuracy
from ui.shared.data_table import show_data_table
from ui.shared.near_duplicates import offer_search

_PARTS: dict[Part, str] = {"validation": "Validation", "test": "Test"}


def show_grouped_accuracies(runs: Sequence[FinishedRun], dataset: Dataset) -> None:
    """Show a row for each part of each run that has near-duplicates of what was learnt; offer to look for them.

    Args:
        runs: those trained on these very data whose predictions can be read.
    """
    if not runs:
        return
    if known_groups(dataset) is None:
        offer_search(dataset)
        return
    rows = [
        _row(run, part, found)
        for run in runs
        for part in _PARTS
        if (found := _grouped(dataset, dataset.fingerprint, run.id, run.ended_at, part, run))
        and found.images < found.given_images
    ]
    if not rows:
        return
    st.markdown("**Without near-duplicates of training images**")
    show_data_table(pd.DataFrame(rows), hide_index=True, width="content", key="grouped-accuracies")
    st.caption(
        "Variations of an image that was learnt from prove little. To choose the epoch without them, train with "
        "grouped validation images."
    )


def _row(run: FinishedRun, part: Part, found: GroupedAccuracy) -> dict[str, str]:
    return {
        "Run": FRAMEWORK_TITLES[run.config.framework],
        "Images": _PARTS[part],
        "Accuracy as given": f"{found.given:.2%} of {found.given_images:,}",
        "Grouped": "every image has one" if found.accuracy is None else f"{found.accuracy:.2%} of {found.images:,}",
    }


@st.cache_data(max_entries=64, show_spinner=False)
def _grouped(
    _dataset: Dataset,
    fingerprint: str,  # noqa: ARG001, the cache's key, with what follows
    run_id: str,
    ended_at: float | None,  # noqa: ARG001
    part: Part,
    _run: FinishedRun,
) -> GroupedAccuracy | None:
    groups = known_groups(_dataset)
    try:
        predictions = read_predictions(run_id, part)
    except DamagedPredictionsError:  # which is said where they are shown
        return None
    if predictions is None or groups is None:
        return None
    return grouped_accuracy(_dataset, _run.config, predictions, part, groups)
