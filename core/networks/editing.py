"""Changes to the layers of a network, each of which returns new ones: the steps of an editor.

    layers = ARCHITECTURES["resnet-small"].layers
    for path, name, layer in places(layers):    # (4,) residual_1, (4, 0) residual_1/convolution_1, …
        ...
    layers = moved(layers, (4, 0), by=1)
    layers = inserted(layers, (5,), new_layer("dropout", channels=32))

A path is the position of a layer, or that of a residual and of the layer in it. An editor that must know a layer
again wherever it has moved keeps identities beside the layers, and moves, inserts and removes them in the same way:

    identities = identify(layers, first=0)
    identities = moved(identities, (4, 0), by=1)
    path = find_path(identities, 7)             # None once it was removed
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from core.networks.kinds import KINDS
from core.networks.layers import Layer, Residual, named

Path = tuple[int, ...]
Layers = tuple[Layer, ...]


class Identity(BaseModel):
    """The number of a layer, with those of the layers in it."""

    model_config = ConfigDict(frozen=True)

    number: int
    layers: tuple["Identity", ...] = ()

    @property
    def last(self) -> int:
        """The greatest number in here, the layers' own numbers included."""
        return max([self.number, *(inner.last for inner in self.layers)])


Identities = tuple[Identity, ...]
Row = TypeVar("Row", Layers, Identities)

KINDS_IN_A_RESIDUAL = tuple(name for name, kind in KINDS.items() if kind.IN_A_RESIDUAL)


def new_layer(kind: str, channels: int) -> Layer:
    """Return a layer to begin with, where what comes in has so many `channels`."""
    return KINDS[kind].begin(min(channels, 1024))


def places(layers: Layers, prefix: str = "", above: Path = ()) -> Iterator[tuple[Path, str, Layer]]:
    """Yield the path, the canonical name and the record of each layer; those in a residual come after it."""
    for position, (name, layer) in enumerate(named(layers, prefix)):
        path = (*above, position)
        yield path, name, layer
        if isinstance(layer, Residual):
            yield from places(layer.layers, f"{name}/", path)


def identify(layers: Layers, first: int) -> Identities:
    """Number layers from `first` on, in the order of `places`."""
    identities = []
    for layer in layers:
        inner = identify(layer.layers, first + 1) if isinstance(layer, Residual) else ()
        identities.append(Identity(number=first, layers=inner))
        first = identities[-1].last + 1
    return tuple(identities)


def identity_paths(identities: Identities, above: Path = ()) -> Iterator[tuple[int, Path]]:
    """Yield each number with its path, in the order of `places`."""
    for position, identity in enumerate(identities):
        path = (*above, position)
        yield identity.number, path
        yield from identity_paths(identity.layers, path)


def find_path(identities: Identities, number: int) -> Path | None:
    """Return where the layer of a number is now; None if it was removed."""
    return dict(identity_paths(identities)).get(number)


def changed(layers: Layers, path: Path, field: str, value: Any) -> Layers:
    """Set a field of one layer.

    Raises:
        ValueError: if the field does not take the value.
    """

    def change(row: Layers, position: int) -> Layers:
        layer = type(row[position]).model_validate({**row[position].model_dump(), field: value})
        return (*row[:position], layer, *row[position + 1 :])

    return _at(layers, path, change)


def inserted(layers: Row, path: Path, layer: Layer | Identity) -> Row:
    """Put a layer in at a path; what is there and after it moves down."""
    return _at(layers, path, lambda row, position: (*row[:position], layer, *row[position:]))


def removed(layers: Row, path: Path) -> Row:
    """Take a layer out; a residual goes with the last of its layers."""
    above = _row(layers, path)
    if len(path) > 1 and len(above) == 1:
        path = path[:-1]
    return _at(layers, path, lambda row, position: (*row[:position], *row[position + 1 :]))


def moved(layers: Row, path: Path, by: int) -> Row:
    """Move a layer by one place, down (1) or up (-1), among those beside it; at the end it stays."""

    def move(row: Row, position: int) -> Row:
        if not 0 <= position + by < len(row):
            return row
        order = list(row)
        order.insert(position + by, order.pop(position))
        return tuple(order)

    return _at(layers, path, move)


def can_move(layers: Layers, path: Path, by: int) -> bool:
    """Say whether there is a place to move to."""
    return 0 <= path[-1] + by < len(_row(layers, path))


def _inside(layer: Any) -> Any:
    """Return the layers, or the identities, in one that a path leads into."""
    return layer.layers


def _row(layers: Row, path: Path) -> Row:
    """Return the layers among which the one at `path` is."""
    for position in path[:-1]:
        layers = _inside(layers[position])
    return layers


def _at(layers: Row, path: Path, change: Callable[[Row, int], Row]) -> Row:
    if len(path) == 1:
        return change(tuple(layers), path[0])
    block = layers[path[0]]
    inner = _at(_inside(block), path[1:], change)
    return (*layers[: path[0]], block.model_copy(update={"layers": inner}), *layers[path[0] + 1 :])
