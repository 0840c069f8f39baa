"""The three splits that a run with the usual settings sees, drawn once for all visitors."""

import numpy as np
import streamlit as st

from core.config import RunConfig
from core.datasets import Dataset
from core.datasets.inspection.gallery import split_rows

USUAL = RunConfig()
"""A run's settings where nothing else is chosen."""


def rows_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the row numbers of training, validation and test; see `core.datasets.inspection.gallery.split_rows`."""
    return _rows(dataset, dataset.fingerprint)


@st.cache_resource(max_entries=8)
def _rows(_dataset: Dataset, fingerprint: str) -> dict[str, np.ndarray]:  # noqa: ARG001, the cache's key
    return split_rows(_dataset, share=USUAL.validation_share, seed=USUAL.seed)
