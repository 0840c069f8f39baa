"""A confusion matrix of any number of classes as a grid of cells: which classes, in which order, and what a cell says.

    view = choose_classes("errors", matrix, names, on_change=forget)
    rates = cell_rates(view, matrix, unit)
    cells = count_cells(view.part(matrix), rates, view.names(names), view, as_counts=unit == "Counts")
    show_class_matrix("errors-matrix", cells, heads=view.names(names), title=…, picked=(4, 9), on_pick=show)

Of more classes than can be read, the block with the most errors is shown first; the rest are counted together.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from core.studies.errors import (
    BLOCK,
    blocks_in_order,
    class_blocks,
    column_rates,
    most_confused_with,
    with_other_classes,
)
from core.training.metrics import row_rates
from ui.shared.formatting import counted
from ui.shared.matrix_grid import Cells, Place, matrix_grid

UNITS = ("Counts", "By true class", "By prediction")
"""What the cells may show."""
OTHERS = "others"
"""What the address calls the classes that are not shown."""
_ORDERS = ("As given", "By likeness")
_PALEST = 0.12
"""How deep the colour of a single image is: it is to be found among empty cells."""


class ClassView(NamedTuple):
    """The part of a confusion matrix that is shown: its classes, and whether there are others."""

    classes: np.ndarray
    all_classes: int

    @property
    def partial(self) -> bool:
        return len(self.classes) < self.all_classes

    def names(self, class_names: Sequence[str]) -> list[str]:
        """Return the heads of rows and columns."""
        return [class_names[label] for label in self.classes] + (["rest"] if self.partial else [])

    def part(self, matrix: np.ndarray) -> np.ndarray:
        """Return what the cells count."""
        part = with_other_classes(matrix, self.classes)
        return part if self.partial else part[:-1, :-1]

    def position(self, word: str) -> int | None:
        """Return the row or column that a word of the address names; None if it is all of them, or not shown."""
        if word == OTHERS:
            return len(self.classes) if self.partial else None
        found = np.flatnonzero(self.classes == int(word)).tolist() if word else []
        return found[0] if found else None

    def word(self, position: int | None) -> str:
        """Return what the address calls a row or column."""
        if position is None:
            return ""
        return OTHERS if position == len(self.classes) else str(self.classes[position])

    def chosen(self, word: str) -> np.ndarray | None:
        """Return the classes that a word of the address names; None for all."""
        if word == OTHERS:
            return np.setdiff1d(np.arange(self.all_classes), self.classes)
        return np.array([int(word)]) if word else None


def choose_classes(key: str, matrix: np.ndarray, names: Sequence[str], on_change: Callable[[], None]) -> ClassView:
    """Let the order of the classes be chosen and, where there are many, which of them are shown.

    Args:
        key: unique on the page.
        on_change: called where other classes than before are shown.
    """
    many = len(names) > BLOCK
    order = st.segmented_control(
        "Classes",
        _ORDERS,
        default=_ORDERS[1] if many else _ORDERS[0],
        required=True,
        key=f"{key}-order",
        on_change=on_change,
        help="By likeness: classes that are confused with one another stand side by side"
        + (", the worst block first." if many else "."),
    )
    blocks = class_blocks(matrix) if order == "By likeness" else blocks_in_order(len(names))
    if not many:
        return ClassView(blocks[0], len(names))
    searched = st.selectbox(
        "Find a class",
        range(len(names)),
        index=None,
        format_func=names.__getitem__,
        placeholder="Type its name",
        key=f"{key}-class",
        width=220,
        on_change=on_change,
        help="Shows it with the classes that it is confused with most.",
    )
    if searched is not None:
        return ClassView(most_confused_with(matrix, searched), len(names))
    block = st.pagination(len(blocks), key=f"{key}-block", on_change=on_change)
    return ClassView(blocks[block - 1], len(names))


def cell_rates(view: ClassView, matrix: np.ndarray, unit: str) -> np.ndarray:
    """Return the share that each cell is of its row, or of its column."""
    part = with_other_classes(matrix, view.classes)
    if unit != "By prediction":
        # The last row is of many classes: each of its cells is a share of all their images.
        rates = row_rates(part)
        elsewhere = matrix.sum() - matrix[view.classes].sum()
        rates[-1] = part[-1] / max(elsewhere, 1)
    else:
        rates = column_rates(part)
        taken = matrix.sum() - matrix[:, view.classes].sum()
        rates[:, -1] = part[:, -1] / max(taken, 1)
    return rates if view.partial else rates[:-1, :-1]


def count_cells(
    part: np.ndarray, rates: np.ndarray, heads: Sequence[str], view: ClassView, *, as_counts: bool
) -> Cells:
    """Return the cells of a confusion matrix: the rarer an error, the paler, on a square-root scale."""
    size = len(part)
    texts, labels = np.empty((size, size), object), np.empty((size, size), object)
    tones = np.full((size, size), "wrong", object)
    for i, j in np.ndindex(size, size):
        count, rate = int(part[i, j]), float(rates[i, j])
        texts[i, j] = "·" if not count else f"{count:,}" if as_counts else f"{rate:.1%}"
        labels[i, j] = f"{heads[i]}, predicted {heads[j]}: {counted(count, 'image')}, {rate:.2%}"
    tones[range(size), range(size)] = "right"
    if view.partial:
        texts[-1, -1], labels[-1, -1], tones[-1, -1] = "", "Other classes among themselves: see their blocks", "plain"
    return Cells(texts, labels, np.where(part > 0, _PALEST + (1 - _PALEST) * np.sqrt(rates), 0), tones)


def change_cells(before: np.ndarray, after: np.ndarray, heads: Sequence[str]) -> Cells:
    """Return cells that say by how many images each count has changed: green for the better, as deep as its share."""
    more = after - before
    size = len(more)
    texts, labels = np.empty((size, size), object), np.empty((size, size), object)
    for i, j in np.ndindex(size, size):
        count = int(more[i, j])
        texts[i, j] = f"{count:+,}" if count else "·"
        how = "as many images as before" if not count else counted(abs(count), "image")
        labels[i, j] = f"{heads[i]}, predicted {heads[j]}: {how}{' more' if count > 0 else ' fewer' if count else ''}"
    better = np.where(np.eye(size, dtype=bool), more > 0, more < 0)
    shares = np.abs(more) / np.maximum(after.sum(axis=1, keepdims=True), 1)
    depths = np.where(more != 0, _PALEST + (1 - _PALEST) * np.sqrt(np.minimum(10 * shares, 1)), 0)
    return Cells(texts, labels, depths, np.where(better, "right", "wrong").astype(object))


def show_class_matrix(
    key: str,
    cells: Cells,
    *,
    heads: Sequence[str],
    title: str,
    picked: Place | None,
    on_pick: Callable[[Place], None],
) -> None:
    matrix_grid(
        key,
        cells,
        rows=heads,
        columns=heads,
        row_title="True class",
        column_title="Predicted class",
        title=title,
        picked=picked,
        on_pick=on_pick,
    )


def picked_place(view: ClassView, true_word: str, predicted_word: str) -> Place | None:
    """Return what is marked: the place of the address's cell, if that is shown."""
    place = view.position(true_word), view.position(predicted_word)
    for word, position in zip((true_word, predicted_word), place, strict=True):
        if word and position is None:
            return None
    return place if true_word or predicted_word else None
