"""What runs answered on the test images, read once."""

import numpy as np
import streamlit as st

from core.checkpoints import read_arrays
from core.home import run_directory


@st.cache_resource(max_entries=16)
def test_answers(run_id: str, ended_at: float) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001, the cache's key
    """Return the probabilities `(N, classes)` that a run gave to the test images, and their labels."""
    arrays = read_arrays(run_directory(run_id) / "test.safetensors")
    return arrays["probabilities"], arrays["labels"]
