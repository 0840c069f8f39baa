"""The one shape of a data set: uint8 images, labels, and what is known about them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.datasets.specification import Specification


class Split(NamedTuple):
    """Images and their labels: uint8 `(N, H, W, C)` and int64 `(N,)`."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A data set with a train and a test split; `fingerprint` is the SHA-256 of all its arrays."""

    specification: Specification
    train: Split
    test: Split
    fingerprint: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.train.images.shape[1:]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.specification.class_names
