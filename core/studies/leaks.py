"""An accuracy as it is given, and without the images that are near-duplicates of those a run has learnt from.

    found = grouped_accuracy(dataset, run.config, read_predictions(run.id, "test"), "test", known_groups(dataset))
    found.accuracy, found.images        # 0.71, of 240 images
    found.given, found.given_images     # 0.99, of 1,000

Near-duplicates are those of `core.datasets.grouping`: an image that is in one group with an image to learn from leaks.
"""

from typing import NamedTuple

import numpy as np

from core.config import RunConfig
from core.datasets import Dataset
from core.runs.predictions import Part, Predictions
from core.training.loop import split_of


class GroupedAccuracy(NamedTuple):
    """The share of images predicted correctly: of those that do not leak, and of all, each with their number.

    `accuracy` is None where every image leaks.
    """

    accuracy: float | None
    images: int
    given: float
    given_images: int


def grouped_accuracy(
    dataset: Dataset, config: RunConfig, predictions: Predictions, part: Part, groups: np.ndarray
) -> GroupedAccuracy:
    """Return the accuracy on a part with and without the images that leak.

    Args:
        dataset: that the run was trained on.
        predictions: of the part.
        groups: what `core.datasets.grouping.groups_of` gives.
    """
    learnt = np.zeros(len(groups), bool)
    learnt[groups[split_of(config, dataset).train]] = True
    positions = predictions.rows + (len(dataset.train.labels) if part == "test" else 0)
    clear = ~learnt[groups[positions]]
    right = predictions.probabilities.argmax(axis=1) == predictions.labels
    return GroupedAccuracy(
        accuracy=float(right[clear].mean()) if clear.any() else None,
        images=int(clear.sum()),
        given=float(right.mean()),
        given_images=len(right),
    )
