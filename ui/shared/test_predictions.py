"""What runs answered on the test images, read once."""

import numpy as np
import streamlit as st

from core.system.paths import run_directory
from core.training.checkpoints import read_arrays


@st.cache_resource(max_entries=16)
def test_answers(run_id: str, ended_at: float) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001, the cache's key
    """Return the probabilities `(N, classes)` that a run gave to the test images, and their labels."""
    arrays = read_arrays(run_directory(run_id) / "test.safetensors")
    return arrays["probabilities"], arrays["labels"]
