"""Classes: what the images of each have in common, where they vary, and how bright the pixels are."""

import numpy as np
import streamlit as st

from core.charts.datasets import value_histogram
from core.datasets import Dataset
from core.datasets.inspection.statistics import SPLITS, statistics
from ui.data.picture_row import show_row

_TITLES = {"train": "Training", "test": "Test"}


@st.fragment
def show(dataset: Dataset) -> None:
    """Show mean and spread of each class, and the histogram of the pixel values."""
    with st.spinner("Measuring all images …", show_time=True):
        found = statistics(dataset)
    with st.container(horizontal=True, gap="medium"):
        split = st.segmented_control(
            "Split",
            SPLITS,
            format_func=lambda name: _TITLES[name],
            default="train",
            required=True,
            key="measured",
            bind="query-params",
            help="Training with its validation part.",
        )
        kind = st.segmented_control(
            "Image of each class", ["Mean", "Std. dev."], default="Mean", required=True, key="kind", bind="query-params"
        )
    if kind == "Mean":
        st.caption("The average of all images of a class: sharp where they agree, blurred where they do not.")
        pictures = found.means[split]
    else:
        st.caption("The standard deviation of each pixel over a class: bright where its images differ.")
        # The largest deviation there can be is 127.5, and it is shown as white.
        pictures = np.minimum(255, 2 * found.spreads[split])
    show_row(list(pictures.round().astype(np.uint8)), dataset.class_names)
    st.subheader("Pixel values")
    st.caption(
        "How often each brightness occurs, on a logarithmic scale. Where training and test part, they were made "
        "differently, and a network will be asked for what it has not seen."
    )
    with st.container(width=860):
        st.altair_chart(value_histogram(found.histograms, _TITLES), key="histogram")
