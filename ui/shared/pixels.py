"""An image as the numbers it is made of.

show_numbers(image[..., 0], key="numbers")
"""

import numpy as np
import streamlit as st

from core.charts.datasets import pixel_table

_LINE = 26  # height of a line on the screen, in pixels
_COLUMN = 38  # wide enough for three digits


def show_numbers(pixels: np.ndarray, key: str) -> None:
    """Show one channel, uint8 `(H, W)`, as a table whose cells are as bright as their pixels."""
    table = pixel_table(pixels)
    st.dataframe(
        table,
        key=key,
        width="content",
        height=_LINE * len(pixels) + 40,  # with the column numbers above
        row_height=_LINE,
        column_config={name: st.column_config.Column(width=_COLUMN) for name in table.columns},
    )
