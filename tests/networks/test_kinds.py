"""The layer kinds: what each record says of itself, and what some of them refuse."""

import math
import re

import numpy as np
import pytest
from pydantic import ValidationError

from core.engines.initialisation import initial_weights
from core.networks.kinds import KINDS
from core.networks.layers import (
    Activation,
    Architecture,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    MaxPool,
    Residual,
    check_network,
    explain_parameters,
    layer_rows,
)
from tests.networks.kinds import CLASSES, IMAGES, each_example, each_kind, network_of, takes_images, takes_rows
from tests.sample_networks import network


@each_kind
class TestEveryKind:
    def test_is_named_and_described(self, kind):
        record = KINDS[kind]

        assert record.TITLE
        assert record.__doc__.splitlines()[0].endswith(".")
        assert [other for other in KINDS if KINDS[other].TITLE == record.TITLE] == [kind]

    def test_begins_as_a_layer_that_fits(self, kind):
        layer = KINDS[kind].begin(channels=7)

        assert KINDS[kind].model_validate(layer.model_dump()) == layer
        assert takes_images(KINDS[kind].begin(channels=4)) or takes_rows(layer)

    def test_has_fields_that_the_editor_can_show(self, kind):
        for name, info in KINDS[kind].model_fields.items():
            if name in ("kind", "layers", "units"):  # the editor has forms of its own for these
                continue
            assert info.title
            assert info.description.endswith(".")
            if info.annotation in (int, float):
                limits = {type(limit).__name__ for limit in info.metadata}
                assert limits & {"Ge", "Gt"}
                assert limits & {"Le", "Lt"}

    def test_stands_in_a_residual_if_it_says_so(self, kind):
        values = {"layers": [KINDS[kind].begin(channels=4).model_dump()]}

        if KINDS[kind].IN_A_RESIDUAL:
            assert Residual.model_validate(values).layers[0].kind == kind
        else:
            with pytest.raises(ValidationError):
                Residual.model_validate(values)


@each_example
class TestEveryExample:
    def test_can_learn_images_in_a_network(self, layer):
        check_network(network_of(layer), IMAGES, CLASSES)

    def test_survives_json(self, layer):
        architecture = network_of(layer)

        assert Architecture.model_validate_json(architecture.model_dump_json()) == architecture

    def test_knows_the_names_of_its_weights(self, layer):
        for row in layer_rows(network_of(layer), IMAGES, CLASSES):
            weights = row.layer.weights(row.input_shape)
            assert weights.keys() <= row.layer.PYTORCH_WEIGHTS.keys()
            assert row.layer.fans(row.input_shape).keys() <= weights.keys()
            assert set(row.layer.STATISTICS) <= weights.keys()
            assert row.parameters == sum(
                math.prod(shape) for key, shape in weights.items() if key not in row.layer.STATISTICS
            )

    def test_explains_its_count(self, layer):
        for row in layer_rows(network_of(layer), IMAGES, CLASSES):
            expected = f"= {row.parameters:,}" if row.parameters else "nothing to learn"
            assert expected in explain_parameters(row)

    def test_draws_nothing_without_randomness(self, layer):
        still = layer.without_randomness()

        assert still.without_randomness() == still
        assert still.output_shape((9, 7, 4) if takes_images(layer) else (8,))


STORED = {
    "name": "stored",
    "description": "As a file of version 0.1 describes a network.",
    "layers": [
        {"kind": "convolution", "filters": 4, "kernel": 3, "stride": 1, "padding": "same"},
        {"kind": "batch_norm", "epsilon": 1e-5, "momentum": 0.9},
        {"kind": "activation", "function": "relu"},
        {
            "kind": "residual",
            "layers": [{"kind": "convolution", "filters": 4, "kernel": 3, "stride": 1, "padding": "same"}],
        },
        {"kind": "max_pool", "size": 2, "stride": 2, "padding": "valid"},
        {"kind": "dropout", "rate": 0.5},
        {"kind": "flatten"},
        {"kind": "dense", "units": "classes"},
    ],
}


def test_stored_networks_are_still_understood():
    architecture = Architecture.model_validate(STORED)

    assert architecture.layers[0] == Convolution(filters=4)
    assert architecture.layers[3] == Residual(layers=(Convolution(filters=4),))
    assert [
        f"{row.name}/{key}" for row in layer_rows(architecture, (8, 8, 1), 3) for key in row.layer.weights((8, 8, 1))
    ] == [
        *("convolution_1/kernel", "convolution_1/bias"),
        *(f"batch_norm_1/{key}" for key in ("gamma", "beta", "moving_mean", "moving_variance")),
        *("residual_1/convolution_1/kernel", "residual_1/convolution_1/bias", "dense_1/kernel", "dense_1/bias"),
    ]


@pytest.mark.parametrize(
    ("layer", "input_shape", "output_shape", "parameters", "multiplications"),
    [
        (Convolution(filters=8, groups=2), (6, 5, 4), (6, 5, 8), 3 * 3 * 2 * 8 + 8, 6 * 5 * 3 * 3 * 2 * 8),
        (Convolution(filters=8, dilation=2), (6, 5, 4), (6, 5, 8), 3 * 3 * 4 * 8 + 8, 6 * 5 * 3 * 3 * 4 * 8),
        (Convolution(filters=8, dilation=2, padding="valid"), (6, 5, 4), (2, 1, 8), 3 * 3 * 4 * 8 + 8, 2 * 9 * 4 * 8),
        (Convolution(filters=8, bias=False), (6, 5, 4), (6, 5, 8), 3 * 3 * 4 * 8, 6 * 5 * 3 * 3 * 4 * 8),
        (DepthwiseConvolution(), (6, 5, 4), (6, 5, 4), 3 * 3 * 4 + 4, 6 * 5 * 3 * 3 * 4),
        (DepthwiseConvolution(stride=2, bias=False), (6, 5, 4), (3, 3, 4), 3 * 3 * 4, 3 * 3 * 3 * 3 * 4),
        (AveragePool(padding="same"), (7, 5, 4), (4, 3, 4), 0, 0),
        (GlobalAveragePool(), (7, 5, 4), (4,), 0, 0),
        (LayerNorm(), (7, 5, 4), (7, 5, 4), 8, 0),
        (Dense(units=3, bias=False), (7,), (3,), 21, 21),
    ],
    ids=repr,
)
def test_layer_counts(layer, input_shape, output_shape, parameters, multiplications):
    (row,) = layer_rows(Architecture(name="tried", description="", layers=(layer,)), input_shape, classes=3)

    assert row.output_shape == output_shape
    assert row.parameters == parameters
    assert row.multiplications == multiplications


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            (Convolution(filters=4, dilation=2, stride=2),),
            "convolution_1: A convolution with a dilation needs stride 1, as Keras has no other, received stride 2.",
        ),
        (
            (Convolution(filters=4), Convolution(filters=6, groups=4)),
            "convolution_2: A convolution in 4 groups needs channels and filters that 4 divides, "
            "received 4 channels and 6 filters.",
        ),
        (
            (Convolution(filters=4), Convolution(filters=4, groups=2, dilation=3)),
            "convolution_2: A convolution in groups needs dilation 1, as TensorFlow's gradients of both together are "
            "wrong on a CPU, received dilation 3.",
        ),
        (
            (Convolution(filters=4, kernel=5, dilation=3, padding="valid"),),
            "convolution_1: A convolution of 13×13 without padding does not fit into 9×8: ",
        ),
        (
            (Flatten(), GlobalAveragePool()),
            "global_average_pool_1: A global average pooling needs an image (height, width, channels), received (216,)",
        ),
        ((Convolution(filters=1), LayerNorm()), "layer_norm_1: A layer norm over one value leaves nothing of it"),
        (
            (Residual(layers=(Convolution(filters=4, stride=2, padding="valid"),), projection=True),),
            "residual_1: A residual adds a projection of its input, (5, 4, 4), to what its layers give, (4, 3, 4): "
            "give all of them padding 'same'.",
        ),
        (
            (Residual(layers=(Dense(units=4),), projection=True),),
            "residual_1/dense_1: A dense layer needs one row of numbers",
        ),
    ],
    ids=[
        "dilation and stride",
        "groups",
        "dilation in groups",
        "dilated",
        "pooled row",
        "one channel",
        "projection",
        "dense in projection",
    ],
)
def test_layer_that_cannot_be_is_refused(layers, sentence):
    with pytest.raises(ValueError, match=re.escape(f"tried, layer {sentence}")):
        layer_rows(network(*layers), IMAGES, CLASSES)


def test_projection_is_there_only_where_the_shape_changes():
    block = (Convolution(filters=4, stride=2), BatchNorm(), Activation(), Convolution(filters=4), BatchNorm())
    same = (Convolution(filters=4), BatchNorm())
    rows = layer_rows(
        network(*(Residual(layers=layers, projection=True) for layers in (block, same))), (9, 8, 3), CLASSES
    )

    shortcuts = [row for row in rows if "/shortcut/" in row.name]
    assert [row.name for row in shortcuts] == [
        "residual_1/shortcut/convolution_1",
        "residual_1/shortcut/batch_norm_1",
    ]
    assert shortcuts[0].layer == Convolution(filters=4, kernel=1, stride=2, bias=False)
    assert [row.output_shape for row in rows if row.name.startswith("residual") and "/" not in row.name] == [
        (5, 4, 4),
        (5, 4, 4),
    ]


def test_rows_are_projected_by_a_dense_layer():
    rows = layer_rows(network(Flatten(), Residual(layers=(Dense(units=4),), projection=True)), (3, 3, 1), CLASSES)

    assert [row.name for row in rows if "/shortcut/" in row.name] == [
        "residual_1/shortcut/dense_1",
        "residual_1/shortcut/batch_norm_1",
    ]


@pytest.mark.parametrize("method", ["shared", "he"])
@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (Convolution(filters=64, groups=4), 9 * 16, 9 * 16),
        (Convolution(filters=256, groups=2, kernel=1), 32, 128),
        (DepthwiseConvolution(kernel=11), 121, 121),
    ],
    ids=repr,
)
def test_initial_kernels_have_the_spread_of_their_own_fans(method, layer, fan_in, fan_out):
    weights = initial_weights(network(layer), (9, 9, 64), CLASSES, seed=1, method=method)

    kernel = weights[f"{layer.kind}_1/kernel"]
    expected = math.sqrt(2 / fan_in) if method == "he" else math.sqrt(2 / (fan_in + fan_out))
    assert np.std(kernel) == pytest.approx(expected, rel=0.05)


def test_every_kind_of_one_network_begins_where_it_should():
    weights = initial_weights(network_of(LayerNorm(), BatchNorm(), MaxPool()), IMAGES, CLASSES, seed=1)

    for name in ("layer_norm_1/gamma", "batch_norm_1/gamma", "batch_norm_1/moving_variance"):
        assert (weights[name] == 1).all()
    for name in ("layer_norm_1/beta", "batch_norm_1/beta", "batch_norm_1/moving_mean", "convolution_1/bias"):
        assert (weights[name] == 0).all()
