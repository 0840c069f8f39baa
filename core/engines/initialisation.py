"""Initial weights drawn by NumPy in the canonical layout, so that both frameworks start from the same.

engine.load_weights(initial_weights(architecture, input_shape, classes, seed, "shared"))
"""

import math

import numpy as np

from core.config import Initialisation
from core.networks.layers import Architecture, Shape, layer_rows


def initial_weights(
    architecture: Architecture, input_shape: Shape, classes: int, seed: int, method: Initialisation = "shared"
) -> dict[str, np.ndarray]:
    """Draw float32 weights for every layer of a network.

    Args:
        method: `shared` draws kernels uniform in ±√(6 / (fan in + fan out)): Glorot and Bengio, "Understanding
            the difficulty of training deep feedforward neural networks", 2010, and what Keras does by default.
            `he` draws them normal with a standard deviation of √(2 / fan in): He et al., "Delving deep into
            rectifiers", 2015.

    The fans are those of each layer kind: of a convolution in groups, those of a group. Biases are zero, and
    normalisations start as the identity.
    """
    generator = np.random.default_rng([seed, 3])
    weights = {}
    for row in layer_rows(architecture, input_shape, classes):
        fans = row.layer.fans(row.input_shape)
        for key, shape in row.layer.weights(row.input_shape).items():
            if key not in fans:
                values = np.full(shape, row.layer.INITIAL_VALUES.get(key, 0.0))
            elif method == "he":
                values = generator.normal(0, math.sqrt(2 / fans[key][0]), shape)
            else:
                limit = math.sqrt(6 / sum(fans[key]))
                values = generator.uniform(-limit, limit, shape)
            weights[f"{row.name}/{key}"] = values.astype(np.float32)
    return weights
