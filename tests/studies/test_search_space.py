"""What a search may vary: how it is typed, what is refused, and what it makes of a run."""

import re

import pytest

from core.config import RunConfig, configure
from core.networks.registry import get_architecture, names
from core.studies.search.space import Dimension, apply_settings, grid_point, grid_size, parse_dimension
from core.studies.search.specification import specify


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("batch-size", "32, 64,128", Dimension(name="batch_size", values=(32, 64, 128))),
        ("batch_size", "64,64,32", Dimension(name="batch_size", values=(64, 32))),
        ("learning_rate", "0.001..1:log", Dimension(name="learning_rate", low=0.001, high=1, log=True)),
        ("momentum", "0...9", Dimension(name="momentum", low=0, high=0.9)),
        ("batch-size", "16..256:log", Dimension(name="batch_size", low=16, high=256, log=True, whole=True)),
        ("optimizer", "sgd,adam", Dimension(name="optimizer", values=("sgd", "adam"))),
        ("nesterov", "true,false", Dimension(name="nesterov", values=(True, False))),
        ("warmup-epochs", "0,4", Dimension(name="warmup_epochs", values=(0.0, 4.0))),
        ("framework", "pytorch,tensorflow", Dimension(name="framework", values=("pytorch", "keras"))),
        ("filters", "16,32", Dimension(name="filters", values=(16, 32))),
        ("dropout", "0..0.5", Dimension(name="dropout", low=0, high=0.5)),
        ("dense_1.units", "50,100", Dimension(name="dense_1.units", values=(50, 100))),
    ],
)
def test_what_is_typed_is_understood(name, text, expected):
    assert parse_dimension(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("batchsize", "1,2", "Unknown setting 'batchsize': expected one of"),
        ("convolution_1.colour", "1,2", "Unknown setting 'convolution_1.colour'"),
        ("batch-size", "", "Batch size (--batch-size): expected values such as 32,64,128"),
        ("batch-size", "32,,64", "expected values such as"),
        (
            "batch-size",
            "32,many",
            "Batch size (--batch-size): expected a whole number from 1 to 8,192, received 'many'",
        ),
        ("batch-size", "0..64", "Batch size (--batch-size): expected a whole number from 1 to 8,192, received '0'"),
        ("batch-size", "1.5..64", "received '1.5'"),
        ("learning-rate", "1..0.1", "Learning rate (--learning-rate): the range is empty"),
        ("learning-rate", "1..1", "the range is empty"),
        ("learning-rate", "0.1..inf", "the range is empty"),
        ("learning-rate", "a..b", "expected a range of two numbers"),
        ("momentum", "0..0.9:log", "a logarithmic range lies above 0"),
        ("learning-rate", "0.1..1:cubic", "expected :log or :linear"),
        ("optimizer", "1..2", "Optimizer (--optimizer): a range needs numbers"),
        ("optimizer", "sgd,best", "Optimizer (--optimizer): expected one of"),
        ("filters", "0,16", "Filters, all layers (filters): expected a whole number from 1 to 4,096, received '0'"),
        ("dropout", "0..1", "expected a number from 0 to below 1, received '1'"),
        ("seed", "1,2", "Seed (--seed) cannot be varied"),
        ("validation-part", "test,last", "cannot be varied"),
    ],
)
def test_what_cannot_be_varied_is_refused_in_a_sentence(name, text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_dimension(name, text)


@pytest.mark.parametrize(
    ("vary", "options", "sentence"),
    [
        ([], {}, "expected at least one NAME=VALUES"),
        (["batch-size"], {}, "expected NAME=VALUES"),
        (["batch-size=1,2", "batch_size=3"], {}, "received batch_size twice"),
        (["framework=keras"], {"pairs": True}, "not both"),
        (["batch-size=32"], {"seeds": 0}, "Seeds (--seeds): expected a whole number from 1 to 20"),
        (["batch-size=32"], {"trials": 0}, "Trials (--trials): expected a whole number"),
        (["batch-size=32"], {"minutes": float("nan")}, "Minutes (--minutes): expected a number above 0"),
        (["dropout=0,0.5"], {}, "ann-100 has no such layer to vary: its layers are dense_1"),
        (["architecture=cnn-64-32-32,no-such"], {}, "Network (--architecture)"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(vary, options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        specify(configure(architecture="ann-100"), vary, **options)


def test_what_is_not_said_follows_from_what_is_varied():
    of_lists, of_ranges = specify(RunConfig(), ["batch-size=32,64"]), specify(RunConfig(), ["learning-rate=0.1..1"])

    assert (of_lists.sampler, of_lists.trials, of_lists.size) == ("grid", None, 2)
    assert (of_ranges.sampler, of_ranges.trials, of_ranges.size) == ("tpe", 20, None)
    assert specify(RunConfig(), ["learning-rate=0.1..1"], minutes=5).trials is None
    assert specify(RunConfig(), ["batch-size=1..8192", "momentum=0..0.9"], sampler="grid").size == 25


def test_a_sample_is_from_all_over_the_space_but_for_the_layers():
    search = specify(RunConfig(), ["units=16,32", "epochs=1,2,3", "batch-size=32,64"], pairs=True)

    sampled = search.sample(3)

    assert [[config.framework for config in pair] for pair in sampled] == [["pytorch", "keras"]] * 3
    assert [(pair[0].epochs, pair[0].batch_size) for pair in sampled] == [(1, 32), (2, 32), (3, 64)]
    assert {pair[0].architecture for pair in sampled} == {RunConfig().architecture}
    assert len(specify(RunConfig(), ["units=16,32"]).sample(3)) == 1


@pytest.mark.parametrize(
    ("vary", "budget", "trials"),
    [
        ("batch-size=32,64,128", {}, 3),
        ("batch-size=32,64,128", {"trials": 2}, 2),
        ("learning-rate=0.1..1", {"trials": 7}, 7),
        ("learning-rate=0.1..1", {"minutes": 5}, None),
    ],
)
def test_the_most_trials_are_those_of_the_space_or_the_budget(vary, budget, trials):
    assert specify(RunConfig(), [vary], **budget).most_trials == trials


def test_the_test_images_never_choose():
    with pytest.raises(ValueError, match="must not be measured on the test images"):
        specify(configure(validation_part="test"), ["batch-size=32,64"])


def test_a_grid_has_every_combination_once():
    space = [parse_dimension("batch-size", "32,64"), parse_dimension("learning-rate", "0.001..0.1:log")]

    points = [grid_point(space, number) for number in range(grid_size(space))]

    assert len({tuple(point.values()) for point in points}) == 10
    assert points[0] == {"batch_size": 32, "learning_rate": 0.001}
    assert [point["learning_rate"] for point in points[:5]] == [0.001, 0.00316228, 0.01, 0.0316228, 0.1]
    assert points[-1] == {"batch_size": 64, "learning_rate": 0.1}


def test_settings_of_layers_make_a_network_that_is_on_no_list():
    before = names()

    config = apply_settings(RunConfig(), {"batch_size": 32, "filters": 8, "convolution_2.kernel": 5})

    assert config.batch_size == 32
    network = get_architecture(config.architecture)
    convolutions = [layer for layer in network.layers if layer.kind == "convolution"]
    assert {layer.filters for layer in convolutions} == {8}
    assert [layer.kernel for layer in convolutions] == [3, 5, *[3] * (len(convolutions) - 2)]
    assert network.description == "cnn-64-32-32 with filters=8, convolution_2.kernel=5."
    assert names() == before
    again = apply_settings(RunConfig(), {"convolution_2.kernel": 5, "filters": 8})
    assert again.architecture == config.architecture


def test_the_last_layer_keeps_a_unit_a_class():
    config = apply_settings(configure(architecture="ann-100"), {"units": 30})

    units = [layer.units for layer in get_architecture(config.architecture).layers if layer.kind == "dense"]

    assert units == [30, "classes"]
