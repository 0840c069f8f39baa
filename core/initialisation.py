"""Initial weights drawn by NumPy in the canonical layout, so that both frameworks start from the same.

engine.load_weights(draw(architecture, input_shape, classes, seed))
"""

import math

import numpy as np

from core.architectures import Architecture, Shape, summarise


def draw(architecture: Architecture, input_shape: Shape, classes: int, seed: int) -> dict[str, np.ndarray]:
    """Draw float32 weights for every layer of a network.

    Kernels are uniform in ±√(6 / (fan in + fan out)), biases zero: Glorot and Bengio,
    "Understanding the difficulty of training deep feedforward neural networks", 2010, and what
    Keras does by default. Batch norm starts as the identity.
    """
    generator = np.random.default_rng([seed, 3])
    weights = {}
    for row in summarise(architecture, input_shape, classes):
        for key, shape in row.layer.weights(row.input_shape).items():
            match key:
                case "kernel":
                    field = math.prod(shape[:-2])
                    limit = math.sqrt(6 / (field * (shape[-2] + shape[-1])))
                    values = generator.uniform(-limit, limit, shape)
                case "gamma" | "moving_variance":
                    values = np.ones(shape)
                case _:
                    values = np.zeros(shape)
            weights[f"{row.name}/{key}"] = values.astype(np.float32)
    return weights
