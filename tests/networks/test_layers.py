"""Networks as data: their shapes, their parameters, and what they refuse."""

import math
import re
from itertools import pairwise

import pytest
from pydantic import ValidationError

from core.networks.layers import (
    Activation,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    LayerError,
    MaxPool,
    Residual,
    check_network,
    count_parameters,
    explain_parameters,
    iter_layer_rows,
    layer_rows,
    named,
    pool_before_relu,
)
from core.networks.zoo import ARCHITECTURES

MNIST = {"input_shape": (28, 28, 1), "classes": 10}


def network(*layers) -> Architecture:
    return Architecture(name="tried", description="", layers=layers)


PARAMETERS = {
    "cnn-64-32-32": 80_662,
    "ann-100": 79_510,
    "cnn-fast": 29_546,
    "cnn-balanced": 99_178,
    "cnn-accurate": 200_938,
    "cnn-quick": 29_546,
    "cnn-32-64-dropout": 1_199_882,
    "cnn-32-64-64": 257_162,
    "mlp-512-512": 669_706,
    "asl-mlp-512-512": 669_706,
    "asl-cnn-75-50-25": 102_967,
    "lenet-5": 61_706,
    "resnet-small": 117_514,
    "resnet-8": 77_754,
    "mobile-small": 18_826,
}
"""Trainable parameters for MNIST; where a write-up counts them, its figure."""

FLATTENED = {"cnn-64-32-32": 512, "cnn-32-64-dropout": 9_216, "cnn-32-64-64": 3_136, "asl-cnn-75-50-25": 100}
"""How many values the write-ups say that the last image has."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_network_keeps_its_size(name):
    assert count_parameters(ARCHITECTURES[name], **MNIST) == PARAMETERS[name]


@pytest.mark.parametrize(("name", "values"), FLATTENED.items())
def test_published_networks_flatten_what_was_published(name, values):
    assert [row.output_shape for row in layer_rows(ARCHITECTURES[name], **MNIST) if row.layer.kind == "flatten"] == [
        (values,)
    ]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_softmax_before_the_loss_is_told_from_one_that_belongs_to_it(name):
    assert ARCHITECTURES[name].gives_probabilities == name.startswith("asl-")


@pytest.mark.parametrize("name", ARCHITECTURES)
class TestEveryNetwork:
    def test_is_described(self, name):
        assert ARCHITECTURES[name].name == name
        assert ARCHITECTURES[name].description.endswith(".")

    def test_can_learn_mnist(self, name):
        check_network(ARCHITECTURES[name], **MNIST)

    @pytest.mark.parametrize("input_shape", [(28, 28, 1), (32, 32, 3), (27, 31, 1)])
    @pytest.mark.parametrize("classes", [2, 10, 24])
    def test_gives_one_logit_a_class(self, name, input_shape, classes):
        assert layer_rows(ARCHITECTURES[name], input_shape, classes)[-1].output_shape == (classes,)

    def test_has_rows_that_follow_on_each_other(self, name):
        rows = [row for row in layer_rows(ARCHITECTURES[name], **MNIST) if "/shortcut/" not in row.name]

        assert rows[0].input_shape == (28, 28, 1)
        for before, after in pairwise(rows):
            if after.layer.kind != "residual":
                assert after.input_shape == before.output_shape

    def test_survives_json(self, name):
        architecture = ARCHITECTURES[name]
        assert Architecture.model_validate_json(architecture.model_dump_json()) == architecture

    def test_does_not_change_when_relus_are_moved_behind_their_pooling(self, name):
        layers = list(named(ARCHITECTURES[name].layers))
        moved = pool_before_relu(layers)

        assert sorted(moved, key=lambda pair: pair[0]) == sorted(layers, key=lambda pair: pair[0])
        for (_, first), (_, second) in pairwise(moved):
            assert not (isinstance(first, Activation) and isinstance(second, MaxPool))


@pytest.mark.parametrize(
    ("layer", "input_shape", "output_shape", "parameters"),
    [
        (Convolution(filters=8), (28, 28, 3), (28, 28, 8), 3 * 3 * 3 * 8 + 8),
        (Convolution(filters=8, stride=2), (27, 28, 1), (14, 14, 8), 3 * 3 * 8 + 8),
        (Convolution(filters=4, kernel=5, padding="valid"), (28, 28, 1), (24, 24, 4), 5 * 5 * 4 + 4),
        (Convolution(filters=4, kernel=3, stride=2, padding="valid"), (8, 7, 2), (3, 3, 4), 3 * 3 * 2 * 4 + 4),
        (BatchNorm(), (7, 7, 16), (7, 7, 16), 32),
        (MaxPool(), (7, 7, 16), (3, 3, 16), 0),
        (MaxPool(padding="same"), (7, 7, 16), (4, 4, 16), 0),
        (Dropout(rate=0.2), (100,), (100,), 0),
        (Flatten(), (4, 5, 6), (120,), 0),
        (Dense(units=10), (120,), (10,), 1_210),
        (Activation(), (9, 9, 2), (9, 9, 2), 0),
    ],
    ids=repr,
)
def test_layer_knows_its_output_and_its_parameters(layer, input_shape, output_shape, parameters):
    (row,) = layer_rows(network(layer), input_shape, classes=10)

    assert row.output_shape == output_shape
    assert row.parameters == parameters


def test_batch_norm_has_moving_statistics_that_are_not_trained():
    weights = BatchNorm().weights((7, 7, 16))

    assert set(weights) == {"gamma", "beta", "moving_mean", "moving_variance"}
    assert sum(math.prod(shape) for shape in weights.values()) == 64
    assert count_parameters(network(BatchNorm()), (7, 7, 16), classes=10) == 32


def test_classes_stand_for_the_number_of_classes():
    architecture = network(Flatten(), Dense(units=5), Dense(units="classes")).for_classes(24)

    assert [layer.units for layer in architecture.layers[1:]] == [5, 24]


def test_layers_are_numbered_among_their_kind():
    layers = (Dense(units=1), Activation(), Dense(units=2), Activation())

    assert [name for name, _ in named(layers)] == ["dense_1", "activation_1", "dense_2", "activation_2"]


def test_layers_of_a_residual_come_before_its_sum_and_bear_its_name():
    block = Residual(layers=(Convolution(filters=1), BatchNorm(), Activation(), Convolution(filters=1)))
    rows = layer_rows(network(Convolution(filters=1), block, Residual(layers=(BatchNorm(),))), **MNIST)

    assert [row.name for row in rows] == [
        "convolution_1",
        "residual_1/convolution_1",
        "residual_1/batch_norm_1",
        "residual_1/activation_1",
        "residual_1/convolution_2",
        "residual_1",
        "residual_2/batch_norm_1",
        "residual_2",
    ]
    assert [row.parameters for row in rows] == [10, 10, 2, 0, 10, 0, 2, 0]


def test_only_a_relu_right_before_a_pooling_moves():
    layers = [("a", Activation()), ("d", Dropout()), ("p", MaxPool()), ("s", Activation(function="softmax"))]
    layers += [("q", MaxPool()), ("r", Activation()), ("t", MaxPool())]

    assert "".join(name for name, _ in pool_before_relu(layers)) == "adpsqtr"


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            (Dense(units=10),),
            "tried, layer dense_1: A dense layer needs one row of numbers, received (28, 28, 1): "
            "put a flatten before it.",
        ),
        (
            (Flatten(), Convolution(filters=8)),
            "tried, layer convolution_1: A convolution needs an image (height, width, channels), received (784,).",
        ),
        (
            (Flatten(), MaxPool()),
            "tried, layer max_pool_1: A pooling needs an image (height, width, channels), received (784,).",
        ),
        (
            (*[MaxPool()] * 5,),
            "tried, layer max_pool_5: A pooling of 2×2 without padding does not fit into 1×1: "
            "use padding 'same', a smaller window, or remove a pooling before it.",
        ),
        (
            (Residual(layers=(Convolution(filters=8), Activation())),),
            "tried, layer residual_1: A residual adds its input, (28, 28, 1), to what its layers give, (28, 28, 8): "
            "give its last layer as many filters, and all of them stride 1 and padding 'same', or take a projection.",
        ),
        (
            (Residual(layers=(Convolution(filters=1, kernel=5), Dense(units=1))),),
            "tried, layer residual_1/dense_1: A dense layer needs one row of numbers, received (28, 28, 1): "
            "put a flatten before it.",
        ),
    ],
    ids=[
        "dense on an image",
        "convolution on a row",
        "pooling on a row",
        "pooled away",
        "unequal sum",
        "dense in a residual",
    ],
)
def test_network_that_cannot_be_built_is_refused(layers, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        layer_rows(network(*layers), **MNIST)


def test_rows_before_a_misfit_are_there():
    rows = iter_layer_rows(network(Convolution(filters=2), MaxPool(), Dense(units=5), Flatten()), **MNIST)

    assert [next(rows).name, next(rows).output_shape] == ["convolution_1", (14, 14, 2)]
    with pytest.raises(LayerError) as error:
        next(rows)
    assert error.value.layer == "dense_1"
    assert error.value.reason.startswith("A dense layer needs one row of numbers, received (14, 14, 2)")


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ((), "tried: It has nothing to learn: add a dense layer."),
        ((Flatten(), Activation()), "tried: It has nothing to learn: add a dense layer."),
        (
            (Flatten(), Dense(units=9), Activation()),
            "tried, layer activation_1: The last layer gives one number a class, (10,), here it gives (9,): "
            "end with a dense layer of one unit a class.",
        ),
        (
            (Convolution(filters=10),),
            "tried, layer convolution_1: The last layer gives one number a class, (10,), here it gives (28, 28, 10): "
            "end with a dense layer of one unit a class.",
        ),
        (
            (Dense(units="classes"),),
            "tried, layer dense_1: A dense layer needs one row of numbers, received (28, 28, 1): "
            "put a flatten before it.",
        ),
    ],
    ids=["empty", "nothing to learn", "other classes", "an image at the end", "does not fit"],
)
def test_network_that_cannot_tell_the_classes_apart_is_refused(layers, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        check_network(network(*layers), **MNIST)


def test_batch_of_one_image_is_refused_where_its_mean_would_take_all_of_it():
    flat, spread = (
        network(Flatten(), Dense(units=4), BatchNorm(), Dense(units="classes")),
        network(Convolution(filters=4), BatchNorm(), Flatten(), Dense(units="classes")),
    )

    with pytest.raises(
        ValueError, match=r"^Batch size \(--batch-size\): expected at least 2 with tried, received 1: batch_norm_1 "
    ):
        check_network(flat, **MNIST, batch_size=1)
    check_network(flat, **MNIST, batch_size=2)
    check_network(spread, **MNIST, batch_size=1)


@pytest.mark.parametrize(
    ("layer", "input_shape", "sentence"),
    [
        (Convolution(filters=64), (28, 28, 1), "3 × 3 × 1 × 64 weights + 64 biases = 640"),
        (Convolution(filters=32), (14, 14, 64), "3 × 3 × 64 × 32 weights + 32 biases = 18,464"),
        (Dense(units=100), (784,), "784 × 100 weights + 100 biases = 78,500"),
        (Dense(units="classes"), (1000,), "1,000 × 10 weights + 10 biases = 10,010"),
        (
            BatchNorm(),
            (7, 7, 16),
            "16 scales + 16 shifts = 32; 16 means and 16 variances are averaged, not learnt",
        ),
        *((layer, (4, 4, 2), "nothing to learn") for layer in (Flatten(), MaxPool(), Dropout(), Activation())),
    ],
    ids=repr,
)
def test_count_is_explained(layer, input_shape, sentence):
    (row,) = layer_rows(network(layer), input_shape, classes=10)

    assert explain_parameters(row) == sentence


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "convolution", "filters": 0},
        {"kind": "convolution", "filters": 8, "padding": "full"},
        {"kind": "dense", "units": "all"},
        {"kind": "dropout", "rate": 1},
        {"kind": "attention"},
        {"kind": "flatten", "order": "channels first"},
        {"kind": "residual", "layers": []},
        {"kind": "residual", "layers": [{"kind": "max_pool"}]},
    ],
    ids=repr,
)
def test_wrong_layer_is_refused(values):
    with pytest.raises(ValidationError):
        Architecture.model_validate({"name": "tried", "description": "", "layers": [values]})
