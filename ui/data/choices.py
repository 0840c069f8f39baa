"""What several views let one choose."""

from collections.abc import Callable

import streamlit as st

from core.charts.datasets import are_short
from core.datasets import Dataset
from ui.shared.formatting import escape_markdown


def choose_class(dataset: Dataset, on_change: Callable[[], None] | None = None) -> int | None:
    """Let one class be chosen and return its label; None for all of them."""
    names = dataset.class_names
    # Many or long names would fill the page as pills.
    if are_short(names):
        name = st.pills(
            "Class (none for all)",
            names,
            format_func=escape_markdown,
            key="class",
            bind="query-params",
            wrap=True,
            on_change=on_change,
        )
    else:
        name = st.selectbox(
            "Class",
            names,
            index=None,
            placeholder="All classes",
            key="class-name",
            bind="query-params",
            width=260,
            on_change=on_change,
        )
    return None if name is None else names.index(name)
