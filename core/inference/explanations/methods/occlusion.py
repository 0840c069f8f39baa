"""Occlusion: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.

A square is laid on each place of the image in turn, and the output compared with that of the whole image. The square
has the colour of the image's edge, so that on paper it hides ink and adds none.
"""

import numpy as np

from core.engines import Engine
from core.inference.explanations.method import Method

_PLACES = 28
"""So many places a side are tried, as many as MNIST's images have pixels."""


def occlusion(engine: Engine, pixels: np.ndarray, label: int, size: int, stride: int, colour: np.ndarray) -> np.ndarray:
    """Return by how much the output falls where a pixel is hidden, the mean of all squares on it.

    Args:
        size: the side of the square, in pixels.
        stride: from one place to the next.
        colour: of the square, uint8 `(channels,)`.

    Returns:
        float64 `(height, width)`; 0 where no square comes.
    """
    height, width, _ = pixels.shape
    corners = [(y, x) for y in _starts(height, size, stride) for x in _starts(width, size, stride)]
    hidden = np.repeat(pixels[None], len(corners), axis=0)
    for image, (y, x) in zip(hidden, corners, strict=True):
        image[y : y + size, x : x + size] = colour
    whole = engine.predict(pixels[None])[0, label].astype(np.float64)
    falls = whole - engine.predict(hidden)[:, label]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for fall, (y, x) in zip(falls, corners, strict=True):
        total[y : y + size, x : x + size] += fall
        count[y : y + size, x : x + size] += 1
    return total / np.maximum(count, 1)


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Return where squares begin; the last one ends with the image."""
    starts = list(range(0, length - size, stride))
    return [*starts, length - size]


def _explain(engine: Engine, pixels: np.ndarray, label: int, _layer: str | None) -> np.ndarray:
    side = min(pixels.shape[:2])
    size, stride = max(1, side // 7), max(1, side // _PLACES)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return occlusion(engine, pixels, label, size, stride, np.median(edge, axis=0).astype(np.uint8))


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    description="By how much the output of the class falls where the image is hidden.",
    explain=_explain,
    position=2,
)
