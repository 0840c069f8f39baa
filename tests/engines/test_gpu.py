"""PyTorch on a GPU: the steps that are replayed from a recording are those that are taken one by one."""

import itertools

import numpy as np
import pytest

from core.config import LEARNING_RATES, configure
from core.engines import get_engine
from core.engines.augmentation import draw_transforms
from core.networks.layers import Activation, BatchNorm, Convolution, Dense, Dropout, Flatten, MaxPool
from tests.sample_networks import draw_data, network

SHAPE, CLASSES, STEPS, BATCH = (12, 12, 1), 5, 9, 16
NETWORK = network(
    Convolution(filters=8),
    MaxPool(),
    BatchNorm(),
    Activation(),
    Flatten(),
    Dense(units=16),
    BatchNorm(),
    Activation(),
    Dropout(rate=0.3),
)
IMAGES, LABELS = draw_data(SHAPE, CLASSES, STEPS * BATCH + 5)
AUGMENTATION = {"rotation": 20, "zoom": 0.2, "shift_x": 0.1, "shift_y": 0.1, "flip_horizontal": True, "erasing": 0.3}
RATES = np.linspace(1, 0.2, STEPS)
TOLERANCE = 1e-4

SETTINGS = {
    **{optimizer: {"optimizer": optimizer, "learning_rate": LEARNING_RATES[optimizer]} for optimizer in LEARNING_RATES},
    "augmented": AUGMENTATION,
    "clipped": {"clip_norm": 0.5},
    "averaged": {"ema_decay": 0.9},
    "smoothed": {"label_smoothing": 0.1},
    "in classes that differ": {"class_weights": "balanced"},
    "bfloat16": {"precision": "bfloat16"},
    "float64": {"precision": "float64"},
}

pytestmark = pytest.mark.skipif(
    not any(device["name"].startswith("gpu") for device in get_engine("pytorch").devices()),
    reason="PyTorch has no GPU here",
)
each_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def build(settings: dict, device: str = "gpu:0", architecture=NETWORK):
    """Return a config and an engine that is about to train by it, with the random numbers of its seed."""
    config = configure(framework="pytorch", device=device, batch_size=BATCH, **settings)
    engine = get_engine("pytorch").Engine(config, architecture, SHAPE, CLASSES)
    weights = np.linspace(0.5, 2, CLASSES) if "class_weights" in settings else None
    engine.load_data(IMAGES, LABELS, weights)
    return config, engine


def train(config, engine, first: int = 0, last: int = STEPS, together: bool = True):
    """Take the steps from `first` to `last`, the first four and the others together, or each on its own."""
    batches = np.arange(STEPS * BATCH).reshape(STEPS, BATCH)
    transforms = None
    if "rotation" in config.model_fields_set:
        transforms = draw_transforms(config, SHAPE, STEPS * BATCH, np.random.default_rng(1))
        transforms = transforms.reshape(STEPS, BATCH, *transforms.shape[1:])
    edges = [first, *(edge for edge in (range(first + 1, last) if not together else (4,)) if first < edge < last), last]
    return [
        engine.train(
            batches[begin:end],
            config.learning_rate * RATES[begin:end],
            None if transforms is None else transforms[begin:end],
        )
        for begin, end in itertools.pairwise(edges)
    ]


def assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float) -> None:
    """Compare weights, but for the biases that a batch norm takes away again, as only rounding moves these."""
    assert found.keys() == expected.keys()
    moved_by_rounding = {"convolution_1/bias", "batch_norm_1/moving_mean", "dense_1/bias", "batch_norm_2/moving_mean"}
    for name in found.keys() - moved_by_rounding:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=tolerance, err_msg=name)


@each_setting
def test_replayed_steps_are_those_taken_one_by_one(settings, monkeypatch):
    config, engine = build(settings)
    chunks = train(config, engine)
    assert (engine._graph is None) == (config.precision == "float64")

    _, plain = build(settings)
    monkeypatch.setattr(plain, "_is_replayed", lambda _batches: False)
    expected = train(config, plain)

    for chunk, other in zip(chunks, expected, strict=True):
        np.testing.assert_allclose(chunk.losses, other.losses, rtol=TOLERANCE)
        np.testing.assert_array_equal(chunk.correct, other.correct)
        assert chunk.gradient_norm == pytest.approx(other.gradient_norm, rel=TOLERANCE)
    assert_close(engine.weights(), plain.weights(), TOLERANCE)


@each_setting
def test_chunks_of_any_length_give_the_same_weights(settings):
    config, together = build(settings)
    train(config, together)

    config, single = build(settings)
    train(config, single, together=False)

    assert_close(single.weights(), together.weights(), TOLERANCE)


@each_setting
def test_goes_on_from_a_state(settings):
    config, whole = build(settings)
    train(config, whole)
    config, begun = build(settings)
    train(config, begun, last=6)
    state = begun.state()

    config, other = build({**settings, "seed": 3})
    train(config, other, last=7)
    other.load_state(state)
    train(config, other, first=6)

    assert_close(other.weights(), whole.weights(), TOLERANCE)


def test_replays_go_on_after_a_last_batch_that_is_smaller():
    def weights(one_by_one: bool):
        config, engine = build({})
        if one_by_one:
            engine._uses_graph = lambda _batches: False
        train(config, engine)
        engine.train(np.arange(5)[np.newaxis])
        train(config, engine)
        return engine.weights()

    assert_close(weights(False), weights(True), TOLERANCE)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_computes_what_the_cpu_computes(precision):
    plain = network(Convolution(filters=8), MaxPool(), Activation())
    settings = {"precision": precision, "learning_rate": 0.01, **AUGMENTATION}
    (config, gpu), (_, cpu) = build(settings, architecture=plain), build(settings, "cpu", plain)
    gpu.load_weights(cpu.weights())

    losses = [np.concatenate([chunk.losses for chunk in train(config, engine)]) for engine in (gpu, cpu)]

    # Of images that are moved about; these are float32 in either case. A GPU multiplies float32 in TF32.
    tolerance = 2e-3 if precision == "float32" else 1e-6
    np.testing.assert_allclose(*losses, rtol=tolerance)
    np.testing.assert_allclose(gpu.predict(IMAGES), cpu.predict(IMAGES), rtol=0, atol=10 * tolerance)
