"""Networks that try what the bundled ones leave out, and random images and weights to try them with."""

import numpy as np

from core.networks.layers import (
    Activation,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool,
    Residual,
    Shape,
    layer_rows,
)
from core.networks.zoo import ARCHITECTURES


def network(*layers: Layer) -> Architecture:
    """Return a network that ends with one logit a class."""
    return Architecture(name="tried", description="", layers=(*layers, Flatten(), Dense(units="classes")))


NETWORKS: dict[str, tuple[Architecture, Shape]] = {
    **{name: (architecture, (28, 28, 1)) for name, architecture in ARCHITECTURES.items()},
    "valid padding": (
        network(Convolution(filters=4, padding="valid"), Activation(), MaxPool(), Convolution(filters=3, kernel=2)),
        (11, 9, 3),
    ),
    "strides": (
        network(Convolution(filters=4, kernel=5, stride=2), Activation(), Convolution(filters=3, kernel=4, stride=3)),
        (11, 9, 3),
    ),
    "even kernels": (network(Convolution(filters=4, kernel=4), Convolution(filters=3, kernel=2)), (7, 7, 1)),
    "overlapping pooling": (
        network(
            Convolution(filters=4),
            Activation(),
            MaxPool(size=3, stride=2, padding="same"),
            MaxPool(size=4, stride=1, padding="same"),
            Activation(),
            MaxPool(size=2, stride=1),
        ),
        (7, 7, 1),
    ),
    "pooling over the edge": (
        network(
            Convolution(filters=4),
            MaxPool(size=4, stride=4, padding="same"),
            Activation(),
            MaxPool(size=2, stride=3, padding="same"),
        ),
        (11, 9, 3),
    ),
    "batch norm after dense": (
        network(Flatten(), Dense(units=8), BatchNorm(epsilon=1e-3, momentum=0.7), Activation(), Flatten()),
        (7, 7, 1),
    ),
    "dropout": (
        network(Convolution(filters=4), Dropout(rate=0.3), Activation(), Flatten(), Dense(units=8), Dropout()),
        (7, 7, 1),
    ),
    "residual of rows": (
        network(Flatten(), Dense(units=8), Residual(layers=(Dense(units=4), Activation(), Dense(units=8)))),
        (7, 7, 1),
    ),
    "softmax over channels": (network(Convolution(filters=3), Activation(function="softmax")), (11, 9, 3)),
    "softmax before the loss": (
        Architecture(
            name="tried",
            description="",
            layers=(Flatten(), Dense(units="classes"), Activation(function="softmax")),
        ),
        (11, 9, 3),
    ),
}
"""Every bundled network and the extra ones, each with the shape of its images."""


EVERYTHING_RANDOM = Architecture(
    name="everything-random",
    description="Batch norm and dropout, before and after flattening.",
    layers=(
        *(Convolution(filters=4, stride=2), BatchNorm(), Activation(), MaxPool(), Dropout(rate=0.2)),
        *(Flatten(), Dense(units=16), BatchNorm(), Activation(), Dropout(rate=0.3), Dense(units="classes")),
    ),
)
SETTINGS_OF_EVERYTHING_RANDOM = {
    **{"architecture": EVERYTHING_RANDOM.name, "train_limit": 300, "batch_size": 16, "epochs": 4, "threads": 1},
    **{"schedule": "one_cycle", "learning_rate": 0.05, "nesterov": True, "weight_decay": 1e-3, "clip_norm": 1.0},
    **{"label_smoothing": 0.1, "class_weights": "balanced", "ema_decay": 0.9, "normalization": "standard"},
    **{"rotation": 10, "zoom": 0.1, "shift_x": 0.1, "shift_y": 0.1, "erasing": 0.5},
}
"""Of a run in which all is drawn or remembered that a training can draw or remember, to go on from bit for bit."""


def is_random(architecture: Architecture) -> bool:
    """Return whether a network draws random numbers while it trains, which no two frameworks share."""
    return any(isinstance(layer, Dropout) for layer in architecture.layers)


def draw_data(shape: Shape, classes: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw uint8 images `(count, *shape)` and int64 labels."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, *shape), dtype=np.uint8), generator.integers(0, classes, count)


def draw_weights(architecture: Architecture, shape: Shape, classes: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw weights of which none is at its initial zero or one, so that none can be mistaken for another."""
    generator = np.random.default_rng(seed)
    weights = {}
    for row in layer_rows(architecture, shape, classes):
        fans = row.layer.fans(row.input_shape)
        for key, size in row.layer.weights(row.input_shape).items():
            scale = 1 / np.sqrt(fans[key][0]) if key in fans else 0.2
            values = generator.normal(0, scale, size)
            positive = key in ("gamma", "moving_variance")
            weights[f"{row.name}/{key}"] = (np.abs(values) + 0.5 if positive else values).astype(np.float32)
    return weights
