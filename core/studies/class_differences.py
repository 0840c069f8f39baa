"""Where two differ: for each class by how much more of its test images the second predicts correctly.

for row in class_differences(confusions_of_first, confusions_of_second):     # a confusion matrix a seed
    row.difference, row.low, row.high, row.significant
paired_class_differences(right_first, right_second, labels, classes=10)      # two runs on the same images
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.studies.verdicts import LEVEL, compare_groups, mcnemar


class ClassDifference(NamedTuple):
    """Of one class, the recall of both, 0 to 1, and the second's less the first's with its 95% interval.

    Whether it is `significant` is told of all classes together, by Holm's method, so that many classes do not bring
    one by chance; the interval is of this class alone, and NaN where nothing measures the spread.
    """

    label: int
    images: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    significant: bool


def paired_class_differences(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, classes: int
) -> list[ClassDifference]:
    """Compare two runs class by class on the same test images by McNemar's exact test; classes without images left out.

    Args:
        first, second: whether each image is predicted right, bool `(N,)`.
        labels: the true class of each, `(N,)`.
    """
    rows = []
    for label in range(classes):
        chosen = labels == label
        images = int(chosen.sum())
        if not images:
            continue
        ones, others = first[chosen], second[chosen]
        test = mcnemar(int((ones & ~others).sum()), int((~ones & others).sum()), images)
        figures = float(ones.mean()), float(others.mean()), test.difference, test.low, test.high, test.p_value
        rows.append(ClassDifference(label, images, *figures, significant=False))
    return _holm(rows)


def class_differences(
    first: Sequence[Sequence[Sequence[int]]], second: Sequence[Sequence[Sequence[int]]]
) -> list[ClassDifference]:
    """Compare two groups of seeds class by class by Welch's interval; classes without images are left out.

    Args:
        first, second: the confusion matrix of each seed, true classes down, all of the same test images.
    """
    matrices = np.array(first), np.array(second)
    images = matrices[0][0].sum(axis=1)
    rows = []
    for label in np.flatnonzero(images).tolist():
        recalls = [(each[:, label, label] / images[label]).tolist() for each in matrices]
        found = compare_groups(*recalls, images=int(images[label]), names=("", ""))
        low, high = (math.nan if bound is None else bound for bound in (found.low, found.high))
        p_value = 1.0 if found.p_value is None else found.p_value
        figures = found.first.mean, found.second.mean, found.difference, low, high, p_value
        rows.append(ClassDifference(label, int(images[label]), *figures, significant=False))
    return _holm(rows)


def _holm(rows: Sequence[ClassDifference]) -> list[ClassDifference]:
    """Mark what is significant among so many tests: Holm, "A simple sequentially rejective multiple test", 1979."""
    rejected: set[int] = set()
    for position, row in enumerate(sorted(rows, key=lambda row: row.p_value)):
        if row.p_value * (len(rows) - position) >= LEVEL:
            break
        rejected.add(row.label)
    return [row._replace(significant=row.label in rejected) for row in rows]
