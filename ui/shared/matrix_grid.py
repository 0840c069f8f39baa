"""A matrix as a grid of cells, one of which is picked by click, finger or keyboard; a row or column by its head.

    matrix_grid("confusion", cells, rows=names, columns=names, picked=(4, 9), on_pick=show, …)

The arrow keys walk from cell to cell, Home and End to the ends of a row, Enter or Space picks. Only the cell that is
walked to is reached with the tab key. Built anew it is only where its rows or columns change.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import streamlit as st

Place = tuple[int | None, int | None]
"""Row and column from 0; None for all of them, where a head was picked."""

Tone = Literal["right", "wrong", "pytorch", "keras", "one", "other", "plain"]
"""What the colour of a cell means: its hue has no other use."""

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "duet_matrix_grid",
    html='<div class="frame"><table role="grid"></table></div>',
    css=(_HERE / "matrix_grid.css").read_text(),
    js=(_HERE / "matrix_grid.js").read_text(),
)


class Cells(NamedTuple):
    """What the cells show, each an array `(rows, columns)`."""

    texts: np.ndarray
    """What stands in a cell, str."""
    labels: np.ndarray
    """What a cell is, in words, str: for the pointer at rest and for screen readers."""
    depths: np.ndarray
    """How deep its colour is, 0 to 1."""
    tones: np.ndarray
    """Its hue, of `Tone`."""


def matrix_grid(
    key: str,
    cells: Cells,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_title: str,
    column_title: str,
    title: str,
    picked: Place | None,
    on_pick: Callable[[Place], None],
) -> None:
    """Show a matrix, and call `on_pick` with the place that is picked, before the page runs again.

    Args:
        key: unique on the page.
        rows: the name of each row.
        columns: the name of each column.
        row_title: what the rows are, such as "True class".
        column_title: what the columns are.
        title: what the whole matrix is called, for screen readers.
        picked: the place that is marked.
    """

    def pick() -> None:
        place = _read_place(st.session_state[key].get("picked"), len(rows), len(columns))
        if place is not None:
            on_pick(place)

    _component(
        key=key,
        data={
            "title": title,
            "rowTitle": row_title,
            "columnTitle": column_title,
            "rows": list(rows),
            "columns": list(columns),
            "texts": cells.texts.tolist(),
            "labels": cells.labels.tolist(),
            "depths": np.round(cells.depths, 3).tolist(),
            "tones": cells.tones.tolist(),
            "picked": None if picked is None else [-1 if each is None else each for each in picked],
        },
        on_picked_change=pick,
    )


def _read_place(value: object, rows: int, columns: int) -> Place | None:
    """Return the place that a browser sent; None if it is none."""
    if not isinstance(value, list) or len(value) != 2 or not all(type(each) is int for each in value):
        return None
    row, column = value
    if not (-1 <= row < rows and -1 <= column < columns):
        return None
    return None if row < 0 else row, None if column < 0 else column
