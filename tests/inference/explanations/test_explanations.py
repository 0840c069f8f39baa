"""Explanations: the same in both frameworks and as captum's, complete, and right where the reason is known."""

from functools import cache

import captum.attr
import numpy as np
import pytest
import torch

from core.config import FRAMEWORK_TITLES, configure
from core.datasets import load
from core.engines import get_engine
from core.engines.normalization import FIXED
from core.inference.explanations import (
    METHODS,
    agreement,
    choose_layer,
    explain,
    get_method,
    layers_to_look_at,
    overlay,
)
from core.inference.explanations.methods.integrated_gradients import integrated_gradients
from core.inference.explanations.methods.occlusion import occlusion
from core.networks.layers import Architecture, Dense, Flatten
from core.networks.zoo import ARCHITECTURES
from core.training.checkpoints import Description
from tests.sample_networks import NETWORKS, draw_data, draw_weights

each_framework = pytest.mark.parametrize("framework", list(FRAMEWORK_TITLES))
NAMES = ("cnn-64-32-32", "valid padding", "overlapping pooling")
"""One as it is trained, one with colours, one whose activations and poolings change places."""


@cache
def engine_of(framework: str, name: str):
    architecture, shape = NETWORKS[name]
    engine = get_engine(framework).Engine(configure(framework=framework), architecture, shape, 10)
    engine.load_weights(draw_weights(architecture, shape, 10))
    return engine


def description_of(name: str) -> Description:
    architecture, shape = NETWORKS[name]
    return described(architecture, shape)


def described(architecture: Architecture, shape: tuple[int, int, int]) -> Description:
    return Description(
        config=configure(),
        architecture=architecture,
        input_shape=shape,
        class_names=tuple("0123456789"),
        preparation="photo",
        fingerprint="",
    )


def image_for(name: str) -> np.ndarray:
    return draw_data(NETWORKS[name][1], 10, 1)[0][0]


def network_of_torch(name: str):
    """PyTorch's module as captum takes it: from channels-first pixels to logits."""
    engine = engine_of("pytorch", name)
    engine._model.eval()
    scale, offset = (torch.tensor(values).reshape(-1, 1, 1) for values in FIXED["unit"])
    return lambda pixels: engine._model(pixels * scale + offset)


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    return torch.tensor(pixels, dtype=torch.float32).permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_frameworks_explain_the_same_weights_alike(method, name):
    labels = (3,) if METHODS[method].is_signed else range(10)  # a map is empty where nothing speaks for a class
    found = [
        np.concatenate(
            [
                explain(engine_of(framework, name), description_of(name), image_for(name), method, label)
                for label in labels
            ]
        )
        for framework in FRAMEWORK_TITLES
    ]

    height, width, _ = NETWORKS[name][1]
    assert found[0].shape == (len(labels) * height, width)
    assert np.abs(found[0]).max() > 0
    assert METHODS[method].is_signed or found[0].min() >= 0
    np.testing.assert_allclose(*found, atol=1e-4 * max(1, np.abs(found[0]).max()))


@each_framework
@pytest.mark.parametrize("name", NAMES)
def test_integrated_gradients_add_up_to_the_difference_of_the_outputs(framework, name):
    engine, pixels = engine_of(framework, name), image_for(name)
    black, output = engine.predict(np.stack([np.zeros_like(pixels), pixels]))[:, 3]

    found = explain(engine, description_of(name), pixels, "integrated-gradients", label=3)

    assert found.sum() == pytest.approx(output - black, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_integrated_gradients_are_captums(name):
    pixels = image_for(name)
    theirs = captum.attr.IntegratedGradients(network_of_torch(name)).attribute(
        channels_first(pixels), target=3, n_steps=50, method="gausslegendre"
    )

    ours = integrated_gradients(engine_of("pytorch", name), pixels, label=3, steps=50)

    np.testing.assert_allclose(ours.transpose(2, 0, 1), theirs[0].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_occlusion_is_captums(name):
    pixels = image_for(name)
    theirs = captum.attr.Occlusion(network_of_torch(name)).attribute(
        channels_first(pixels), (pixels.shape[2], 4, 4), baselines=0, target=3
    )

    ours = occlusion(engine_of("pytorch", name), pixels, 3, 4, 1, np.zeros(pixels.shape[2], np.uint8))

    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_grad_cam_is_captums(name):
    engine, pixels = engine_of("pytorch", name), image_for(name)
    layer = layers_to_look_at(description_of(name))[0]
    network = network_of_torch(name)
    module = torch.nn.Module()
    module.forward = network
    theirs = captum.attr.LayerGradCam(module, engine._layers[layer]).attribute(
        channels_first(pixels), target=3, relu_attributions=True
    )

    values, gradients = engine.output_gradients(pixels[None].astype(np.float32), np.array([3]), layer)

    ours = np.maximum((values[0] * gradients[0].mean(axis=(0, 1))).sum(axis=2), 0)
    np.testing.assert_allclose(ours, theirs[0, 0].detach().numpy(), atol=1e-5)


@each_framework
def test_occlusion_finds_the_strokes_that_tell_an_eight_from_a_three(framework):
    pixels = np.zeros((28, 28, 1), np.uint8)
    pixels[4:24, 18:21] = pixels[[4, 5, 13, 14, 22, 23], 8:21] = 255  # a three, of straight strokes
    pixels[4:24, 8:11] = 255  # what makes it an eight
    closing = np.zeros((28, 28), bool)
    closing[6:22, 8:11] = True
    architecture = Architecture(name="made", description="", layers=(Flatten(), Dense(units="classes")))
    kernel = np.zeros((784, 10), np.float32)
    kernel[:, 8] = closing.ravel()  # an eight is closed on the left
    kernel[closing.ravel(), 3] = -1
    engine = get_engine(framework).Engine(configure(framework=framework), architecture, (28, 28, 1), 10)
    engine.load_weights({"dense_1/kernel": kernel, "dense_1/bias": np.zeros(10, np.float32)})

    for method in ("occlusion", "integrated-gradients"):
        found = explain(engine, described(architecture, (28, 28, 1)), pixels, method, label=8)

        assert closing[np.unravel_index(found.argmax(), found.shape)]
        assert found[closing].min() > 0
        assert found[:, 15:] == pytest.approx(0, abs=1e-6)
        against = explain(engine, described(architecture, (28, 28, 1)), pixels, method, label=3)
        np.testing.assert_allclose(against, -found, atol=1e-4)


def test_a_layer_can_be_chosen_and_a_wrong_one_gets_a_sentence():
    about, method = description_of("cnn-64-32-32"), get_method("layer-cam")
    layers = layers_to_look_at(about)
    assert choose_layer(about, method, None) == layers[-1]
    assert choose_layer(about, method, layers[0]) == layers[0]
    assert choose_layer(about, get_method("occlusion"), layers[0]) is None
    with pytest.raises(ValueError, match=r"Layer \(--layer\): expected one of convolution_1, .*received 'dense_1'"):
        choose_layer(about, method, "dense_1")
    with pytest.raises(ValueError, match="needs a convolution, and ann-100 has none"):
        choose_layer(described(ARCHITECTURES["ann-100"], (28, 28, 1)), method, None)
    with pytest.raises(ValueError, match=r"Method \(--method\): expected one of integrated-gradients, occlusion"):
        get_method("tea leaves")


def test_agreement_is_1_for_the_same_and_chance_for_noise():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(28, 28))

    assert agreement(values, 2 * values) == (pytest.approx(1), 1)
    assert agreement(values, -values).correlation == pytest.approx(-1)
    unrelated = agreement(values, generator.normal(size=(28, 28)))
    assert abs(unrelated.correlation) < 0.15
    assert unrelated.overlap < 0.3
    assert np.isnan(agreement(values, np.zeros((28, 28))).correlation)


def test_an_overlay_is_orange_for_purple_against_and_the_image_elsewhere():
    pixels = load("mnist").test.images[0]
    values = np.zeros((28, 28))
    values[0, 0], values[0, 1] = 2, -1

    picture = overlay(pixels, values)

    assert picture.shape == (280, 280, 3)
    red, _, blue = picture[5, 5].astype(int)
    assert red > blue + 100
    red, _, blue = picture[5, 15].astype(int)
    assert blue > red
    np.testing.assert_array_equal(picture[5::10, 5::10][2:], pixels.repeat(3, axis=2)[2:])
