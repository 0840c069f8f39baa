"""Every layer kind in both engines: the shapes and counts of its record, the same numbers, and training resumed."""

from typing import get_args

import numpy as np
import pytest

from core.config import Framework, configure
from core.engines import get_engine
from core.engines.initialisation import initial_weights
from core.networks.kinds import KINDS
from core.networks.layers import Architecture, count_parameters, layer_rows, named, pool_before_relu
from core.networks.registry import save
from core.studies.parity import measure
from tests.networks.kinds import CLASSES, IMAGES, each_example, each_kind, network_of
from tests.sample_networks import draw_data, draw_weights

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


def build(framework: Framework, architecture: Architecture, **settings: object):
    """Return an engine with weights and images drawn at random, the same for every framework."""
    config = configure(framework=framework, threads=1, **{"batch_size": 4, **settings})
    engine = get_engine(framework).Engine(config, architecture, IMAGES, CLASSES)
    engine.load_weights(draw_weights(architecture, IMAGES, CLASSES))
    engine.load_data(*draw_data(IMAGES, CLASSES, 16))
    return engine


def relative(first: np.ndarray, second: np.ndarray) -> float:
    """Return the greatest difference over the greatest value."""
    return float(np.abs(first - second).max() / max(np.abs(first).max(), 1e-3))


def own_count(framework: Framework, engine) -> int:
    """Return how many numbers the framework says that it trains."""
    if framework == "keras":
        return sum(int(np.prod(variable.shape)) for variable in engine._model.trainable_variables)
    return sum(parameter.numel() for parameter in engine._model.parameters())


def output_shapes(framework: Framework, engine) -> dict[str, tuple[int, ...]]:
    """Return the shape of each layer's output, channels last and without the batch, as the framework has it."""
    if framework == "keras":
        return {name: tuple(layer.output.shape[1:]) for name, layer in engine._layers.items()}
    found = {}

    def note(name):
        def hook(_module, _inputs, output):
            _, *rest = output.shape
            found[name] = (*rest[1:], rest[0]) if len(rest) == 3 else tuple(rest)

        return hook

    for name, layer in engine._layers.items():
        layer.register_forward_hook(note(name))
    engine.predict(draw_data(IMAGES, CLASSES, 1)[0])
    return found


@each_example
class TestEveryExample:
    @each_framework
    def test_has_the_shapes_and_counts_of_its_record(self, framework, layer):
        architecture = network_of(layer)
        swapped = tuple(layer for _, layer in pool_before_relu(named(architecture.layers)))
        rows = layer_rows(architecture.model_copy(update={"layers": swapped}), IMAGES, CLASSES)
        engine = build(framework, architecture)

        assert output_shapes(framework, engine) == {row.name: row.output_shape for row in rows}
        assert {key: values.shape for key, values in engine.weights().items()} == {
            f"{row.name}/{key}": shape for row in rows for key, shape in row.layer.weights(row.input_shape).items()
        }
        assert own_count(framework, engine) == count_parameters(architecture, IMAGES, CLASSES)

    def test_gives_the_same_logits_in_float32(self, layer):
        architecture = network_of(layer)
        images, _ = draw_data(IMAGES, CLASSES, 20, seed=2)
        logits = []
        for framework in FRAMEWORKS:
            engine = build(framework, architecture)
            engine.load_weights(initial_weights(architecture, IMAGES, CLASSES, seed=3))
            logits.append(engine.predict(images))

        assert relative(*logits) <= 1e-6
        assert np.ptp(logits[0], axis=0).max() > 1e-3, "the images make no difference"

    def test_gives_the_same_logits_and_gradients_in_float64(self, layer):
        architecture = network_of(layer.without_randomness())
        images, _ = draw_data(IMAGES, CLASSES, 20, seed=2)

        engines = [build(framework, architecture, precision="float64") for framework in FRAMEWORKS]

        assert relative(*(engine.predict(images) for engine in engines)) <= 1e-12
        first, second = (engine.gradients(np.arange(8)) for engine in engines)
        assert first.keys() == second.keys()
        scale = max(np.abs(values).max() for values in first.values())
        for key, values in first.items():
            np.testing.assert_allclose(values, second[key], rtol=0, atol=1e-12 * scale, err_msg=key)


@each_kind
@each_framework
def test_goes_on_bit_for_bit(framework, kind):
    architecture = network_of(KINDS[kind].examples()[-1])
    batches = np.arange(16).reshape(4, 4)
    settings = {"optimizer": "adam", "ema_decay": 0.9}
    whole = build(framework, architecture, **settings)
    whole.train(batches)
    first = build(framework, architecture, **settings)
    first.train(batches[:2])
    state = first.state()

    second = build(framework, architecture, **settings, seed=7)
    second.load_state(state)
    second.train(batches[2:])

    found, expected = second.state(), whole.state()
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values, err_msg=key)


def assert_in_parity(architecture: Architecture) -> None:
    """Train a network in both frameworks on MNIST, as `python -m core parity` does."""
    save(architecture.model_copy(update={"name": "tried"}))

    exact = measure("tried", "adam", "float64", steps=200)

    assert exact.losses[1] < exact.losses[0], "nothing was learnt"
    assert exact.passed, exact.reason
    rough = measure("tried", "adam", "float32", steps=1)
    assert rough.passed, rough.reason


def test_all_kinds_together_stay_together_for_200_steps():
    layers = [KINDS[kind].examples()[0].without_randomness() for kind in KINDS]
    # The flatten, of which only one is needed, takes what the global pooling gives; the residual wants four channels.
    layers.sort(key=lambda layer: ("pool" in layer.kind, layer.kind in ("convolution", "flatten")))

    assert_in_parity(network_of(*layers, twice=False))


@pytest.mark.exhaustive
@each_example
def test_each_example_stays_together_for_200_steps(layer):
    assert_in_parity(network_of(layer.without_randomness(), twice=False))
