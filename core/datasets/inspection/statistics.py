"""How the images of a data set look on the whole: mean and spread of each class, and how often each pixel value occurs.

    found = statistics(dataset)
    found.means["train"][7]             # the mean of all sevens to train on, float32 (H, W, C)
    found.histograms["test"][0]         # how many test pixels are 0, 1, … 255

Images are read block by block, so a data set that is larger than the memory is no matter. It takes
a fraction of a second for 70,000 small images and is kept by `core.datasets.inspection.cache`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from core.datasets import Dataset, Split
from core.datasets.inspection.cache import Arrays, get_or_compute

SPLITS = ("train", "test")

_BLOCK_BYTES = 2**20
"""So many bytes of images are looked at at once; as the sums need them they take four times as much."""


class Statistics(NamedTuple):
    """Measurements by split, "train" (with the validation part) and "test".

    means, spreads: mean and standard deviation of each pixel over the images of a class, 0 to 255, float32
        `(classes, H, W, C)`; zero for a class without images.
    histograms: how many pixels have each value, int64 `(C, 256)`.
    """

    means: dict[str, np.ndarray]
    spreads: dict[str, np.ndarray]
    histograms: dict[str, np.ndarray]


def statistics(dataset: Dataset) -> Statistics:
    """Measure both splits of a data set, or take what was measured before."""
    found = get_or_compute(dataset.fingerprint, "statistics-1", lambda: _measure(dataset))
    return Statistics(
        *({split: found[f"{split}_{kind}"] for split in SPLITS} for kind in ("means", "spreads", "histograms"))
    )


def blocks(images: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield successive rows of `images`, `(N, H, W, C)`, and where they are: about a megabyte at a time."""
    size = max(1, _BLOCK_BYTES // max(1, images[:1].nbytes))
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield rows, np.asarray(images[rows])


def _measure(dataset: Dataset) -> Arrays:
    found: Arrays = {}
    for name, split in zip(SPLITS, (dataset.train, dataset.test), strict=True):
        measured = _measure_split(split, len(dataset.class_names))
        found |= {f"{name}_{kind}": array for kind, array in measured.items()}
    return found


def _measure_split(split: Split, classes: int) -> Arrays:
    shape = split.images.shape[1:]
    # Whole numbers, so that a constant pixel has a spread of exactly zero.
    sums = np.zeros((classes, int(np.prod(shape))), np.int64)
    squares = np.zeros_like(sums)
    histogram = np.zeros((shape[-1], 256), np.int64)
    for rows, images in blocks(split.images):
        labels = split.labels[rows]
        for label in np.unique(labels):
            pixels = images[labels == label].reshape(-1, sums.shape[1]).astype(np.uint32)
            sums[label] += pixels.sum(axis=0, dtype=np.int64)
            squares[label] += (pixels * pixels).sum(axis=0, dtype=np.int64)
        for channel, counts in enumerate(histogram):
            counts += np.bincount(images[..., channel].ravel(), minlength=256)
    counts = np.maximum(1, np.bincount(split.labels, minlength=classes))[:, None]
    means = sums / counts
    spreads = np.sqrt(counts * squares - sums**2) / counts
    return {
        "means": means.reshape(classes, *shape).astype(np.float32),
        "spreads": spreads.reshape(classes, *shape).astype(np.float32),
        "histograms": histogram,
    }
