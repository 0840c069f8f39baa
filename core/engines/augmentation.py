"""Augmentation: every image of a batch moved, turned, scaled, flipped and erased by amounts of its own.

    transforms = draw_transforms(config, image_shape, count, np.random.default_rng([seed, 4, epoch]))

The amounts are drawn here by NumPy, so both frameworks see the same; each engine applies them on
its device, bilinear, with black where nothing was. Kinds of change that alter what an image means
are told by `warnings`.
"""

import numpy as np

from core.config import RunConfig
from core.datasets import Specification
from core.networks.layers import Shape

ERASED_AREA = (0.02, 0.33)
"""The least and the greatest share of an image that is erased, as in Zhong et al., "Random erasing data
augmentation", 2017."""

ERASED_RATIO = 3.3
"""The greatest ratio of the sides of what is erased, either way; from the same paper."""


def is_augmented(config: RunConfig) -> bool:
    """Say whether a run changes its training images at all."""
    return any(
        (
            *(config.rotation, config.zoom, config.shift_x, config.shift_y),
            *(config.flip_horizontal, config.flip_vertical, config.erasing),
        )
    )


def columns_of(config: RunConfig) -> int:
    """Return how many columns the transforms of a run have: two more if it erases.

    To look for rectangles that nobody draws would take a third of the time of an augmentation.
    """
    return 5 if config.erasing else 3


def draw_transforms(config: RunConfig, image_shape: Shape, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw an affine map and a rectangle to erase for each of `count` images, uniform in the ranges of `config`.

    Returns:
        float32 `(count, 2, columns)`, a row for x and one for y; `columns_of` tells how many. The first three take
        `(x, y, 1)` of a pixel in the new image to its place in the old one; coordinates are those of pixel
        centres, from 0, and turning and scaling are about the middle. The other two, which only a run that erases
        has, are where the rectangle that is blacked out in the new image begins and where it ends, in pixels, the
        end not included; none where both are 0.
    """
    height, width = image_shape[:2]
    angle = np.radians(generator.uniform(-config.rotation, config.rotation, count))
    scale = 1 / generator.uniform(1 - config.zoom, 1 + config.zoom, count)
    shift = generator.uniform(-1, 1, (count, 2)) * (config.shift_x * width, config.shift_y * height)
    flips = np.where(generator.random((count, 2)) < (config.flip_horizontal / 2, config.flip_vertical / 2), -1, 1)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.stack([np.stack([cosine, sine], axis=1), np.stack([-sine, cosine], axis=1)], axis=1)
    linear *= flips[:, :, np.newaxis]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = middle - np.einsum("nij,nj->ni", linear, middle + shift)
    transforms = np.empty((count, 2, columns_of(config)), np.float32)
    transforms[..., :2], transforms[..., 2] = linear, offset
    if config.erasing:
        transforms[..., 3:] = _draw_rectangles(config.erasing, (width, height), count, generator)
    return transforms


def _draw_rectangles(share: float, size: tuple[int, int], count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw where a rectangle begins and ends, `(count, 2, 2)`, in a `share` of the images."""
    chosen = generator.random(count) < share
    area = generator.uniform(*ERASED_AREA, count)
    ratio = np.exp(generator.uniform(-np.log(ERASED_RATIO), np.log(ERASED_RATIO), count))
    sides = np.sqrt(area[:, np.newaxis] * np.stack([ratio, 1 / ratio], axis=1)) * size
    sides = np.clip(np.rint(sides), 1, size)
    begins = np.floor(generator.random((count, 2)) * (size - sides + 1))
    return np.where(chosen[:, np.newaxis, np.newaxis], np.stack([begins, begins + sides], axis=2), 0)


def warnings(config: RunConfig, specification: Specification) -> list[str]:
    """Say which of a run's augmentations give an image another meaning than its label says."""
    found = []
    if specification.preparation == "handwriting":
        if config.flip_horizontal or config.flip_vertical:
            found.append("A flipped digit or letter is another sign, or none: leave flips off for handwriting.")
        if config.rotation > 45:
            found.append("A 6 turned by more than 90 degrees is a 9: keep the rotation below 45 degrees.")
    elif config.flip_vertical:
        found.append("Photographs are rarely upside down: a vertical flip shows what will never be asked for.")
    return found
