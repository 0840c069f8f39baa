"""What runs predicted of the test images, read once.

for run in with_test_predictions(runs):         # says of the others why not
    probabilities, labels = test_answers(run.id, run.ended_at)
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.runs import FinishedRun, open_store
from core.runs.predictions import DamagedPredictionsError, read_test_predictions
from ui.shared.formatting import escape_markdown
from ui.shared.test_image import Network


@st.cache_resource(max_entries=16)
def test_answers(run_id: str, ended_at: float | None) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001, the cache's key
    """Return the probabilities `(N, classes)` that a run gave to the test images, and their labels.

    Raises:
        DamagedPredictionsError: if what it kept is gone, or not what was written.
    """
    tested = read_test_predictions(run_id, open_store().get(run_id).results.confusion)
    return tested.probabilities, tested.labels


def with_test_predictions(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Return those of some runs whose predictions of the test images can be read; say of each other one why not."""
    whole = []
    for run in runs:
        try:
            test_answers(run.id, run.ended_at)
        except DamagedPredictionsError as error:
            st.warning(
                f"What needs these predictions is not shown. {escape_markdown(str(error))}", icon=":material/healing:"
            )
        else:
            whole.append(run)
    return whole


def network_of(run: FinishedRun, title: str) -> Network:
    """Return what a run's network says of the test images, under a title that tells it from others."""
    return Network(title, run.config.framework, test_answers(run.id, run.ended_at)[0], run.id)
