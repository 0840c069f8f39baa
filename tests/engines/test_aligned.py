"""Aligned defaults and float64: both engines compute the same algorithm, step by step, to the last digits."""

import numpy as np
import pytest

from core.config import FRAMEWORK_TITLES, LEARNING_RATES, configure
from core.config.optimizers import OPTIMIZERS
from core.engines import get_engine
from core.networks.layers import Activation, BatchNorm, Convolution, Dense, Flatten, MaxPool
from tests.sample_networks import draw_data, draw_weights, network

SHAPE, CLASSES, BATCH = (7, 9, 1), 5, 8
NETWORK = network(
    *(Convolution(filters=4), BatchNorm(), Activation(), MaxPool(padding="same")),
    *(Flatten(), Dense(units=6), BatchNorm(momentum=0.7), Activation()),
)
BATCHES = np.random.default_rng(5).integers(0, 64, (12, BATCH))

MANY_BATCHES = np.random.default_rng(6).integers(0, 64, (188, BATCH))
"""With those above, 200."""

each_framework = pytest.mark.parametrize("framework", FRAMEWORK_TITLES)


def build(framework: str, **settings):
    engine = get_engine(framework).Engine(configure(framework=framework, **settings), NETWORK, SHAPE, CLASSES)
    engine.load_weights(draw_weights(NETWORK, SHAPE, CLASSES))
    engine.load_data(*draw_data(SHAPE, CLASSES, 64))
    return engine


def without_idle_biases(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave out the biases right before a batch norm, and the means in which it takes them off again.

    Without effect, such a bias has a gradient of nothing but rounding. What divides a gradient by its own size makes
    steps of that: the smaller its epsilon, the longer.
    """
    idle = ("convolution_1/bias", "dense_1/bias", "batch_norm_1/moving_mean", "batch_norm_2/moving_mean")
    assert set(idle) < set(weights)
    return {name: values for name, values in weights.items() if name not in idle}


def greatest_difference(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> float:
    assert first.keys() == second.keys()
    return max(np.abs(first[name] - second[name]).max() for name in first)


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_aligned_engines_take_the_same_steps(optimizer):
    settings = {"optimizer": optimizer, "learning_rate": LEARNING_RATES[optimizer], "precision": "float64"}
    aligned = [build(framework, defaults="aligned", **settings) for framework in FRAMEWORK_TITLES]
    losses = [engine.train(BATCHES).losses for engine in aligned]
    weights = [engine.weights() for engine in aligned]

    assert losses[0] == pytest.approx(losses[1], rel=1e-13)
    assert {values.dtype for values in weights[0].values()} == {np.dtype(np.float64)}
    assert greatest_difference(*map(without_idle_biases, weights)) < 1e-9

    losses = [engine.train(MANY_BATCHES).losses for engine in aligned]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)

    if any(row.decided_by == "defaults" for row in OPTIMIZERS[optimizer].framework_defaults):
        own = [build(framework, **settings) for framework in FRAMEWORK_TITLES]
        for engine in own:
            engine.train(BATCHES)
        difference = greatest_difference(*(engine.weights() for engine in own))
        assert difference > 100 * greatest_difference(*map(without_idle_biases, weights)), "there was nothing to align"


def test_aligned_engines_take_a_last_batch_of_one_image():
    """A batch norm then sees one value a channel, after a dense layer as here."""
    chunks, weights = [], []
    for framework in FRAMEWORK_TITLES:
        engine = build(framework, precision="float64", defaults="aligned")
        engine.train(BATCHES[:2])
        chunks.append(engine.train(BATCHES[2:3, :1]))
        weights.append(engine.weights())

    assert chunks[0].losses == pytest.approx(chunks[1].losses, rel=1e-12)
    assert chunks[0].gradient_norm == pytest.approx(chunks[1].gradient_norm, rel=1e-12)
    assert greatest_difference(*weights) < 1e-12


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_aligned_engines_agree_in_float32_but_for_rounding(optimizer):
    settings = {"optimizer": optimizer, "learning_rate": LEARNING_RATES[optimizer], "defaults": "aligned"}
    losses = [build(framework, **settings).train(BATCHES).losses for framework in FRAMEWORK_TITLES]

    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_aligned_engines_agree_with_all_settings_on(optimizer):
    settings = {"label_smoothing": 0.1, "clip_norm": 0.5, "ema_decay": 0.9, "weight_decay": 0.01, "nesterov": True}
    settings = {"optimizer": optimizer, "precision": "float64", "defaults": "aligned", **settings}
    class_weights, rates = np.array([0.2, 1.5, 1.0, 0.7, 1.6]), LEARNING_RATES[optimizer] * np.geomspace(1, 0.01, 12)
    chunks, weights, logits = [], [], []
    for framework in FRAMEWORK_TITLES:
        engine = build(framework, **settings)
        engine.load_data(*draw_data(SHAPE, CLASSES, 64), class_weights)
        chunks.append(engine.train(BATCHES, rates))
        weights.append(engine.weights())
        logits.append(engine.predict(draw_data(SHAPE, CLASSES, 9)[0]))

    assert chunks[0].losses == pytest.approx(chunks[1].losses, rel=1e-9)
    assert chunks[0].gradient_norm == pytest.approx(chunks[1].gradient_norm, rel=1e-9)
    assert greatest_difference(*weights) < 1e-9
    np.testing.assert_allclose(*logits, rtol=0, atol=1e-9)


@each_framework
def test_gradients_are_those_of_the_next_step(framework):
    """Without momentum, one step's change of the weights is the gradient times the rate."""
    engine = build(framework, momentum=0, learning_rate=0.5, precision="float64", defaults="aligned")
    before = engine.weights()

    gradients = engine.gradients(BATCHES[0])

    assert greatest_difference(engine.weights(), before) == 0
    engine.train(BATCHES[:1])
    after = engine.weights()
    assert gradients.keys() == {name for name in before if "moving" not in name}
    for name, gradient in gradients.items():
        np.testing.assert_allclose(after[name], before[name] - 0.5 * gradient, rtol=0, atol=1e-12, err_msg=name)


@each_framework
def test_precisions_do_not_mix(framework):
    """One process may hold engines of both, whichever was built last."""
    double, single = build(framework, precision="float64"), build(framework)
    images, _ = draw_data(SHAPE, CLASSES, 3)

    double.train(BATCHES[:1])
    single.train(BATCHES[:1])

    assert double.predict(images).dtype == np.float64
    assert single.predict(images).dtype == np.float32
    np.testing.assert_allclose(double.predict(images), single.predict(images), rtol=0, atol=1e-4)
    assert np.abs(double.predict(images) - single.predict(images)).max() > 1e-9, "both compute in float32"
