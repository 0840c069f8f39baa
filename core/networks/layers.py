"""Networks as data: an architecture is a list of layer records that both engines build.

    architecture = ARCHITECTURES["cnn-64-32-32"]
    for row in layer_rows(architecture, input_shape=(28, 28, 1), classes=10):
        print(row.name, row.output_shape, row.parameters, explain_parameters(row))

Every record, see `core.networks.kinds`, knows its output shape and the shapes of its weights in Duet's canonical
layout, which is channels-last: convolution kernels `(height, width, in, out)`, dense kernels `(in, out)`
with flattened inputs in the order height, width, channel. A network gives logits; the softmax
belongs to the loss and to the prediction, unless a network names one explicitly.

A new built-in network is one entry in `ARCHITECTURES`; `core.networks.registry` adds those that users have made.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from core.networks.kinds import KINDS, Layer
from core.networks.kinds.activation import Activation
from core.networks.kinds.average_pool import AveragePool
from core.networks.kinds.batch_norm import BatchNorm
from core.networks.kinds.convolution import Convolution
from core.networks.kinds.dense import CLASSES, Dense
from core.networks.kinds.depthwise_convolution import DepthwiseConvolution
from core.networks.kinds.dropout import Dropout
from core.networks.kinds.flatten import Flatten
from core.networks.kinds.global_average_pool import GlobalAveragePool
from core.networks.kinds.layer_norm import LayerNorm
from core.networks.kinds.max_pool import MaxPool
from core.networks.kinds.residual import Residual
from core.networks.windows import Padding, Shape

__all__ = [
    "CLASSES",
    "KINDS",
    "Activation",
    "Architecture",
    "AveragePool",
    "BatchNorm",
    "Convolution",
    "Dense",
    "DepthwiseConvolution",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "Layer",
    "LayerError",
    "LayerNorm",
    "LayerRow",
    "MaxPool",
    "Padding",
    "Residual",
    "Shape",
    "before_head",
    "check_network",
    "count_parameters",
    "explain_parameters",
    "iter_layer_rows",
    "layer_rows",
    "named",
    "pool_before_relu",
    "weight_shapes",
]


class Architecture(BaseModel):
    """A named network: its layers and a sentence on what it is good for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    layers: tuple[Layer, ...]

    def for_classes(self, classes: int) -> "Architecture":
        """Return this network with `units="classes"` replaced by the number of `classes`."""
        return self.model_copy(update={"layers": tuple(layer.for_classes(classes) for layer in self.layers)})

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
        if batch_size == 1 and row.layer.needs_batches(row.input_shape):
            raise ValueError(
                f"Batch size (--batch-size): expected at least 2 with {architecture.name}, received 1: "
                f"{row.name} subtracts the mean over a batch, which leaves nothing of a single image."
            )


def explain_parameters(row: LayerRow) -> str:
    """Say how the count of a row comes about, such as "3 × 3 × 1 × 64 weights + 64 biases = 640"."""
    return row.layer.explain_parameters(row.input_shape)


def _follow(network: str, layers: Iterable[tuple[str, Layer]], shape: Shape) -> Iterator[LayerRow]:
    for name, layer in layers:
        for branch in layer.branches(shape):
            yield from _follow(network, named(branch.layers, f"{name}/{branch.prefix}"), shape)
        try:
            output_shape = layer.output_shape(shape)
        except ValueError as error:
            raise LayerError(network, name, str(error)) from None
        yield LayerRow(name, layer, shape, output_shape, layer.parameters(shape), layer.multiplications(shape))
        shape = output_shape


def weight_shapes(architecture: Architecture, input_shape: Shape, classes: int) -> dict[str, Shape]:
    """Return the canonical shape of each weight by its name, such as `dense_1/kernel`.

    Raises:
        LayerError: if a layer cannot take what comes to it.
    """
    return {
        f"{row.name}/{key}": tuple(shape)
        for row in iter_layer_rows(architecture, input_shape, classes)
        for key, shape in row.layer.weights(row.input_shape).items()
    }


def count_parameters(architecture: Architecture, input_shape: Shape, classes: int) -> int:
    """Return the number of trainable parameters."""
    return sum(row.parameters for row in layer_rows(architecture, input_shape, classes))


def before_head(architecture: Architecture, input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """Return the layers before the last one that learns: what they give are a network's features."""
    layers = architecture.for_classes(classes).layers
    rows = {row.name: row for row in layer_rows(architecture, input_shape, classes)}
    last = 0
    for place, (name, layer) in enumerate(named(layers)):
        shape = rows[name].input_shape
        if layer.weights(shape) or layer.branches(shape):
            last = place
    return layers[:last]


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
