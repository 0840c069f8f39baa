"""Pretrained networks: the same numbers as their publisher's own code, and a sentence where they do not fit."""

import json

import numpy as np
import pytest

from core.config import PRETRAINED_NETWORKS, configure, is_used
from core.networks.layers import check_network, count_parameters, layer_rows
from core.networks.pretrained import PRETRAINED, check_pretrained, recommend_pretrained
from core.networks.registry import get_architecture, names


def test_what_a_form_knows_of_is_what_there_is():
    assert set(PRETRAINED_NETWORKS) == set(PRETRAINED)
    assert set(PRETRAINED) < set(names())


@pytest.mark.parametrize("name", PRETRAINED)
def test_its_layers_are_a_network_for_any_classes(name):
    known = PRETRAINED[name]

    check_network(get_architecture(name), known.input_shape, 3)
    assert layer_rows(known.architecture, known.input_shape, 3)[-1].output_shape == (3,)
    starts = [known.trainable_from(part) for part in ("all", "last", "head")]
    assert 0 == starts[0] < starts[1] < starts[2] < len(known.architecture.layers)


def test_efficientnet_lite0_has_the_published_size():
    known = PRETRAINED["efficientnet-lite0"]

    assert count_parameters(known.architecture, known.input_shape, 1000) == 4_652_008
    multiplications = sum(row.multiplications for row in layer_rows(known.architecture, known.input_shape, 1000))
    assert multiplications == pytest.approx(407e6, rel=0.06)  # as Google tells


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((224, 224, 1), "this data set's are grey"),
        ((28, 28, 3), "at least 32 pixels a side, this data set's have 28×28"),
    ],
)
def test_images_that_its_weights_do_not_take_are_refused(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_pretrained("efficientnet-lite0", shape)
    check_pretrained("efficientnet-lite0", (64, 48, 3))
    check_pretrained("cnn-quick", shape)


def test_weights_of_another_network_are_refused():
    known = PRETRAINED["efficientnet-lite0"]
    with pytest.raises(ValueError, match="expected 247 weights, received 1"):
        known.canonical({"_conv_stem.weight": np.zeros((32, 3, 3, 3), np.float32)})


def test_it_has_the_scaling_that_it_was_trained_with():
    config = configure(architecture="efficientnet-lite0", normalization="unit")

    assert config.normalization == "symmetric"
    assert not is_used("normalization", config.model_dump())
    assert is_used("fine_tuning", config.model_dump())
    assert not is_used("fine_tuning", configure().model_dump())


def test_what_is_frozen_sees_no_augmented_images():
    with pytest.raises(ValueError, match=r"^Fine-tuning \(--fine-tuning\): expected all where images are augmented"):
        configure(architecture="efficientnet-lite0", rotation=5)
    configure(architecture="efficientnet-lite0", rotation=5, fine_tuning="all")
    assert json.loads(configure(rotation=5).model_dump_json())["rotation"] == 5


def test_it_is_recommended_for_few_photographs():
    sentence = recommend_pretrained("cnn-quick", 96, (224, 224, 3))

    assert sentence.startswith("From 96 photographs, efficientnet-lite0 learns more")
    assert "imported" not in sentence
    assert "once they are imported with 224 pixels a side" in recommend_pretrained("cnn-quick", 96, (32, 32, 3))
    assert recommend_pretrained("cnn-quick", 96, (224, 224, 1)) is None
    assert recommend_pretrained("efficientnet-lite0", 96, (224, 224, 3)) is None
    assert recommend_pretrained("cnn-quick", 50_000, (224, 224, 3)) is None
