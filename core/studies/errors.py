"""Where a network errs: which images a cell of its confusion matrix counts, and which classes to look at together.

images_in_cell(labels, predicted, [4], [9])         # the fours that are taken for nines
by_confidence(probabilities, images)                # those it was surest of first
class_blocks(matrix)[0]                             # the classes that are confused most, side by side
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

BLOCK = 26
"""Classes that a matrix shows at once, an alphabet; of more, neither figures nor names can be read."""


def images_in_cell(
    labels: np.ndarray,
    predicted: np.ndarray,
    true_classes: Collection[int] | None = None,
    predicted_classes: Collection[int] | None = None,
) -> np.ndarray:
    """Return the indices, int64 and ascending, of the images of some classes that are taken for some classes.

    Args:
        labels: the true class of each image, int `(N,)`.
        predicted: the predicted class of each image, int `(N,)`.
        true_classes: the classes of the rows; None for all.
        predicted_classes: the classes of the columns; None for all.
    """
    chosen = np.ones(len(labels), bool)
    if true_classes is not None:
        chosen &= np.isin(labels, list(true_classes))
    if predicted_classes is not None:
        chosen &= np.isin(predicted, list(predicted_classes))
    return np.flatnonzero(chosen)


def by_confidence(probabilities: np.ndarray, images: np.ndarray, *, ascending: bool = False) -> np.ndarray:
    """Return the indices `images` in the order of the probability given to the predicted class, the greatest first.

    Args:
        probabilities: of all images, `(N, classes)`.
        images: indices of some of them.
        ascending: the smallest first instead.
    """
    confidence = probabilities[images].max(axis=1)
    return images[np.argsort(confidence if ascending else -confidence, kind="stable")]


def column_rates(matrix: np.ndarray) -> np.ndarray:
    """Return each column of a confusion matrix as shares of what is predicted so; a class never predicted gives zeros.

    The diagonal is the precision of each class.
    """
    return matrix / np.maximum(matrix.sum(axis=0, keepdims=True), 1)


def likeness_order(matrix: np.ndarray) -> np.ndarray:
    """Return the classes, int64, in an order in which those that are confused with one another stand side by side.

    The order of the leaves of a hierarchical clustering by average linkage, arranged so that neighbours are most alike
    (Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical clustering", 2001). Two classes are
    as alike as the greater share of the images of either that is taken for the other.
    """
    classes = len(matrix)
    if classes < 3:
        return np.arange(classes)
    rates = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    distances = 1 - np.maximum(rates, rates.T)
    np.fill_diagonal(distances, 0)
    return leaves_list(linkage(squareform(distances), "average", optimal_ordering=True)).astype(np.int64)


def class_blocks(matrix: np.ndarray, size: int = BLOCK) -> list[np.ndarray]:
    """Part the classes into blocks of at most `size`, the one with the most errors within it first.

    Each block begins with the two classes most often confused of those that are left, and grows by the class that has
    most errors with those in it already. Within a block the order is that of `likeness_order`.

    Returns:
        The classes of each block, int64.
    """
    between = np.asarray(matrix + matrix.T, np.int64)
    np.fill_diagonal(between, 0)
    left = np.ones(len(matrix), bool)
    blocks = []
    while left.any():
        open_ones = np.flatnonzero(left)
        inside = between[np.ix_(open_ones, open_ones)]
        # With the row of the worst pair comes its other class as the first to join.
        members = [int(open_ones[inside.max(axis=1).argmax()])]
        left[members[0]] = False
        errors = between[members[0]].copy()
        while len(members) < size and left.any():
            joining = int(np.where(left, errors, -1).argmax())
            members.append(joining)
            left[joining] = False
            errors += between[joining]
        block = np.array(members, np.int64)
        blocks.append(block[likeness_order(matrix[np.ix_(block, block)])])
    return blocks


def blocks_in_order(classes: int, size: int = BLOCK) -> list[np.ndarray]:
    """Part the classes into blocks of at most `size` in their own order."""
    return [np.arange(start, min(start + size, classes)) for start in range(0, classes, size)]


def most_confused_with(matrix: np.ndarray, label: int, size: int = BLOCK) -> np.ndarray:
    """Return a class and those it is confused with most often, int64, at most `size`, the most often confused first."""
    errors = (matrix[label] + matrix[:, label]).astype(np.int64)
    errors[label] = -1
    others = np.argsort(-errors, kind="stable")[: min(size, len(matrix)) - 1]
    return np.array([label, *others], np.int64)


def with_other_classes(matrix: np.ndarray, classes: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the part of a confusion matrix that concerns some classes, in their order, so that no image is left out.

    Returns:
        int64 `(n + 1, n + 1)`: the last column counts what is taken for another class, the last row the images of
        other classes that are taken for one of these; its last cell is 0.
    """
    chosen = np.asarray(classes)
    part = np.zeros((len(chosen) + 1, len(chosen) + 1), np.int64)
    part[:-1, :-1] = matrix[np.ix_(chosen, chosen)]
    part[:-1, -1] = matrix[chosen].sum(axis=1) - part[:-1, :-1].sum(axis=1)
    part[-1, :-1] = matrix[:, chosen].sum(axis=0) - part[:-1, :-1].sum(axis=0)
    return part


class CellChange(NamedTuple):
    """By how many images, more or fewer, the cell of a true class and a predicted one has changed."""

    label: int
    predicted: int
    more: int


def greatest_changes(before: np.ndarray, after: np.ndarray, limit: int = 3) -> list[CellChange]:
    """Return the errors that have become more or fewer by most images, the greatest change first, without zeros.

    Args:
        before, after: confusion matrices of the same images.
    """
    more = after - before
    np.fill_diagonal(more, 0)
    order = np.argsort(-np.abs(more), axis=None, kind="stable")[:limit]
    places = zip(*np.unravel_index(order, more.shape), strict=True)
    return [CellChange(int(i), int(j), int(more[i, j])) for i, j in places if more[i, j]]


def agreement(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count images by whether two networks predict them correctly, from their predicted classes.

    Returns:
        int64 `(2, 2)`: the first right (row 0) or wrong, the second right (column 0) or wrong.
    """
    right, also_right = first == labels, second == labels
    return np.array(
        [[(right & also_right).sum(), (right & ~also_right).sum()],
         [(~right & also_right).sum(), (~right & ~also_right).sum()]], np.int64
    )  # fmt: skip
