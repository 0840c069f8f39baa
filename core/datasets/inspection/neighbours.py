"""The images of a data set that are most like a given one, pixel by pixel.

    found = nearest(dataset, position=17, count=10)
    images_at(dataset, found.positions)         # the ten, the most similar first

Images are numbered through as in `core.datasets.inspection.gallery`:
those of the train split, then those of the test split.
"""

from typing import NamedTuple

import numpy as np

from core.datasets import Dataset
from core.datasets.inspection.gallery import images_at
from core.datasets.inspection.statistics import blocks


class Neighbours(NamedTuple):
    """Positions of images, int64 `(count,)`, and how far each is from the given one, float64 `(count,)`.

    The distance is the root of the mean squared difference of their pixels, 0 (equal) to 255 (black and white).
    """

    positions: np.ndarray
    distances: np.ndarray


def nearest(dataset: Dataset, position: int, count: int, *, training_only: bool = False) -> Neighbours:
    """Compare one image with all others and return the `count` most similar, the nearest first.

    Args:
        training_only: compare it with the train split's images alone, not with those of both splits.
    """
    image = images_at(dataset, np.array([position]))[0].ravel().astype(np.float32)
    splits = (dataset.train,) if training_only else (dataset.train, dataset.test)
    distances = np.concatenate([_squares(split.images, image) for split in splits])
    distances[position : position + 1] = np.inf
    count = min(count, int(np.isfinite(distances).sum()))
    found = np.argpartition(distances, count - 1)[:count]
    found = found[np.argsort(distances[found], kind="stable")]
    return Neighbours(found, np.sqrt(distances[found] / len(image)))


def _squares(images: np.ndarray, image: np.ndarray) -> np.ndarray:
    squares = np.empty(len(images))
    for rows, block in blocks(images):
        difference = block.reshape(len(block), -1) - image
        squares[rows] = np.einsum("ij,ij->i", difference, difference)
    return squares
