"""The button that has near-duplicates looked for in the background, where no import has done so, and how that goes.

if known_groups(dataset) is None:
    offer_search(dataset)
"""

import streamlit as st

from core.datasets import Dataset
from core.datasets.inspection import near_duplicates
from ui.shared.dialogs import refresh_page

_REFRESH_S = 0.5


def offer_search(dataset: Dataset) -> None:
    """Show the button, or that near-duplicates are looked for; the page runs anew when that has ended."""
    status = near_duplicates.progress(dataset.fingerprint)
    if status.state == "running":
        st.fragment(_watch, run_every=_REFRESH_S)(dataset)
        return
    if status.state == "failed":
        st.error("Near-duplicates could not be looked for: the process ended unexpectedly.", icon=":material/error:")
    st.button(
        "Look for near-duplicates",
        key="look-for-near-duplicates",
        icon=":material/content_copy:",
        help="Test and validation images that are variations of training images flatter the accuracy.",
        on_click=near_duplicates.start,
        args=(dataset.specification.name,),
    )


def _watch(dataset: Dataset) -> None:
    if near_duplicates.progress(dataset.fingerprint).state != "running":
        refresh_page()
    st.caption("Looking for near-duplicates across the splits. It goes on if you leave this page.")
