"""Each setting does what its name says: the engine beside the framework's own code for the same, written plainly.

The plain loops compute in float64 on the same batches, at the same rates, from the same weights. With aligned
defaults both engines are held to PyTorch's optimizers with the arguments that the methods' papers have.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from core.config import (
    FRAMEWORK_TITLES,
    LEARNING_RATES,
    OPTIMIZER_FIELDS,
    Framework,
    Optimizer,
    choices_of,
    configure,
)
from core.config.optimizers import OPTIMIZERS
from core.engines import get_engine
from core.engines.averaging import averaging_decay
from core.networks.layers import Activation, BatchNorm, Convolution, Dense, Dropout, Flatten
from tests.sample_networks import draw_data, draw_weights, network

SHAPE, INPUTS, HIDDEN, CLASSES = (3, 3, 1), 9, 6, 5
NETWORK = network(Flatten(), Dense(units=HIDDEN), Activation())
BATCHES = np.random.default_rng(5).integers(0, 40, (6, 8))
RATES = 0.05 * np.array([1, 1, 0.5, 2, 0.1, 0.7])
CLASS_WEIGHTS = np.array([0.3, 2.5, 1.0, 0.7, 1.5])
IMAGES, LABELS = draw_data(SHAPE, CLASSES, 40)
START = draw_weights(NETWORK, SHAPE, CLASSES)
MOMENTUM = np.float64(0.9)
"""Keras takes a float of Python's for float32, and rounds it."""

PIXELS = IMAGES.reshape(40, INPUTS) / 255

each_framework = pytest.mark.parametrize("framework", FRAMEWORK_TITLES)

Weights = dict[str, np.ndarray]


def build(framework: Framework, *, class_weights: np.ndarray | None = None, **settings: object):
    engine = get_engine(framework).Engine(configure(framework=framework, **settings), NETWORK, SHAPE, CLASSES)
    engine.load_weights(START)
    engine.load_data(IMAGES, LABELS, class_weights)
    return engine


def trained(framework: Framework, *, class_weights: np.ndarray | None = None, **settings: object) -> Weights:
    """Return an engine's weights after all batches, computed in float64."""
    engine = build(framework, class_weights=class_weights, precision="float64", **settings)
    engine.train(BATCHES, RATES)
    return engine.weights()


def assert_same(found: Weights, expected: Weights, tolerance: float = 1e-12) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert np.abs(values - START[name]).max() > 1e-4, "nothing was learnt"
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance, err_msg=name)


def pytorch_model(dtype: str = "float64"):
    torch = get_engine("pytorch").torch
    model = torch.nn.Sequential(torch.nn.Linear(INPUTS, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES)).to(
        getattr(torch, dtype)
    )
    keys = ("0.weight", "0.bias", "2.weight", "2.bias")
    model.load_state_dict({key: torch.tensor(START[name].T) for key, name in zip(keys, START, strict=True)})
    return model


def by_pytorch(make: Callable, loss: Callable | None = None, clip_norm: float = 0) -> Weights:
    """Train as a plain loop of PyTorch does; `make` gives the optimizer of `torch.optim` and parameters."""
    torch = get_engine("pytorch").torch
    loss = loss or torch.nn.CrossEntropyLoss()
    model = pytorch_model()
    optimizer = make(torch.optim, model.parameters())
    for batch, rate in zip(BATCHES, RATES, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss(model(torch.tensor(PIXELS[batch])), torch.tensor(LABELS[batch])).backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
    return {name: tensor.detach().numpy().T for name, tensor in zip(START, model.parameters(), strict=True)}


def keras_model(policy: str = "float64"):
    keras = get_engine("keras").keras
    keras.config.set_floatx("float32" if policy == "mixed_bfloat16" else policy)
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential(
        [keras.Input((INPUTS,)), keras.layers.Dense(HIDDEN, activation="relu"), keras.layers.Dense(CLASSES)]
    )
    model.set_weights(list(START.values()))
    return model


def by_keras(make: Callable, *, label_smoothing: float = 0, class_weight: dict[int, float] | None = None) -> Weights:
    """Train with `compile` and `train_on_batch`; `make` gives the optimizer of `keras.optimizers`."""
    keras = get_engine("keras").keras
    model = keras_model()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    model.compile(make(keras.optimizers), loss, run_eagerly=True)
    for batch, rate in zip(BATCHES, RATES, strict=True):
        model.optimizer.learning_rate = rate
        model.train_on_batch(PIXELS[batch], np.eye(CLASSES)[LABELS[batch]], class_weight=class_weight)
    return dict(zip(START, model.get_weights(), strict=True))


class Case(NamedTuple):
    """Settings of an optimizer, and the framework's own that is to do the same."""

    optimizer: Optimizer
    settings: dict[str, Any]
    pytorch: Callable
    keras: Callable
    aligned: Callable


CASES = {
    "sgd": Case(
        "sgd",
        {},
        lambda optim, weights: optim.SGD(weights, momentum=0.9),
        lambda optimizers: optimizers.SGD(momentum=MOMENTUM),
        lambda optim, weights: optim.SGD(weights, momentum=0.9),
    ),
    "sgd without momentum": Case(
        "sgd",
        {"momentum": 0, "weight_decay": 0.1},
        lambda optim, weights: optim.SGD(weights, weight_decay=0.1),
        lambda optimizers: optimizers.SGD(weight_decay=0.1),
        lambda optim, weights: optim.SGD(weights, weight_decay=0.1),
    ),
    "sgd with nesterov and weight decay": Case(
        "sgd",
        {"momentum": 0.7, "nesterov": True, "weight_decay": 0.1},
        lambda optim, weights: optim.SGD(weights, momentum=0.7, nesterov=True, weight_decay=0.1),
        lambda optimizers: optimizers.SGD(momentum=np.float64(0.7), nesterov=True, weight_decay=0.1),
        lambda optim, weights: optim.SGD(weights, momentum=0.7, nesterov=True, weight_decay=0.1),
    ),
    "adam": Case(
        "adam",
        {},
        lambda optim, weights: optim.Adam(weights),
        lambda optimizers: optimizers.Adam(),
        lambda optim, weights: optim.Adam(weights),
    ),
    "adam with its own": Case(
        "adam",
        {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1},
        lambda optim, weights: optim.Adam(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
        lambda optimizers: optimizers.Adam(beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1),
        lambda optim, weights: optim.Adam(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
    "adamw": Case(
        "adamw",
        {"weight_decay": 0.01},
        lambda optim, weights: optim.AdamW(weights, weight_decay=0.01),
        lambda optimizers: optimizers.AdamW(weight_decay=0.01),
        lambda optim, weights: optim.AdamW(weights, weight_decay=0.01),
    ),
    "adamw with its own": Case(
        "adamw",
        {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1},
        lambda optim, weights: optim.AdamW(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
        lambda optimizers: optimizers.AdamW(beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1),
        lambda optim, weights: optim.AdamW(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
    "rmsprop": Case(
        "rmsprop",
        {},
        lambda optim, weights: optim.RMSprop(weights),
        lambda optimizers: optimizers.RMSprop(),
        lambda optim, weights: optim.RMSprop(weights, alpha=0.9),
    ),
    "rmsprop with its own": Case(
        "rmsprop",
        {"rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1},
        lambda optim, weights: optim.RMSprop(weights, alpha=0.8, eps=1e-3, weight_decay=0.1),
        lambda optimizers: optimizers.RMSprop(rho=0.8, epsilon=1e-3, weight_decay=0.1),
        lambda optim, weights: optim.RMSprop(weights, alpha=0.8, eps=1e-3, weight_decay=0.1),
    ),
    "adadelta": Case(
        "adadelta",
        {},
        lambda optim, weights: optim.Adadelta(weights),
        lambda optimizers: optimizers.Adadelta(),
        lambda optim, weights: optim.Adadelta(weights, rho=0.95),
    ),
    "adadelta with its own": Case(
        "adadelta",
        {"rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1},
        lambda optim, weights: optim.Adadelta(weights, rho=0.8, eps=1e-3, weight_decay=0.1),
        lambda optimizers: optimizers.Adadelta(rho=0.8, epsilon=1e-3, weight_decay=0.1),
        lambda optim, weights: optim.Adadelta(weights, rho=0.8, eps=1e-3, weight_decay=0.1),
    ),
    "adagrad": Case(
        "adagrad",
        {},
        lambda optim, weights: optim.Adagrad(weights),
        lambda optimizers: optimizers.Adagrad(),
        lambda optim, weights: optim.Adagrad(weights),
    ),
    "adagrad with its own": Case(
        "adagrad",
        {"epsilon": 1e-3, "weight_decay": 0.1},
        lambda optim, weights: optim.Adagrad(weights, eps=1e-3, weight_decay=0.1),
        lambda optimizers: optimizers.Adagrad(epsilon=1e-3, weight_decay=0.1),
        lambda optim, weights: optim.Adagrad(weights, eps=1e-3, weight_decay=0.1),
    ),
    "adamax": Case(
        "adamax",
        {},
        lambda optim, weights: optim.Adamax(weights),
        lambda optimizers: optimizers.Adamax(),
        lambda optim, weights: optim.Adamax(weights),
    ),
    "adamax with its own": Case(
        "adamax",
        {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1},
        lambda optim, weights: optim.Adamax(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
        lambda optimizers: optimizers.Adamax(beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1),
        lambda optim, weights: optim.Adamax(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.mark.parametrize("optimizer", sorted({case.optimizer for case in CASES.values()}))
def test_every_setting_of_an_optimizer_is_tried(optimizer):
    tried = {name for case in CASES.values() if case.optimizer == optimizer for name in case.settings}

    assert tried == {*OPTIMIZER_FIELDS[optimizer], "weight_decay"}


@each_case
@each_framework
def test_optimizer_is_the_frameworks_own(framework, case):
    found = trained(framework, optimizer=case.optimizer, **case.settings)

    assert_same(found, by_pytorch(case.pytorch) if framework == "pytorch" else by_keras(case.keras))


@each_case
@each_framework
def test_aligned_optimizer_is_the_methods_own(framework, case):
    found = trained(framework, optimizer=case.optimizer, defaults="aligned", **case.settings)

    assert_same(found, by_pytorch(case.aligned), 1e-9)


TRIED = {
    **{"momentum": MOMENTUM, "nesterov": True, "beta_1": 0.8, "beta_2": 0.95, "rho": 0.8, "epsilon": 1e-3},
    **{"weight_decay": 0.1},
}
"""A value for every setting that an optimizer may have of its own, none of them a default."""


@each_framework
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_setting_reaches_the_frameworks_own(framework, optimizer):
    """The entry's arguments, by their names, given to the framework's class in a plain loop."""
    entry, given = OPTIMIZERS[optimizer], {"weight_decay": [TRIED["weight_decay"]]}
    for argument in entry.arguments:
        if argument.setting:
            given.setdefault(getattr(argument, framework), []).append(TRIED[argument.setting])
    arguments = {name: values[0] if len(values) == 1 else tuple(values) for name, values in given.items()}

    found = trained(framework, optimizer=optimizer, **{name: TRIED[name] for name in (*entry.settings, "weight_decay")})

    if framework == "pytorch":
        assert_same(found, by_pytorch(lambda optim, weights: getattr(optim, entry.pytorch)(weights, **arguments)))
    else:
        assert_same(found, by_keras(lambda optimizers: getattr(optimizers, entry.keras)(**arguments)))


@each_framework
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("defaults", choices_of("defaults"))
def test_every_optimizer_learns_at_its_usual_rate(framework, optimizer, defaults):
    engine = build(framework, optimizer=optimizer, learning_rate=LEARNING_RATES[optimizer], defaults=defaults)

    losses = engine.train(np.tile(np.arange(40), (200, 1))).losses

    assert losses[-1] < 0.98 * losses[0]


@each_framework
def test_nesterov_is_for_sgd_only(framework):
    assert_same(trained(framework, optimizer="adam", nesterov=True), trained(framework, optimizer="adam"), 0)


@each_framework
def test_label_smoothing_is_the_frameworks_own(framework):
    found = trained(framework, label_smoothing=0.2)

    if framework == "pytorch":
        loss = get_engine("pytorch").torch.nn.CrossEntropyLoss(label_smoothing=0.2)
        expected = by_pytorch(CASES["sgd"].pytorch, loss)
    else:
        expected = by_keras(CASES["sgd"].keras, label_smoothing=0.2)
    assert_same(found, expected)


@each_framework
def test_gradient_clipping_is_the_frameworks_own(framework):
    found = trained(framework, clip_norm=0.1)

    if framework == "pytorch":  # which adds 1e-6 to the length that it divides by
        assert_same(found, by_pytorch(CASES["sgd"].pytorch, clip_norm=0.1), 1e-6)
    else:
        assert_same(found, by_keras(lambda optimizers: optimizers.SGD(momentum=MOMENTUM, global_clipnorm=0.1)))


@each_framework
@pytest.mark.parametrize("clip_norm", [0, 1e-3, 1000])
def test_gradients_length_is_told_before_it_is_clipped(framework, clip_norm):
    engine = build(framework, clip_norm=clip_norm, precision="float64")
    expected = np.sqrt(sum((gradient**2).sum() for gradient in engine.gradients(BATCHES[0]).values()))

    assert engine.train(BATCHES[:1]).gradient_norm == pytest.approx(expected, rel=1e-12)


@each_framework
@pytest.mark.parametrize("label_smoothing", [0, 0.2])
def test_class_weights_are_the_frameworks_own(framework, label_smoothing):
    found = trained(framework, class_weights=CLASS_WEIGHTS, label_smoothing=label_smoothing)

    if framework == "pytorch":
        torch = get_engine("pytorch").torch
        loss = torch.nn.CrossEntropyLoss(torch.tensor(CLASS_WEIGHTS), label_smoothing=label_smoothing)
        expected = by_pytorch(CASES["sgd"].pytorch, loss)
    else:
        weights = dict(enumerate(CLASS_WEIGHTS))
        expected = by_keras(CASES["sgd"].keras, label_smoothing=label_smoothing, class_weight=weights)
    # Keras rounds the weights of classes to float32.
    assert_same(found, expected, 1e-12 if framework == "pytorch" else 1e-8)


@each_framework
@pytest.mark.parametrize("label_smoothing", [0, 0.2])
def test_aligned_class_weights_multiply_the_loss_of_each_image(framework, label_smoothing):
    torch = get_engine("pytorch").torch

    def loss(logits, labels):
        losses = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
        return (losses * torch.tensor(CLASS_WEIGHTS)[labels]).mean()

    settings = {"label_smoothing": label_smoothing, "defaults": "aligned"}
    assert_same(
        trained(framework, class_weights=CLASS_WEIGHTS, **settings), by_pytorch(CASES["sgd"].aligned, loss), 1e-9
    )


@each_framework
def test_weight_averaging_follows_the_weights(framework):
    """By hand from the weights after each step of an engine that averages nothing."""
    plain, averaging = build(framework), build(framework, ema_decay=0.3)
    expected = {name: values.astype(np.float64) for name, values in START.items()}
    losses = []
    for step, batch in enumerate(BATCHES, start=1):
        losses.extend(plain.train(batch[np.newaxis]).losses)
        kept = min(0.3, (1 + step) / (10 + step))
        for name, values in plain.weights().items():
            expected[name] = kept * expected[name] + (1 - kept) * values

    np.testing.assert_array_equal(averaging.train(BATCHES).losses, losses, "the training itself is another")
    for name, values in averaging.weights().items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-6, err_msg=name)
        assert np.abs(values - plain.weights()[name]).max() > 1e-4, "it is no average"
    plain.load_weights(averaging.weights())
    np.testing.assert_array_equal(averaging.predict(IMAGES), plain.predict(IMAGES))


def test_weight_average_remembers_as_tensorflows_does():
    tf = get_engine("keras").tf
    weight = tf.Variable(0.0, dtype=tf.float64)
    for decay in (0.15, 0.99):
        average = 1.0
        for step in range(1, 30):
            tracked = tf.train.ExponentialMovingAverage(decay, num_updates=step)
            weight.assign(1.0)
            tracked.apply([weight])
            weight.assign(0.0)
            tracked.apply([weight])
            average = tracked.average(weight).numpy()
            assert averaging_decay(decay, step) == pytest.approx(average, rel=1e-6)


@each_framework
def test_bfloat16_is_the_frameworks_own_mixed_precision(framework):
    mixed, single = build(framework, precision="bfloat16"), build(framework)

    found = mixed.predict(IMAGES)

    if framework == "pytorch":
        torch = get_engine("pytorch").torch
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            expected = pytorch_model("float32")(torch.tensor(PIXELS, dtype=torch.float32)).float().numpy()
    else:
        expected = keras_model("mixed_bfloat16").predict(PIXELS.astype(np.float32), verbose=0).astype(np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    difference = np.abs(found - single.predict(IMAGES)).max()
    assert 1e-4 < difference < 0.1, "a bfloat16 has three digits"

    mixed.train(BATCHES, RATES)
    single.train(BATCHES, RATES)
    for name, values in single.weights().items():
        assert mixed.weights()[name].dtype == np.float32
        np.testing.assert_allclose(mixed.weights()[name], values, rtol=0, atol=0.05, err_msg=name)
        assert np.any(mixed.weights()[name] != values)


RANDOM = network(
    *(Convolution(filters=2), BatchNorm(), Activation(), Dropout(rate=0.2)),
    *(Flatten(), Dense(units=6), BatchNorm(momentum=0.7), Activation(), Dropout(rate=0.3)),
)


@each_framework
@pytest.mark.parametrize(
    ("optimizer", "precision"), [*((name, "float32") for name in LEARNING_RATES), ("adam", "bfloat16")]
)
def test_goes_on_from_a_state_bit_for_bit(framework, optimizer, precision):
    settings = {"optimizer": optimizer, "precision": precision, "ema_decay": 0.9, "weight_decay": 0.01}
    settings |= {"clip_norm": 0.5, "label_smoothing": 0.1, "nesterov": True}

    def make():
        engine = get_engine(framework).Engine(configure(framework=framework, **settings), RANDOM, SHAPE, CLASSES)
        engine.load_data(IMAGES, LABELS, CLASS_WEIGHTS)
        return engine

    first = make()
    first.train(BATCHES[:3], RATES[:3])
    state = {name: values.copy() for name, values in first.state().items()}
    chunk = first.train(BATCHES[3:], RATES[3:])

    second = make()
    second.train(BATCHES[::-1], RATES)  # has another past
    second.load_state(state)
    again = second.train(BATCHES[3:], RATES[3:])

    np.testing.assert_array_equal(again.losses, chunk.losses)
    assert again.gradient_norm == chunk.gradient_norm
    found, expected = second.state(), first.state()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name, strict=True)
    assert any(np.any(values != state[name]) for name, values in expected.items() if name.startswith("weights/"))
