"""What a network looked at: which pixels of an image its output for a class comes from.

    values = explain(engine, description, pixels, "integrated-gradients", label=7)
    overlay(pixels, values)                   # a picture of it
    agreement(values, others)                 # of two networks, as figures

Any network can be explained in either framework, as weights are portable. A new method is a module of
`core.inference.explanations.methods` with its entry as `METHOD`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.engines import Engine
from core.inference.explanations.method import Method
from core.networks.layers import Convolution, DepthwiseConvolution, Residual, layer_rows
from core.system.discovery import discover
from core.system.text import quoted
from core.training.checkpoints import Description

METHODS: Mapping[str, Method] = discover("core.inference.explanations.methods", "METHOD")
"""Every method, in the order in which they are offered."""


class Agreement(NamedTuple):
    """How much two explanations of one image agree.

    correlation: Spearman's, of what they say of each pixel, -1 to 1; nan where one says the same of all.
    overlap: which share of the tenth of the pixels that matter most to the one is so to the other, too, 0 to 1.
    """

    correlation: float
    overlap: float


def get_method(name: str) -> Method:
    """Return the method called `name`.

    Raises:
        ValueError: if there is none; the message lists those there are.
    """
    if name not in METHODS:
        raise ValueError(f"Method (--method): expected one of {', '.join(METHODS)}, received {quoted(name)}.")
    return METHODS[name]


def layers_to_look_at(description: Description) -> list[str]:
    """Return the names of the layers of a network that have a map: convolutions and residual blocks."""
    rows = layer_rows(description.architecture, description.input_shape, len(description.class_names))
    kinds = (Convolution, DepthwiseConvolution, Residual)
    return [row.name for row in rows if isinstance(row.layer, kinds) and len(row.output_shape) == 3]


def explain(
    engine: Engine, description: Description, pixels: np.ndarray, method: str, label: int, layer: str | None = None
) -> np.ndarray:
    """Return what each pixel of one image does for the output of a class, float64 `(height, width)`.

    Args:
        engine: the network, with its weights.
        pixels: uint8 `(height, width, channels)`, as the network sees them.
        label: the number of the class.
        layer: that a method which needs one looks at; by default the last one that has a map.

    Raises:
        ValueError: if there is no such method, or no such layer.
    """
    chosen = get_method(method)
    return chosen.explain(engine, pixels, label, choose_layer(description, chosen, layer))


def choose_layer(description: Description, method: Method, layer: str | None) -> str | None:
    """Return the layer that a method looks at, None if it needs none.

    Raises:
        ValueError: if it needs one and there is no such one.
    """
    if not method.needs_layer:
        return None
    layers = layers_to_look_at(description)
    if not layers:
        raise ValueError(
            f"Method (--method): {method.title} needs a convolution, and {description.architecture.name} has none: "
            "use integrated-gradients or occlusion."
        )
    if layer is not None and layer not in layers:
        raise ValueError(f"Layer (--layer): expected one of {', '.join(layers)}, received {quoted(layer)}.")
    return layer or layers[-1]


def agreement(values: np.ndarray, others: np.ndarray) -> Agreement:
    """Compare two explanations of one image, float `(height, width)` each."""
    # Here, as it takes more than all else that a prediction's process needs but its framework, and that never compares.
    from scipy.stats import spearmanr

    ranked = [each.ravel() for each in (values, others)]
    constant = any(np.ptp(each) == 0 for each in ranked)
    correlation = np.nan if constant else float(spearmanr(*ranked).statistic)
    count = max(1, values.size // 10)
    first, second = (set(np.argsort(-np.abs(each), kind="stable")[:count].tolist()) for each in ranked)
    return Agreement(correlation, len(first & second) / count)


_FOR, _AGAINST = np.array([230, 97, 1]), np.array([94, 60, 153])
"""Orange and purple, told apart by people who see red and green alike: ColorBrewer's PuOr."""


def overlay(pixels: np.ndarray, values: np.ndarray, side: int = 280) -> np.ndarray:
    """Lay an explanation on its image: orange speaks for the class, purple against it, the stronger the more.

    Returns:
        RGB, uint8, with a longer side of at least `side` pixels; each pixel of the image is a square.
    """
    grey = np.asarray(pixels, float).mean(axis=2, keepdims=True)
    strength = np.abs(values) / max(float(np.abs(values).max()), np.finfo(float).tiny)
    colour = np.where((values >= 0)[..., None], _FOR, _AGAINST)
    share = 0.85 * strength[..., None]
    picture = Image.fromarray(np.rint(grey * (1 - share) + colour * share).astype(np.uint8))
    factor = max(1, -(-side // max(values.shape)))
    return np.asarray(picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST))
