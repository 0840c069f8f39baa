"""MNIST, bundled with Duet: 70,000 handwritten digits of 28×28 pixels, white on black."""

from pathlib import Path

import numpy as np

from core.datasets.formats.idx import read_idx
from core.datasets.specification import Specification

SPECIFICATION = Specification(
    name="mnist",
    title="MNIST",
    class_names=tuple("0123456789"),
    preparation="handwriting",
    source="LeCun, Cortes and Burges: The MNIST database of handwritten digits",
    licence="CC BY-SA 3.0, © Yann LeCun and Corinna Cortes",
    bundled=True,
)

BUNDLED = Path(__file__).parent / "bundled" / "mnist"
"""The folder of its four files, gzipped, under their usual names."""


def read() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return train images and labels, test images and labels: uint8 `(N, 28, 28, 1)`, int64 `(N,)`."""
    return *_read_part("train"), *_read_part("t10k")


def _read_part(part: str) -> tuple[np.ndarray, np.ndarray]:
    images = read_idx(BUNDLED / f"{part}-images-idx3-ubyte.gz", 3)[..., np.newaxis]
    return images, read_idx(BUNDLED / f"{part}-labels-idx1-ubyte.gz", 1).astype(np.int64)
