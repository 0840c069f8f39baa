"""What runs predicted of the test images, read once.

probabilities, labels = test_answers(run.id, run.ended_at)
"""

import numpy as np
import streamlit as st

from core.runs import FinishedRun
from core.runs.predictions import read_predictions
from ui.shared.test_image import Network


@st.cache_resource(max_entries=16)
def test_answers(run_id: str, ended_at: float | None) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001, the cache's key
    """Return the probabilities `(N, classes)` that a run gave to the test images, and their labels."""
    tested = read_predictions(run_id, "test")
    if tested is None:
        raise FileNotFoundError(f"Run {run_id}: expected its predictions of the test images in its folder, found none.")
    return tested.probabilities, tested.labels


def network_of(run: FinishedRun, title: str) -> Network:
    """Return what a run's network says of the test images, under a title that tells it from others."""
    return Network(title, run.config.framework, test_answers(run.id, run.ended_at)[0])
