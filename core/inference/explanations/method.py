"""What a method of explaining a prediction is: an entry of `core.inference.explanations.METHODS`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.engines import Engine


@dataclass(frozen=True)
class Method:
    """A way to say which pixels of an image a network's output for a class comes from.

    Args:
        name: what the command line calls it.
        title: what people read.
        description: what its values mean, in a sentence.
        explain: `explain(engine, pixels, label, layer)` returns float64 `(height, width)` for one uint8 image
            `(height, width, channels)`; `layer` is the name of a row of the network, and None for a method without.
        needs_layer: whether it looks at the values of a layer.
        is_signed: whether negative values speak against the class; else none is negative.
        position: those with a lower one are offered before it; equals are in the order of their names.
    """

    name: str
    title: str
    description: str
    explain: Callable[[Engine, np.ndarray, int, str | None], np.ndarray]
    needs_layer: bool = False
    is_signed: bool = True
    position: int = 100
