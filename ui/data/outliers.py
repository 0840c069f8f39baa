"""The least typical training images, beside those whose label is likely to be wrong.

show_outliers(dataset, found)
"""

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.studies.label_check import Suspects
from ui.shared.image_detail import pick_image, show_image_detail

_SHOWN = 48
_COLUMNS = 12


def show_outliers(dataset: Dataset, found: Suspects) -> None:
    """Show the images that a label check has found to be unlike every class, once they are asked for."""
    if not found.outliers:
        return
    folded = st.expander("Least typical images", icon=":material/scatter_plot:", key="outliers", on_change="rerun")
    if not folded.open:
        return
    shown = found.outliers[:_SHOWN]
    positions = np.array([outlier.index for outlier in shown])
    picked = st.session_state.get("outlier", int(positions[0]))
    with folded:
        st.caption(
            "A network that has not seen them is least sure of these: outliers, faulty images, or what lies between "
            "two classes. The least typical come first."
        )
        with st.container(horizontal=True, gap="medium"):
            with st.container(width=596):
                pick_image(
                    "outlier-images",
                    dataset,
                    positions,
                    [f"typicality {outlier.typicality:.4f}" for outlier in shown],
                    columns=_COLUMNS,
                    picked=picked,
                    on_pick=lambda index: st.session_state.update(outlier=index),
                    title="Least typical images",
                )
            with st.container(width=224):
                show_image_detail(dataset, picked if picked in positions else int(positions[0]), 224)
