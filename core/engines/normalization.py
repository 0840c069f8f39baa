"""What a pixel from 0 to 255 is multiplied by, and what is added then, before a network sees it.

scaling = scaling_of(config, dataset.train.images, learnt_from)
values = pixels * scaling.multiply + scaling.then_add       # a value a channel each
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from core.config import Normalization, RunConfig


class Scaling(NamedTuple):
    """A factor and a summand for each channel; a single one counts for all channels."""

    multiply: tuple[float, ...]
    then_add: tuple[float, ...]


FIXED: Mapping[Normalization, Scaling] = {
    "unit": Scaling((1 / 255,), (0.0,)),
    "symmetric": Scaling((2 / 255,), (-1.0,)),
}
"""The normalisations that do not look at the images."""

_LEAST_DEVIATION = 1.0
"""Of pixels, 0 to 255, so that a channel of one colour is not divided by zero."""


def scaling_of(config: RunConfig, images: np.ndarray, learnt_from: np.ndarray) -> Scaling:
    """Return the scaling of a run on uint8 `images` `(N, H, W, C)`; the standard one is that of `learnt_from`'s."""
    if config.normalization != "standard":
        return FIXED[config.normalization]
    chosen = images[learnt_from]
    counts = [np.bincount(chosen[..., channel].ravel(), minlength=256) for channel in range(chosen.shape[-1])]
    values = np.arange(256)
    means = [np.average(values, weights=count) for count in counts]
    deviations = [
        max(float(np.sqrt(np.average((values - mean) ** 2, weights=count))), _LEAST_DEVIATION)
        for mean, count in zip(means, counts, strict=True)
    ]
    return Scaling(
        tuple(1 / deviation for deviation in deviations),
        tuple(float(-mean / deviation) for mean, deviation in zip(means, deviations, strict=True)),
    )
