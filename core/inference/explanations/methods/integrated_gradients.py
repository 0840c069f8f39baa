"""Integrated gradients: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017.

The gradients are summed up on the straight way from a black image to the image, by the Gauss–Legendre rule. They add up
to what the output is above that of the black image; where they do not yet, more steps are taken.
"""

import numpy as np

from core.engines import Engine
from core.inference.explanations.method import Method

_STEPS = 64
_MOST_STEPS = 512
_TOLERANCE = 0.005


def integrated_gradients(engine: Engine, pixels: np.ndarray, label: int, steps: int) -> np.ndarray:
    """Return what each value of an image adds to the output, float64 `(height, width, channels)`."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    shares = ((nodes + 1) / 2).astype(np.float32)
    _, gradients = engine.output_gradients(shares[:, None, None, None] * pixels, np.full(steps, label))
    return np.tensordot(weights / 2, gradients.astype(np.float64), 1) * pixels


def _explain(engine: Engine, pixels: np.ndarray, label: int, _layer: str | None) -> np.ndarray:
    black, output = engine.predict(np.stack([np.zeros_like(pixels), pixels]))[:, label].astype(np.float64)
    steps = _STEPS
    while True:
        found = integrated_gradients(engine, pixels, label, steps)
        if abs(found.sum() - (output - black)) <= _TOLERANCE * abs(output - black) or steps >= _MOST_STEPS:
            return found.sum(axis=2)
        steps *= 2


METHOD = Method(
    name="integrated-gradients",
    title="Integrated gradients",
    description="What each pixel adds to the output of the class, compared with a black image; they add up to it.",
    explain=_explain,
    position=1,
)
