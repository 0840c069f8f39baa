"""Networks as data: an architecture is a list of layer records that both engines build.

    architecture = ARCHITECTURES["cnn-64-32-32"]
    for row in layer_rows(architecture, input_shape=(28, 28, 1), classes=10):
        print(row.name, row.output_shape, row.parameters, explain_parameters(row))

Every record knows its output shape and the shapes of its weights in Duet's canonical layout,
which is channels-last: convolution kernels `(height, width, in, out)`, dense kernels `(in, out)`
with flattened inputs in the order height, width, channel. A network gives logits; the softmax
belongs to the loss and to the prediction, unless a network names one explicitly.

A new built-in network is one entry in `ARCHITECTURES`; `core.networks.registry` adds those that users have made.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Shape = tuple[int, ...]
Padding = Literal["same", "valid"]

CLASSES = "classes"
"""The units of a dense layer that has one for each class of the data."""


class _Layer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one output, without the batch, for inputs of `shape`."""
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        """Return the canonical shape of each weight for inputs of `shape`."""
        return {}


class Convolution(_Layer):
    """A 2-D convolution with a bias."""

    kind: Literal["convolution"] = "convolution"
    filters: int = Field(ge=1, le=1024, title="Filters")
    kernel: int = Field(default=3, ge=1, le=11, title="Kernel")
    stride: int = Field(default=1, ge=1, le=8, title="Stride")
    padding: Padding = Field(default="same", title="Padding")

    def output_shape(self, shape: Shape) -> Shape:
        height, width = _spatial(shape, self.kernel, self.stride, self.padding, "convolution")
        return height, width, self.filters

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"kernel": (self.kernel, self.kernel, shape[-1], self.filters), "bias": (self.filters,)}


class BatchNorm(_Layer):
    """Batch normalisation over all axes but the last.

    `momentum` is the share of the old moving average that is kept, as Keras counts it;
    PyTorch's momentum is one minus it.
    """

    kind: Literal["batch_norm"] = "batch_norm"
    epsilon: float = Field(default=1e-5, gt=0, le=0.1, title="Epsilon")
    momentum: float = Field(default=0.9, ge=0, lt=1, title="Momentum")

    STATISTICS: ClassVar = ("moving_mean", "moving_variance")

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("gamma", "beta", *self.STATISTICS), (shape[-1],))


class MaxPool(_Layer):
    """Max pooling over square windows."""

    kind: Literal["max_pool"] = "max_pool"
    size: int = Field(default=2, ge=1, le=8, title="Window")
    stride: int = Field(default=2, ge=1, le=8, title="Stride")
    padding: Padding = Field(default="valid", title="Padding")

    def output_shape(self, shape: Shape) -> Shape:
        height, width = _spatial(shape, self.size, self.stride, self.padding, "pooling")
        return height, width, shape[-1]


class Dropout(_Layer):
    """Sets a share of the inputs to zero while training."""

    kind: Literal["dropout"] = "dropout"
    rate: float = Field(default=0.5, ge=0, lt=1, title="Share dropped")


class Flatten(_Layer):
    """Turns `(height, width, channel)` into one row, in that order."""

    kind: Literal["flatten"] = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


class Dense(_Layer):
    """A fully connected layer; `units="classes"` takes the number of classes of the data."""

    kind: Literal["dense"] = "dense"
    units: Annotated[int, Field(ge=1, le=8192, title="Units")] | Literal["classes"]

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ValueError(f"A dense layer needs one row of numbers, received {shape}: put a flatten before it.")
        return (self.units,)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"kernel": (shape[0], self.units), "bias": (self.units,)}


class Activation(_Layer):
    """An activation; `softmax` only where a network wants it before the loss."""

    kind: Literal["activation"] = "activation"
    function: Literal["relu", "softmax"] = Field(default="relu", title="Function")


class Residual(_Layer):
    """Adds what its layers make of their input to that input, which must have the same shape.

    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015.
    """

    kind: Literal["residual"] = "residual"
    layers: tuple[
        Annotated[Convolution | BatchNorm | Dropout | Dense | Activation, Field(discriminator="kind")], ...
    ] = Field(min_length=1)


Layer = Annotated[
    Convolution | BatchNorm | MaxPool | Dropout | Flatten | Dense | Activation | Residual,
    Field(discriminator="kind"),
]


class Architecture(BaseModel):
    """A named network: its layers and a sentence on what it is good for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    layers: tuple[Layer, ...]

    def for_classes(self, classes: int) -> "Architecture":
        """Return this network with `units="classes"` replaced by the number of `classes`."""
        layers = tuple(
            layer.model_copy(update={"units": classes})
            if isinstance(layer, Dense) and layer.units == "classes"
            else layer
            for layer in self.layers
        )
        return self.model_copy(update={"layers": layers})

    @property
    def gives_probabilities(self) -> bool:
        """Whether the outputs are probabilities already, as the network ends with a softmax of its own."""
        return self.layers[-1:] == (Activation(function="softmax"),)


@dataclass(frozen=True)
class LayerRow:
    """One row of a layer table. Shapes are without the batch; `parameters` are trainable.

    `multiplications` are those of one image on its way forward.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    multiplications: int


def named(layers: Iterable[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield each layer with its canonical name: its kind and its number among its kind.

    The layers of a residual are counted anew; the `prefix` of their names is its name and a slash.
    """
    seen: Counter[str] = Counter()
    for layer in layers:
        seen[layer.kind] += 1
        yield f"{prefix}{layer.kind}_{seen[layer.kind]}", layer


class LayerError(ValueError):
    """A `layer`, named as in the rows, that cannot be where it is, and the `reason` in one sentence."""

    def __init__(self, network: str, layer: str, reason: str):
        super().__init__(f"{network}, layer {layer}: {reason}")
        self.layer = layer
        self.reason = reason


def iter_layer_rows(architecture: Architecture, input_shape: Shape, classes: int) -> Iterator[LayerRow]:
    """Yield one row a layer as an image of `input_shape` goes through a network.

    The layers of a residual come before the row of its sum.

    Raises:
        LayerError: at the first layer that cannot take what comes to it.
    """
    return _follow(architecture.name, named(architecture.for_classes(classes).layers), tuple(input_shape))


def layer_rows(architecture: Architecture, input_shape: Shape, classes: int) -> list[LayerRow]:
    """Return the rows of `iter_layer_rows`, all or none of them.

    Raises:
        LayerError: if a layer cannot take what comes to it.
    """
    return list(iter_layer_rows(architecture, input_shape, classes))


def check_network(architecture: Architecture, input_shape: Shape, classes: int, batch_size: int | None = None) -> None:
    """Refuse a network that cannot learn to tell so many `classes` of images of `input_shape` apart.

    Raises:
        ValueError: if a layer cannot take what comes to it, nothing can be learnt, the last layer does not give
            one number a class, or a batch norm would see but one value a channel in batches of `batch_size`.
    """
    rows = layer_rows(architecture, input_shape, classes)
    if not any(row.parameters for row in rows):
        raise ValueError(f"{architecture.name}: It has nothing to learn: add a dense layer.")
    if rows[-1].output_shape != (classes,):
        raise LayerError(
            architecture.name,
            rows[-1].name,
            f"The last layer gives one number a class, {(classes,)}, here it gives {rows[-1].output_shape}: "
            "end with a dense layer of one unit a class.",
        )
    for row in rows:
        if batch_size == 1 and row.layer.kind == "batch_norm" and math.prod(row.input_shape[:-1]) == 1:
            raise ValueError(
                f"Batch size (--batch-size): expected at least 2 with {architecture.name}, received 1: "
                f"{row.name} subtracts the mean over a batch, which leaves nothing of a single image."
            )


def explain_parameters(row: LayerRow) -> str:
    """Say how the count of a row comes about, such as "3 × 3 × 1 × 64 weights + 64 biases = 640"."""
    weights = row.layer.weights(row.input_shape)
    if "kernel" in weights:
        kernel = " × ".join(f"{size:,}" for size in weights["kernel"])
        return f"{kernel} weights + {weights['bias'][0]:,} biases = {row.parameters:,}"
    if "gamma" in weights:
        channels = f"{weights['gamma'][0]:,}"
        return (
            f"{channels} scales + {channels} shifts = {row.parameters:,}; "
            f"{channels} means and {channels} variances are averaged, not learnt"
        )
    return "nothing to learn"


def _follow(network: str, layers: Iterable[tuple[str, Layer]], shape: Shape) -> Iterator[LayerRow]:
    for name, layer in layers:
        if isinstance(layer, Residual):
            inner = shape
            for row in _follow(network, named(layer.layers, f"{name}/"), shape):
                yield row
                inner = row.output_shape
            if inner != shape:
                raise LayerError(
                    network,
                    name,
                    f"A residual adds its input, {shape}, to what its layers give, {inner}: give its last layer as "
                    "many filters, and all of them stride 1 and padding 'same'.",
                )
        try:
            output_shape = layer.output_shape(shape)
        except ValueError as error:
            raise LayerError(network, name, str(error)) from None
        weights = layer.weights(shape)
        parameters = sum(math.prod(weight) for key, weight in weights.items() if key not in BatchNorm.STATISTICS)
        multiplications = math.prod(weights.get("kernel", (0,))) * math.prod(output_shape[:-1])
        yield LayerRow(name, layer, shape, output_shape, parameters, multiplications)
        shape = output_shape


def count_parameters(architecture: Architecture, input_shape: Shape, classes: int) -> int:
    """Return the number of trainable parameters."""
    return sum(row.parameters for row in layer_rows(architecture, input_shape, classes))


def pool_before_relu(layers: Iterable[tuple[str, Layer]]) -> list[tuple[str, Layer]]:
    """Swap each relu with the max pooling right after it.

    Both orders give the same numbers forward and backward, since relu is monotonic;
    pooled first, the relu touches a quarter of the values.
    """
    ordered = list(layers)
    for i in range(len(ordered) - 1):
        (_, first), (_, second) = ordered[i], ordered[i + 1]
        if isinstance(first, Activation) and first.function == "relu" and isinstance(second, MaxPool):
            ordered[i], ordered[i + 1] = ordered[i + 1], ordered[i]
    return ordered


def _spatial(shape: Shape, window: int, stride: int, padding: Padding, what: str) -> tuple[int, int]:
    if len(shape) != 3:
        raise ValueError(f"A {what} needs an image (height, width, channels), received {shape}.")
    if padding == "same":
        return math.ceil(shape[0] / stride), math.ceil(shape[1] / stride)
    if min(shape[:2]) < window:
        raise ValueError(
            f"A {what} of {window}×{window} without padding does not fit into {shape[0]}×{shape[1]}: "
            "use padding 'same', a smaller window, or remove a pooling before it."
        )
    return (shape[0] - window) // stride + 1, (shape[1] - window) // stride + 1
