"""Steps of an editor on tuples of layers: moved, added, removed and changed, within residuals too."""

import pytest

from core.networks.editing import (
    KINDS_IN_A_RESIDUAL,
    can_move,
    changed,
    inserted,
    moved,
    new_layer,
    places,
    removed,
)
from core.networks.kinds import KINDS
from core.networks.layers import Activation, BatchNorm, Convolution, Dropout, Flatten, Residual, layer_rows
from core.networks.zoo import ARCHITECTURES
from tests.sample_networks import network

BLOCK = Residual(layers=(Convolution(filters=4), BatchNorm(), Activation()))
LAYERS = (Convolution(filters=4), BLOCK, Flatten())


def kinds(layers) -> list[str]:
    return [layer.kind for _, _, layer in places(layers)]


def test_places_name_layers_as_the_rows_do():
    for architecture in ARCHITECTURES.values():
        rows = {row.name for row in layer_rows(architecture, (28, 28, 1), 10) if "/shortcut/" not in row.name}
        assert {name for _, name, _ in places(architecture.layers)} == rows
    assert [path for path, _, _ in places(LAYERS)] == [(0,), (1,), (1, 0), (1, 1), (1, 2), (2,)]


@pytest.mark.parametrize(
    ("path", "by", "expected"),
    [
        ((0,), 1, ["residual", "convolution", "batch_norm", "activation", "convolution", "flatten"]),
        ((2,), -1, ["convolution", "flatten", "residual", "convolution", "batch_norm", "activation"]),
        ((1, 2), -1, ["convolution", "residual", "convolution", "activation", "batch_norm", "flatten"]),
        ((0,), -1, kinds(LAYERS)),
        ((2,), 1, kinds(LAYERS)),
        ((1, 2), 1, kinds(LAYERS)),
    ],
)
def test_layer_moves_among_its_neighbours(path, by, expected):
    assert kinds(moved(LAYERS, path, by)) == expected
    assert can_move(LAYERS, path, by) == (expected != kinds(LAYERS))


def test_layer_is_inserted_where_it_is_wanted():
    assert inserted(LAYERS, (3,), Dropout())[3] == Dropout()
    assert inserted((), (0,), Dropout()) == (Dropout(),)
    assert inserted(LAYERS, (1, 1), Dropout())[1].layers[1] == Dropout()


def test_residual_goes_with_the_last_of_its_layers():
    left = removed(removed(LAYERS, (1, 0)), (1, 0))
    assert kinds(left) == ["convolution", "residual", "activation", "flatten"]
    assert kinds(removed(left, (1, 0))) == ["convolution", "flatten"]


def test_field_is_changed_and_nothing_else():
    assert changed(LAYERS, (1, 0), "filters", 9) == (
        LAYERS[0],
        Residual(layers=(Convolution(filters=9), BatchNorm(), Activation())),
        LAYERS[2],
    )
    with pytest.raises(ValueError, match="filters"):
        changed(LAYERS, (0,), "filters", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_new_layer_fits_an_image(kind):
    layer = new_layer(kind, channels=7)

    assert layer.kind == kind
    if kind != "dense":
        assert layer_rows(network(layer), (12, 12, 7), classes=3)


@pytest.mark.parametrize("kind", KINDS_IN_A_RESIDUAL)
def test_new_layer_can_stand_in_a_residual(kind):
    assert Residual.model_validate({"layers": [new_layer(kind, channels=7).model_dump()]})
