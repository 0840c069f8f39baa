"""Both engines: each does what the description says, and both do the same."""

import hashlib
import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from core import engines
from core.config import FRAMEWORK_TITLES, LEARNING_RATES, Framework, configure
from core.engines import EngineModule, get_engine
from core.networks.layers import (
    Activation,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    count_parameters,
    layer_rows,
    named,
    pool_before_relu,
)
from core.networks.windows import same_padding
from core.system.paths import PROJECT
from core.training.metrics import loss_and_accuracy, softmax
from tests.sample_networks import NETWORKS, draw_data, draw_weights, is_random, network

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)
CLASSES = 5
SMALL = network(Convolution(filters=4), Activation(), MaxPool(padding="same"), Convolution(filters=3), Activation())
SMALL_SHAPE = (7, 9, 1)

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)
each_network = pytest.mark.parametrize(("architecture", "shape"), NETWORKS.values(), ids=NETWORKS)
each_predictable_network = pytest.mark.parametrize(
    ("architecture", "shape"),
    [pytest.param(*entry, id=name) for name, entry in NETWORKS.items() if not is_random(entry[0])],
)


def build(framework: Framework, architecture: Architecture, shape: tuple[int, ...], **settings):
    config = configure(framework=framework, **settings)
    return get_engine(framework).Engine(config, architecture, shape, CLASSES)


def small_engine(framework: Framework, **settings):
    engine = build(framework, SMALL, SMALL_SHAPE, **settings)
    engine.load_weights(draw_weights(SMALL, SMALL_SHAPE, CLASSES))
    engine.load_data(*draw_data(SMALL_SHAPE, CLASSES, 64))
    return engine


def assert_same_weights(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name, strict=True)


def _sgd(_framework, gradient, memory, _step):
    memory[0][:] = 0.9 * memory[0] + gradient
    return memory[0]


def _adam(framework, gradient, memory, step):
    memory[0][:] = 0.9 * memory[0] + 0.1 * gradient
    memory[1][:] = 0.999 * memory[1] + 0.001 * gradient**2
    first, second = 1 - 0.9**step, np.sqrt(1 - 0.999**step)
    if framework == "pytorch":
        return memory[0] / first / (np.sqrt(memory[1]) / second + 1e-8)
    return memory[0] / first * second / (np.sqrt(memory[1]) + 1e-7)


def _rmsprop(framework, gradient, memory, _step):
    """PyTorch forgets ten times slower, so that its first steps are about three times longer."""
    if framework == "pytorch":
        memory[0][:] = 0.99 * memory[0] + 0.01 * gradient**2
        return gradient / (np.sqrt(memory[0]) + 1e-8)
    memory[0][:] = 0.9 * memory[0] + 0.1 * gradient**2
    return gradient / np.sqrt(memory[0] + 1e-7)


def _adadelta(framework, gradient, memory, _step):
    rho, epsilon = {"pytorch": (0.9, 1e-6), "keras": (0.95, 1e-7)}[framework]
    memory[0][:] = rho * memory[0] + (1 - rho) * gradient**2
    change = np.sqrt(memory[1] + epsilon) / np.sqrt(memory[0] + epsilon) * gradient
    memory[1][:] = rho * memory[1] + (1 - rho) * change**2
    return change


def _adagrad(framework, gradient, memory, step):
    """Keras begins as if there had been gradients of 0.3."""
    memory[0][:] += gradient**2 + (0.1 if framework == "keras" and step == 1 else 0)
    if framework == "pytorch":
        return gradient / (np.sqrt(memory[0]) + 1e-10)
    return gradient / np.sqrt(memory[0] + 1e-7)


def _adamax(framework, gradient, memory, step):
    memory[0][:] = 0.9 * memory[0] + 0.1 * gradient
    within, outside = {"pytorch": (1e-8, 0), "keras": (0, 1e-7)}[framework]
    memory[1][:] = np.maximum(0.999 * memory[1], np.abs(gradient) + within)
    return memory[0] / (1 - 0.9**step) / (memory[1] + outside)


# Without weight decay AdamW is Adam.
CHANGES = {
    **{"sgd": _sgd, "adam": _adam, "adamw": _adam, "rmsprop": _rmsprop},
    **{"adadelta": _adadelta, "adagrad": _adagrad, "adamax": _adamax},
}
"""The steps of the optimizers that have been written out here, for a rate of 1."""


class TestOneEngine:
    @each_framework
    @each_network
    def test_has_the_shapes_and_parameters_of_the_description(self, framework, architecture, shape):
        engine = build(framework, architecture, shape)

        expected = {
            f"{row.name}/{key}": size
            for row in layer_rows(architecture, shape, CLASSES)
            for key, size in row.layer.weights(row.input_shape).items()
        }
        weights = engine.weights()
        assert {name: values.shape for name, values in weights.items()} == expected
        assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}
        statistics = tuple(f"/{name}" for name in BatchNorm.STATISTICS)
        trained = sum(values.size for name, values in weights.items() if not name.endswith(statistics))
        assert trained == count_parameters(architecture, shape, CLASSES)

        logits = engine.predict(draw_data(shape, CLASSES, 3)[0])
        assert logits.shape == (3, CLASSES)
        assert logits.dtype == np.float32

    @each_framework
    @each_network
    def test_layers_have_the_output_shapes_of_the_description(self, framework, architecture, shape):
        engine = build(framework, architecture, shape)
        swapped = [layer for _, layer in pool_before_relu(named(architecture.layers))]
        rows = layer_rows(architecture.model_copy(update={"layers": tuple(swapped)}), shape, CLASSES)

        found = keras_shapes(engine) if framework == "keras" else pytorch_shapes(engine, shape)

        assert found == {row.name: row.output_shape for row in rows}

    @each_framework
    @each_network
    def test_weights_come_back_as_they_were_loaded(self, framework, architecture, shape):
        weights = draw_weights(architecture, shape, CLASSES)
        engine = build(framework, architecture, shape)

        engine.load_weights(weights)

        assert_same_weights(engine.weights(), weights)

    @each_framework
    def test_weights_are_a_copy_that_training_does_not_change(self, framework):
        architecture, shape = NETWORKS["batch norm after dense"]
        engine = build(framework, architecture, shape)
        engine.load_data(*draw_data(shape, CLASSES, 8))
        weights = engine.weights()
        before = {name: values.copy() for name, values in weights.items()}

        engine.train(np.arange(8).reshape(2, 4))

        assert_same_weights(weights, before)
        after = engine.weights()
        assert all(np.any(after[name] != before[name]) for name in before if name != "dense_1/bias"), (
            "only a bias right before a batch norm has no gradient"
        )

    @each_framework
    def test_reports_the_loss_and_the_hits_of_each_batch_before_its_step(self, framework):
        engine = small_engine(framework, learning_rate=0.05)
        images, labels = draw_data(SMALL_SHAPE, CLASSES, 64)
        for batch in (np.arange(16), np.arange(16, 32), np.arange(32, 37)):  # the last one is a partial batch
            loss, accuracy = loss_and_accuracy(engine.predict(images[batch]), labels[batch])

            chunk = engine.train(batch[np.newaxis])

            assert chunk.losses == pytest.approx([loss], abs=1e-5)
            assert chunk.correct == [round(accuracy * len(batch))]

    @each_framework
    def test_chunks_of_any_length_give_the_same_weights(self, framework):
        steps = np.random.default_rng(1).permutation(60).reshape(6, 10)
        found = []
        for chunks in ([steps], [steps[:1], steps[1:]], np.split(steps, 6)):
            engine = small_engine(framework)
            given = [engine.train(chunk) for chunk in chunks]
            losses, correct = (
                np.concatenate([getattr(each, name) for each in given]) for name in ("losses", "correct")
            )
            found.append((engine.weights(), losses, correct, given[-1].gradient_norm))

        (whole, losses, correct, norm), *parts = found
        for weights, part_losses, part_correct, part_norm in parts:
            assert_same_weights(weights, whole)
            np.testing.assert_array_equal(part_losses, losses, strict=True)
            np.testing.assert_array_equal(part_correct, correct, strict=True)
            assert part_norm == norm

    @each_framework
    def test_learns_from_the_data_that_were_loaded_last(self, framework):
        engine = small_engine(framework, learning_rate=1e-9)
        images, labels = draw_data(SMALL_SHAPE, CLASSES, 16)
        everything = np.arange(16)[np.newaxis]
        (first,) = engine.train(everything).losses

        engine.load_data(images, (labels + 1) % CLASSES)
        (second,) = engine.train(everything).losses

        expected, _ = loss_and_accuracy(engine.predict(images), (labels + 1) % CLASSES)
        assert second == pytest.approx(expected, abs=1e-5)
        assert abs(second - first) > 1e-4

    @each_framework
    @pytest.mark.filterwarnings("error")
    def test_takes_read_only_maps_of_files(self, framework, tmp_path):
        images, labels = draw_data(SMALL_SHAPE, CLASSES, 8)
        np.save(tmp_path / "images.npy", images)
        np.save(tmp_path / "labels.npy", labels)
        engine = small_engine(framework)

        mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
        engine.load_data(mapped, np.load(tmp_path / "labels.npy", mmap_mode="r"))
        engine.train(np.arange(8)[np.newaxis])

        np.testing.assert_array_equal(engine.predict(mapped), engine.predict(images))

    @each_framework
    def test_predicts_any_number_of_images_in_their_order(self, framework, monkeypatch):
        monkeypatch.setattr(get_engine(framework), "_MOST_PREDICTED", 4)
        engine = small_engine(framework)
        images, _ = draw_data(SMALL_SHAPE, CLASSES, 11)

        together = engine.predict(images)

        alone = np.concatenate([engine.predict(images[i : i + 1]) for i in range(11)])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    @each_framework
    def test_draws_no_dropout_when_it_predicts(self, framework):
        engine = build(framework, *NETWORKS["dropout"])
        images, _ = draw_data((7, 7, 1), CLASSES, 4)

        np.testing.assert_array_equal(engine.predict(images), engine.predict(images))

    @each_framework
    @pytest.mark.parametrize(("normalization", "black", "white"), [("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0)])
    def test_scales_pixels(self, framework, normalization, black, white):
        engine = build(framework, network(), (1, 2, 1), normalization=normalization)
        engine.load_weights({"dense_1/kernel": np.eye(2, CLASSES, dtype=np.float32), "dense_1/bias": np.zeros(5, "f4")})

        logits = engine.predict(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1))

        np.testing.assert_allclose(logits[0, :2], [black, white], atol=1e-6)

    @each_framework
    @pytest.mark.parametrize("name", ["overlapping pooling", "pooling over the edge", "cnn-64-32-32"])
    def test_pooling_before_the_relu_changes_nothing(self, framework, name, monkeypatch):
        """Without momentum, one step's change of the weights is the gradient."""
        architecture, shape = NETWORKS[name]
        weights = draw_weights(architecture, shape, CLASSES)
        images, labels = draw_data(shape, CLASSES, 12)

        def step():
            engine = build(framework, architecture, shape, momentum=0)
            engine.load_weights(weights)
            engine.load_data(images, labels)
            (loss,) = engine.train(np.arange(12)[np.newaxis]).losses
            return loss, engine.weights()

        loss, stepped = step()
        monkeypatch.setattr(get_engine(framework), "pool_before_relu", list)
        written_loss, written = step()

        assert loss == written_loss
        assert_same_weights(stepped, written)
        assert np.any(stepped["convolution_1/kernel"] != weights["convolution_1/kernel"])

    @each_framework
    def test_dropout_keeps_the_expected_sum(self, framework):
        """With a dense layer of ones behind it, the logit of an all-white image is the number of pixels on average."""
        architecture = network(Dropout(rate=0.75))
        engine = build(framework, architecture, (20, 20, 1), learning_rate=1e-9)
        kernel = np.zeros((400, CLASSES), np.float32)
        kernel[:, 0] = 0.01
        engine.load_weights({"dense_1/kernel": kernel, "dense_1/bias": np.zeros(CLASSES, np.float32)})
        engine.load_data(np.full((64, 20, 20, 1), 255, np.uint8), np.ones(64, np.int64))

        (loss,) = engine.train(np.arange(64)[np.newaxis]).losses

        without, _ = loss_and_accuracy(np.array([[4.0, 0, 0, 0, 0]]), np.array([1]))
        assert loss == pytest.approx(without, abs=0.3)
        assert abs(loss - without) > 1e-4, "nothing was dropped"

    @each_framework
    def test_batch_norm_moves_its_averages_by_its_momentum(self, framework):
        architecture = Architecture(
            name="tried", description="", layers=(Flatten(), BatchNorm(momentum=0.7), Dense(units="classes"))
        )
        engine = build(framework, architecture, (1, 2, 1))
        pixels = np.array([[0, 255], [255, 0], [255, 51], [0, 0]], np.uint8)
        engine.load_data(pixels.reshape(4, 1, 2, 1), np.zeros(4, np.int64))

        engine.train(np.arange(4)[np.newaxis])

        weights, values = engine.weights(), pixels / 255
        np.testing.assert_allclose(weights["batch_norm_1/moving_mean"], 0.3 * values.mean(axis=0), atol=1e-6)
        # PyTorch averages the unbiased variance, Keras the biased one.
        variance = values.var(axis=0, ddof=1 if framework == "pytorch" else 0)
        np.testing.assert_allclose(weights["batch_norm_1/moving_variance"], 0.7 + 0.3 * variance, atol=1e-6)

    @each_framework
    def test_refuses_a_device_that_is_not_there(self, framework):
        there = ", ".join(device["name"] for device in get_engine(framework).devices())
        title = "PyTorch" if framework == "pytorch" else "TensorFlow"
        with pytest.raises(ValueError, match="Device") as error:
            build(framework, SMALL, SMALL_SHAPE, device="gpu:77")
        assert str(error.value) == f"Device (--device): {title} has {there} on this machine, received 'gpu:77'."

    @each_framework
    def test_says_what_it_is_and_what_it_can_compute_on(self, framework):
        engine_module = get_engine(framework)

        first, *_ = engine_module.devices()
        assert first["name"] == "cpu"
        assert first["title"].startswith("CPU, ")
        assert all(version[0].isdigit() for version in engine_module.versions().values())


def keras_shapes(engine) -> dict[str, tuple[int, ...]]:
    return {name: tuple(layer.output.shape[1:]) for name, layer in engine._layers.items()}


def pytorch_shapes(engine, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    found = {}

    def note(name):
        def hook(_module, _inputs, output):
            _, *rest = output.shape
            found[name] = (*rest[1:], rest[0]) if len(rest) == 3 else tuple(rest)

        return hook

    for name, layer in engine._layers.items():
        layer.register_forward_hook(note(name))
    engine.predict(draw_data(shape, CLASSES, 1)[0])
    return found


class TestBothEngines:
    @each_network
    def test_give_the_same_logits_for_the_same_weights(self, architecture, shape):
        weights = draw_weights(architecture, shape, CLASSES)
        images, _ = draw_data(shape, CLASSES, 13)
        logits = []
        for framework in FRAMEWORKS:
            engine = build(framework, architecture, shape)
            engine.load_weights(weights)
            logits.append(engine.predict(images))

        np.testing.assert_allclose(logits[0], logits[1], rtol=0, atol=1e-5)
        assert np.ptp(logits[0], axis=0).max() > 1e-3, "the images make no difference"

    @each_predictable_network
    def test_lose_the_same_on_the_same_batches(self, architecture, shape):
        losses = losses_of_both(architecture, shape, "sgd")

        np.testing.assert_allclose(losses["pytorch"], losses["keras"], rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("name", ["ann-100", "cnn-64-32-32", "cnn-quick"])
    def test_stay_close_with_adam(self, name):
        """Keras adds a greater epsilon, 1e-7, to a mean that is not yet corrected for its bias: about 3e-6."""
        losses = losses_of_both(*NETWORKS[name], "adam")

        np.testing.assert_allclose(losses["pytorch"], losses["keras"], rtol=0, atol=3e-3)

    @pytest.mark.parametrize("optimizer", CHANGES)
    def test_do_what_the_optimizer_is_defined_to_do(self, optimizer):
        """Softmax regression by hand, in float64; the frameworks differ where their definitions do."""
        config = configure(optimizer=optimizer, learning_rate=LEARNING_RATES[optimizer])
        images, labels = draw_data((3, 3, 1), CLASSES, 40)
        start = draw_weights(network(), (3, 3, 1), CLASSES)
        for framework in FRAMEWORKS:
            engine = build(framework, network(), (3, 3, 1), optimizer=optimizer, learning_rate=config.learning_rate)
            engine.load_weights(start)
            engine.load_data(images, labels)
            engine.train(np.arange(40).reshape(4, 10))

            expected = {name: values.astype(np.float64) for name, values in start.items()}
            memory = {name: [np.zeros_like(values), np.zeros_like(values)] for name, values in expected.items()}
            for step, batch in enumerate(np.arange(40).reshape(4, 10), start=1):
                inputs = images[batch].reshape(10, 9) / 255
                errors = softmax(inputs @ expected["dense_1/kernel"] + expected["dense_1/bias"])
                errors[np.arange(10), labels[batch]] -= 1
                gradients = {"dense_1/kernel": inputs.T @ errors / 10, "dense_1/bias": errors.mean(axis=0)}
                for name, gradient in gradients.items():
                    change = CHANGES[optimizer](framework, gradient, memory[name], step)
                    expected[name] -= config.learning_rate * change
            for name, values in engine.weights().items():
                np.testing.assert_allclose(values, expected[name], rtol=0, atol=2e-6, err_msg=f"{framework} {name}")


def losses_of_both(architecture: Architecture, shape: tuple[int, ...], optimizer: str) -> dict[Framework, list[float]]:
    """Return the mean losses of three batches of 16 and a last one of 5, by framework."""
    weights = draw_weights(architecture, shape, CLASSES)
    images, labels = draw_data(shape, CLASSES, 53)
    losses = {}
    # A tenth of the usual rate: where a loss runs away, so does the rounding.
    rate = LEARNING_RATES[optimizer] / 10
    for framework in FRAMEWORKS:
        engine = build(framework, architecture, shape, optimizer=optimizer, learning_rate=rate)
        engine.load_weights(weights)
        engine.load_data(images, labels)
        batches = np.split(np.arange(53), [16, 32, 48])
        losses[framework] = [float(engine.train(batch[np.newaxis]).losses[0]) for batch in batches]
    return losses


def fingerprint(framework: Framework, threads: int, seed: int = 7) -> str:
    """Train a network with batch norm and dropout from the framework's own initial weights; hash what comes out."""
    architecture = network(
        Convolution(filters=4, stride=2), BatchNorm(), Activation(), Flatten(), Dense(units=8), Dropout(rate=0.3)
    )
    engine = build(framework, architecture, SMALL_SHAPE, seed=seed, threads=threads)
    engine.load_data(*draw_data(SMALL_SHAPE, CLASSES, 40))
    engine.train(np.arange(40).reshape(4, 10))
    return hashlib.sha256(b"".join(values.tobytes() for values in engine.weights().values())).hexdigest()


def threads_of(framework: Framework) -> int:
    if framework == "pytorch":
        return sys.modules["torch"].get_num_threads()
    # 0 where a test before this one has used TensorFlow without the engine: then it takes every core.
    return sys.modules["tensorflow"].config.threading.get_intra_op_parallelism_threads() or os.cpu_count()


_FRESH = """
import json, sys
from tests.engines.test_engines import fingerprint, threads_of
framework, threads = sys.argv[1], int(sys.argv[2])
before = set(sys.modules)
weights = fingerprint(framework, threads)
packages = sorted({"pandas", "scipy", "torch._dynamo"} & (set(sys.modules) - before))
print(json.dumps({"weights": weights, "threads": threads_of(framework), "packages": packages}))
"""


@pytest.fixture(scope="module")
def threads() -> dict[Framework, int]:
    """Threads to compute with: sums come out differently with another number, and TensorFlow's is already chosen."""
    small_engine("keras")
    return {"pytorch": 1, "keras": threads_of("keras")}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, threads) -> dict[Framework, dict]:
    """What a fresh process of each framework finds, where a user has other plans for Keras."""
    settings = tmp_path_factory.mktemp("keras")
    (settings / "keras.json").write_text(
        json.dumps({"backend": "torch", "image_data_format": "channels_first", "floatx": "float16"})
    )
    started = {
        framework: subprocess.Popen(
            [sys.executable, "-c", _FRESH, framework, str(threads[framework])],
            cwd=PROJECT,
            env=os.environ | {"KERAS_HOME": str(settings), "KERAS_BACKEND": "torch"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for framework in FRAMEWORKS
    }
    found = {}
    for framework, process in started.items():
        answer, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        found[framework] = json.loads(answer)
    return found


@pytest.mark.slow
@each_framework
class TestFreshProcess:
    def test_same_seed_gives_the_same_weights_bit_for_bit(self, framework, fresh, threads):
        assert fresh[framework]["weights"] == fingerprint(framework, threads[framework])

    def test_another_seed_gives_other_weights(self, framework, fresh, threads):
        assert fresh[framework]["weights"] != fingerprint(framework, threads[framework], seed=8)

    def test_takes_the_number_of_threads(self, framework, fresh, threads):
        assert fresh[framework]["threads"] == threads[framework]

    def test_imports_nothing_slow_that_it_does_not_use(self, framework, fresh):
        assert fresh[framework]["packages"] == []


@pytest.mark.parametrize(
    ("size", "window", "stride", "margins"),
    [
        (28, 3, 1, (1, 1)),
        (28, 2, 2, (0, 0)),
        (7, 2, 2, (0, 1)),
        (28, 5, 2, (1, 2)),
        (27, 5, 2, (2, 2)),
        (9, 2, 3, (0, 0)),
        (4, 1, 3, (0, 0)),
        (1, 8, 1, (3, 4)),
    ],
)
def test_same_padding_puts_the_odd_row_behind(size, window, stride, margins):
    assert same_padding(size, window, stride) == margins


class TestGettingABackend:
    @pytest.fixture
    def noisy(self, monkeypatch) -> EngineModule:
        """An engine whose native code writes to the terminal when it looks for devices."""
        engine_module = SimpleNamespace(devices=lambda: os.write(2, b"no driver found\n"))
        monkeypatch.setitem(sys.modules, "core.engines.noisy", engine_module)
        return engine_module

    def test_keeps_native_notes_off_the_terminal(self, noisy, capfd):
        assert get_engine("noisy") is noisy
        os.write(2, b"later\n")

        assert capfd.readouterr().err == "later\n"

    def test_shows_native_notes_when_it_fails(self, noisy, capfd):
        def fail():
            os.write(2, b"no driver found\n")
            raise RuntimeError("broken")

        noisy.devices = fail
        with pytest.raises(RuntimeError, match="broken"):
            get_engine("noisy")

        assert capfd.readouterr().err == "no driver found\n"

    def test_every_framework_has_an_engine_and_a_title(self):
        assert set(FRAMEWORKS) == set(FRAMEWORK_TITLES)
        assert all(hasattr(get_engine(framework), "Engine") for framework in FRAMEWORKS)
        assert engines.available_cores() >= 1
