"""The data set of a page, or what to do where it cannot be opened; the rest of the page goes on.

if dataset := open_dataset(run.config.dataset):
    st.image(dataset.test.images[0])
if dataset := open_dataset_of(run):                     # the very one that it was tested on
    st.image(dataset.test.images[tested.rows[0]])
"""

import streamlit as st

from core.datasets import Dataset, load, names
from core.runs import FinishedRun
from ui.shared.formatting import escape_markdown


def open_dataset(name: str) -> Dataset | None:
    """Return a data set; if it is not here or damaged, say so and return none."""
    if name not in names():
        st.warning(
            f"The data set {escape_markdown(name)} is not here: it was deleted or renamed, or never imported. What "
            "needs its images is not shown.",
            icon=":material/image_not_supported:",
        )
        return None
    try:
        return load(name)
    except ValueError as error:
        st.warning(
            f"What needs the images is not shown. {escape_markdown(str(error))}", icon=":material/image_not_supported:"
        )
        return None


def open_dataset_of(run: FinishedRun) -> Dataset | None:
    """Return the data set that a run was tested on; if there is none, or another one by that name, say so."""
    dataset = open_dataset(run.config.dataset)
    if dataset is None or dataset.fingerprint == run.results.fingerprint:
        return dataset
    st.warning(
        f"The data set {escape_markdown(run.config.dataset)} is no longer the one that this run was tested on: it was "
        "imported anew. What needs the former images is not shown.",
        icon=":material/image_not_supported:",
    )
    return None
