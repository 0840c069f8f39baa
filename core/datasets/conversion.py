"""An image of any size and colour to one of the data set's, exactly as a prediction does it."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from core.datasets.specification import Preparation

_DARK = 16
"""Background of at most this brightness, of 255, is black."""

_MOST_INK = 64
"""Drawings are darker than this on average: MNIST has 33 of 255, EMNIST 45, KMNIST 49, USPS 63; Fashion-MNIST 73."""


def fit(image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Crop the middle of an image in the proportions of `shape`, then change its size and colour.

    Args:
        image: uint8 `(h, w, 1 or 3)`.
        shape: height, width and channels to give.

    Returns:
        uint8 of `shape`; an image that has it already comes back as it is.
    """
    height, width, channels = shape
    if image.shape == shape:
        return image
    picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    if picture.size != (width, height):
        scale = min(picture.width / width, picture.height / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
        cropped = picture.crop((left, top, left + size[0], top + size[1]))
        picture = cropped.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(shape)


def is_grey(images: np.ndarray) -> bool:
    """Say whether images `(N, H, W, C)` have no colour."""
    return images.shape[-1] == 1 or bool((images == images[..., :1]).all())


def preparation_of(images: Iterable[np.ndarray]) -> Preparation:
    """Decide from images of a data set, uint8 `(H, W, C)`, how images from outside are to be prepared.

    `handwriting` where they are light drawings on black: grey, their edges black (the median of all pixels at the
    edges is at most 16) and mostly empty (the mean of all pixels is below 64). All else is `photo`.
    """
    images = np.stack(list(images))
    edges = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    is_handwriting = images.shape[-1] == 1 and np.median(edges) <= _DARK and images.mean() < _MOST_INK
    return "handwriting" if is_handwriting else "photo"
