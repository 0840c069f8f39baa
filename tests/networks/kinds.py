"""Every layer kind in the variants that its `examples` give, each in a small network: what the tests of kinds try."""

import pytest

from core.networks.kinds import KINDS
from core.networks.layers import Activation, Architecture, Convolution, Dense, Flatten, Layer, Shape

IMAGES: Shape = (9, 8, 3)
CLASSES = 5

each_kind = pytest.mark.parametrize("kind", KINDS)

EXAMPLES: dict[str, Layer] = {
    f"{kind}-{i}": layer for kind, record in KINDS.items() for i, layer in enumerate(record.examples())
}
"""Each example of each kind, by the kind and its number."""

each_example = pytest.mark.parametrize("layer", EXAMPLES.values(), ids=EXAMPLES)


def takes_images(layer: Layer) -> bool:
    """Return whether a layer has a place before the flatten."""
    return _takes(layer, (9, 7, 4))


def takes_rows(layer: Layer) -> bool:
    """Return whether a layer has a place after the flatten."""
    return _takes(layer, (8,))


def network_of(*layers: Layer, twice: bool = True) -> Architecture:
    """Return a network of a convolution, those of the layers that take images, and after a dense one those for rows.

    A layer that takes both stands in both places, or if not `twice` in the first. Between them is what makes a row of
    an image: a flatten, or the first of the layers that does so.
    """
    on_images = [layer for layer in layers if takes_images(layer)]
    ends = [layer for layer in on_images if len(layer.output_shape((9, 7, 4))) == 1]
    return Architecture(
        name="tried",
        description="",
        layers=(
            *(Convolution(filters=4), Activation()),
            *(layer for layer in on_images if layer not in ends),
            *(ends[:1] or [Flatten()]),
            *(Dense(units=8), Activation()),
            *(layer for layer in layers if takes_rows(layer) and (twice or layer not in on_images)),
            Dense(units="classes"),
        ),
    )


def _takes(layer: Layer, shape: Shape) -> bool:
    try:
        layer.output_shape(shape)
    except ValueError:
        return False
    return True
