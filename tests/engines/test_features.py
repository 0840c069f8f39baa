"""What goes into the last layer, which tells how near an image is to others: the same in both frameworks."""

import numpy as np
import pytest

from core.config import configure
from core.engines import get_engine
from core.networks.layers import Architecture, Convolution, Dense, Flatten, GlobalAveragePool
from core.networks.zoo import ARCHITECTURES

SHAPE = (28, 28, 1)

LINEAR = Architecture(name="linear", description="", layers=(Flatten(), Dense(units="classes")))
NO_DENSE = Architecture(
    name="no-dense",
    description="",
    layers=(Convolution(filters=3), Convolution(filters=10), GlobalAveragePool()),
)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, *SHAPE), dtype=np.uint8)


def engines(architecture: Architecture, **settings):
    first, second = (
        get_engine(framework).Engine(configure(framework=framework, **settings), architecture, SHAPE, 10)
        for framework in ("pytorch", "keras")
    )
    second.load_weights(first.weights())
    return first, second


@pytest.mark.parametrize(
    "architecture",
    [ARCHITECTURES["ann-100"], ARCHITECTURES["cnn-balanced"], LINEAR, NO_DENSE],
    ids=lambda architecture: architecture.name,
)
def test_both_frameworks_give_the_same(architecture, images):
    one, other = (engine.features(images) for engine in engines(architecture))

    assert one.dtype == other.dtype == np.float32
    assert len(one) == len(images)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_last_layer_makes_the_logits_of_them(images):
    for engine in engines(ARCHITECTURES["cnn-balanced"], ema_decay=0.9):
        weights = engine.weights()
        kernel, bias = (
            next(values for name, values in weights.items() if name.endswith(key) and values.shape[-1] == 10)
            for key in ("/kernel", "/bias")
        )
        np.testing.assert_allclose(engine.features(images) @ kernel + bias, engine.predict(images), rtol=0, atol=1e-4)


def test_without_a_hidden_layer_they_are_the_pixels(images):
    for engine in engines(LINEAR, normalization="unit"):
        np.testing.assert_allclose(engine.features(images), images.reshape(7, -1) / 255, rtol=0, atol=1e-6)


def test_channels_come_last_as_in_the_canonical_layout(images):
    for engine in engines(NO_DENSE):
        assert engine.features(images).shape == (7, 28 * 28 * 3)
