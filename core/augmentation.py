"""Augmentation: every image of a batch moved, turned, scaled and flipped by amounts of its own.

    transforms = draw_transforms(config, image_shape, count, np.random.default_rng([seed, 4, epoch]))

The amounts are drawn here by NumPy, so both frameworks see the same; each backend applies them on
its device, bilinear, with black where nothing was. Kinds of change that alter what an image means
are told by `warnings`.
"""

import numpy as np

from core.architectures import Shape
from core.config import RunConfig
from core.datasets import Specification


def is_augmented(config: RunConfig) -> bool:
    """Say whether a run changes its training images at all."""
    return any(
        (config.rotation, config.zoom, config.shift_x, config.shift_y, config.flip_horizontal, config.flip_vertical)
    )


def draw_transforms(config: RunConfig, image_shape: Shape, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw an affine map for each of `count` images, uniform in the ranges of `config`.

    Returns:
        float32 `(count, 2, 3)`: `(x, y, 1)` of a pixel in the new image to `(x, y)` in the old one.
        Coordinates are those of pixel centres, from 0; turning and scaling are about the middle.
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
    return np.concatenate([linear, offset[:, :, np.newaxis]], axis=2).astype(np.float32)


def warnings(config: RunConfig, specification: Specification) -> list[str]:
    """Say which of a run's augmentations give an image another meaning than its label says."""
    found = []
    if specification.preparation == "ink":
        if config.flip_horizontal or config.flip_vertical:
            found.append("A flipped digit or letter is another sign, or none: leave flips off for handwriting.")
        if config.rotation > 45:
            found.append("A 6 turned by more than 90 degrees is a 9: keep the rotation below 45 degrees.")
    elif config.flip_vertical:
        found.append("Photographs are rarely upside down: a vertical flip shows what will never be asked for.")
    return found
