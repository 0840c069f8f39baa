"""What classes of a data set can and cannot do for lack of images.

show_class_doubts(dataset)
"""

import streamlit as st

from core.datasets import Dataset
from core.datasets.inspection.health import class_doubts
from ui.shared.formatting import escape_markdown


def show_class_doubts(dataset: Dataset) -> None:
    """Name the classes without training or without test images, and rare ones; nothing if there are none."""
    for doubt in class_doubts(dataset):
        st.warning(escape_markdown(doubt), icon=":material/image_not_supported:")
