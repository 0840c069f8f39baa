"""The contract of the engines: what a framework's module offers, and what its `Engine` does.

    module = get_engine("pytorch")            # an EngineModule
    engine = module.Engine(config, architecture, input_shape, classes, scaling)
    engine.load_data(images, labels)
    chunk = engine.train(indices)             # a Chunk
    logits = engine.predict(images)

A new framework is one module that offers the same. Its verbs stand in the order in which they stand here, as they do
in `core.engines.pytorch` and `core.engines.keras`. Where the frameworks' defaults differ,
`core.engines.framework_defaults` says what a run with aligned defaults computes.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import numpy as np

from core.config import RunConfig
from core.engines.normalization import Scaling
from core.networks.layers import Architecture, Shape

Pixels = Literal["uint8", "float32"]


class Chunk(NamedTuple):
    """What some steps gave: each one's mean loss, float64 `(steps,)`, and number predicted correctly, int64 `(steps,)`.

    The losses are those that are learnt from: with label smoothing and class weights, where a run has them.
    `gradient_norm` is the length of the last step's gradient, all layers taken together, before it is clipped.
    """

    losses: np.ndarray
    correct: np.ndarray
    gradient_norm: float


class Engine(Protocol):
    """A network, its optimizer and its data on one device.

    Weights and gradients have one canonical layout in both frameworks, see `core.networks.layers`: arrays by name, in
    float32, or in float64 where a run computes in it. What is taken and given lies in the memory of this process;
    what is given is a copy.
    """

    def load_data(self, images: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None) -> None:
        """Put the images to train on, whole, onto the device.

        Args:
            images: uint8 `(N, height, width, channels)`.
            labels: int64 `(N,)`.
            class_weights: float64 `(classes,)`, what an image of each class counts; all count 1 if not given.
        """

    def train(
        self, indices: np.ndarray, learning_rates: np.ndarray | None = None, transforms: np.ndarray | None = None
    ) -> Chunk:
        """Take one step a row of `indices`, each at its own learning rate.

        Args:
            indices: int64 `(steps, batch)`, numbers of images of `load_data`.
            learning_rates: float64 `(steps,)`; that of the config if not given.
            transforms: float32 `(steps, batch, 2, columns)`, as drawn for the config; each image is changed by its
                own first, see `core.engines.augmentation`.
        """
        ...

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of uint8 images `(N, height, width, channels)`, by the averaged weights if a run has them.

        Returns:
            float32 `(N, classes)`, or float64 where a run computes in it; probabilities if the network ends in softmax.
        """
        ...

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what goes into the last layer that learns, of uint8 images `(N, height, width, channels)`.

        Returns:
            float32 `(N, size)`, flattened in the order height, width, channel; by the averaged weights if a run has
            them.
        """
        ...

    def gradients(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradients of the loss on a batch of indices, int64 `(batch,)`, by name; all weights stay."""
        ...

    def output_gradients(
        self, pixels: np.ndarray, labels: np.ndarray, layer: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a layer, or the pixels, and the gradients by them of each image's output for its class.

        By the averaged weights if a run has them. The output is the logit, or the probability where the network ends
        in softmax.

        Args:
            pixels: float32 `(N, height, width, channels)`, 0 to 255.
            labels: int64 `(N,)`, a class an image.
            layer: the name of a row of `core.networks.layers.layer_rows`; the pixels themselves if not given.

        Returns:
            Two arrays of the shape of the layer's output, `(N, height, width, channels)` or `(N, units)`.
        """
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """Return all weights by name, the averaged ones where a run has them."""
        ...

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take all weights by name; their average starts anew, and the optimizer keeps what it remembers."""

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next step depends on: weights, their average, the optimizer and the random numbers.

        Its names are the framework's own, except for `weights/NAME`, which is canonical, and `steps`.
        """
        ...

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state` of the same framework and config, as if nothing had happened in between."""


class EngineFactory(Protocol):
    """How an engine is made: its network is built on the device of the config, with the framework's initial weights."""

    def __call__(
        self,
        config: RunConfig,
        architecture: Architecture,
        input_shape: Shape,
        classes: int,
        scaling: Scaling | None = None,
        pixels: Pixels = "uint8",
    ) -> Engine:
        """Build a network for images of `input_shape`, `(height, width, channels)`.

        Args:
            scaling: how pixels are scaled; that of the config's normalization if not given.
            pixels: the type of the images; float32 for what other layers have made of them.

        Raises:
            ValueError: if the framework has no such device here, or the device cannot compute in that precision.
        """
        ...


class EngineModule(Protocol):
    """What a framework's module offers."""

    @property
    def Engine(self) -> EngineFactory:  # noqa: N802 (it is a class)
        """The framework's engine."""
        ...

    def devices(self) -> list[dict[str, str]]:
        """Return the `name` and the `title` of each device that the framework can compute on here, the CPU first."""
        ...

    def versions(self) -> dict[str, str]:
        """Return the versions that a run records, by package."""
        ...

    def augment(self, images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        """Return images as training sees them.

        Args:
            images: uint8 `(N, height, width, channels)`.
            transforms: float32 `(N, 2, columns)`, see `core.engines.augmentation`.

        Returns:
            float32 of the shape of the images, 0 to 255.
        """
        ...
