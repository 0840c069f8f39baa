"""Data: what there is to learn from, looked at from all sides, and brought in.

What is chosen is in the address: `?dataset=mnist&view=Images&split=Test&class=7&page=2&image=17`.
"""

import streamlit as st

from ui.data import VIEWS
from ui.data.dataset_choice import choose_dataset
from ui.shared.open_dataset import open_dataset
from ui.shared.page_title import set_page_title

st.title("Data")
with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
    name = choose_dataset()
    view = st.segmented_control(
        "View", list(VIEWS), default="Overview", required=True, key="view", bind="query-params", wrap=True
    )
if dataset := open_dataset(name):
    set_page_title(dataset.specification.title, view)
    VIEWS[view](dataset)
