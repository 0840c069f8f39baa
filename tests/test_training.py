"""The training loop, with an engine that only takes notes and with the real ones."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from core import datasets, training
from core.backends import get_backend
from core.config import Framework, configure
from core.datasets import Dataset, Split
from core.evaluation import loss_and_accuracy
from core.initialisation import draw
from core.networks import get_architecture
from core.training import TICK, DivergedError, Outcome, Point, count_steps, split_of, train, validation_of

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)

# 90 of them are trained on: in batches of 16, that is five whole ones and a last one of 10.
IMAGES = 100


class NotingEngine:
    """Notes its batches, takes time on a clock of its own, and loses what it is told to lose."""

    def __init__(self, *, seconds_per_image: float = 0.01, validation: tuple[float, ...] = (), chunk_loss=None):
        self.now = 0.0
        self.chunks: list[np.ndarray] = []
        self.predicted: list[int] = []
        self._seconds = seconds_per_image
        self._validation = validation
        self._chunk_loss = chunk_loss or {}

    @property
    def batches(self) -> list[list[int]]:
        return [batch.tolist() for chunk in self.chunks for batch in chunk]

    def load_data(self, images: np.ndarray, labels: np.ndarray) -> None:
        assert len(images) == len(labels)

    def train(self, indices: np.ndarray) -> tuple[float, int]:
        assert indices.dtype == np.int64
        self.chunks.append(indices.copy())
        self.now += indices.size * self._seconds
        return self._chunk_loss.get(len(self.chunks), 0.5) * indices.size, indices.size // 2

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return logits of two classes whose cross-entropy is the epoch's, where the first class is right."""
        epoch = len(self.predicted)
        self.predicted.append(len(images))
        loss = self._validation[epoch] if epoch < len(self._validation) else 1.0
        return np.tile([0.0, math.log(math.expm1(loss))], (len(images), 1))

    def weights(self) -> dict[str, np.ndarray]:
        return {"chunks": np.array([len(self.chunks)])}


class Watcher:
    """What a training reports and saves; it is asked to stop after `stop_after` chunks."""

    def __init__(self, stop_after: float = math.inf):
        self.points: list[Point] = []
        self.saved: list[tuple[int, dict[str, np.ndarray]]] = []
        self._stop_after = stop_after

    def of(self, split: str) -> list[Point]:
        return [point for point in self.points if point.split == split]

    def watch(self, engine, dataset: Dataset, **settings) -> Outcome:
        return train(
            configure(**{"epochs": 3, "batch_size": 16, **settings}),
            dataset,
            engine,
            report=self.points.append,
            save=lambda epoch, weights: self.saved.append((epoch, weights)),
            should_stop=lambda: len(self.of("train")) >= self._stop_after,
        )


@pytest.fixture
def dataset() -> Dataset:
    """The first images of MNIST."""
    mnist = datasets.load("mnist")
    return replace(mnist, train=Split(mnist.train.images[:IMAGES], mnist.train.labels[:IMAGES]))


@pytest.fixture
def note(monkeypatch, dataset):
    """Train a noting engine by its own clock, on images that are all of the first class."""
    plain = replace(dataset, train=Split(dataset.train.images, np.zeros(IMAGES, np.int64)))

    def note(engine: NotingEngine, watcher: Watcher | None = None, **settings) -> tuple[Watcher, Outcome]:
        watcher = watcher or Watcher()
        monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: engine.now))
        return watcher, watcher.watch(engine, plain, **settings)

    return note


class TestBatches:
    def test_each_training_image_comes_once_an_epoch_and_no_other(self, note):
        engine = NotingEngine()
        note(engine, validation_part="last")

        epochs = np.concatenate(engine.batches).reshape(3, 90)
        for order in epochs:
            assert sorted(order) == list(range(90))
        assert not np.array_equal(epochs[0], epochs[1])

    def test_last_batch_of_an_epoch_is_what_is_left(self, note):
        engine = NotingEngine()
        note(engine)

        assert [len(batch) for batch in engine.batches] == [16, 16, 16, 16, 16, 10] * 3

    @pytest.mark.parametrize("seconds_per_image", [1e-6, 0.001, 0.005])
    def test_speed_decides_the_chunks_but_never_the_batches(self, note, seconds_per_image):
        quick, slow = NotingEngine(seconds_per_image=seconds_per_image), NotingEngine(seconds_per_image=10)
        note(quick, epochs=8)
        note(slow, epochs=8)

        assert quick.batches == slow.batches
        assert len(quick.chunks) < len(slow.chunks)

    def test_seed_decides_the_order(self, note):
        first, same, other = NotingEngine(), NotingEngine(), NotingEngine()
        note(first, seed=1)
        note(same, seed=1)
        note(other, seed=2)

        assert first.batches == same.batches
        assert first.batches != other.batches

    @pytest.mark.parametrize("batch_size", [1, 7, 89, 90, 91, 8192])
    def test_any_batch_size_takes_the_steps_that_were_counted(self, note, dataset, batch_size):
        engine = NotingEngine()
        watcher, _ = note(engine, batch_size=batch_size)

        config = configure(epochs=3, batch_size=batch_size)
        assert len(engine.batches) == count_steps(config, dataset) == watcher.points[-1].step
        assert sum(map(len, engine.batches)) == 270

    def test_chunks_grow_fourfold_at_most_until_they_last_a_tick(self, note):
        engine = NotingEngine(seconds_per_image=TICK / 32)
        note(engine, batch_size=1)

        assert [len(chunk) for chunk in engine.chunks] == [4, 16, 32, 32, 6] + [32, 32, 26] * 2

    def test_small_last_batch_does_not_lengthen_the_next_chunk(self, note):
        """89 images are 11 batches of 8, two of which last a tick, and one image alone, which is soon done."""
        engine = NotingEngine(seconds_per_image=TICK / 16)
        note(engine, batch_size=8, train_limit=99)

        assert [chunk.shape for chunk in engine.chunks if chunk.shape[1] < 8] == [(1, 1)] * 3
        assert max(len(chunk) for chunk in engine.chunks[1:]) == 2


class TestPoints:
    def test_say_where_the_training_is(self, note):
        engine = NotingEngine(seconds_per_image=0.25 / 16)  # so that a chunk becomes one whole batch
        watcher, outcome = note(engine, epochs=2)

        assert [point.step for point in watcher.of("train")] == [4, *range(5, 13)]
        assert [round(point.epoch * 90) for point in watcher.of("train")][:3] == [64, 80, 90]
        assert [(point.step, point.epoch) for point in watcher.of("validation")] == [(6, 1.0), (12, 2.0)]
        assert watcher.of("train")[-1].epoch == 2.0
        assert [point.epoch for point in watcher.points] == sorted(point.epoch for point in watcher.points)
        assert watcher.points[-1].seconds == pytest.approx(engine.now) == outcome.train_seconds

    def test_measure_the_chunk(self, note):
        watcher, outcome = note(NotingEngine(seconds_per_image=0.02, chunk_loss={1: 2.5}))

        first = watcher.points[0]
        assert (first.loss, first.accuracy, first.seconds) == (pytest.approx(2.5), 0.5, pytest.approx(64 * 0.02))
        assert first.images_per_second == pytest.approx(50)
        assert outcome.images_per_second == pytest.approx(50)

    def test_validate_after_each_epoch_on_what_was_held_back(self, note):
        engine = NotingEngine(validation=(0.9, 0.7, 0.8))
        watcher, _ = note(engine)

        assert engine.predicted == [10, 10, 10]
        assert [point.loss for point in watcher.of("validation")] == pytest.approx([0.9, 0.7, 0.8])
        assert all(point.images_per_second is None for point in watcher.of("validation"))


class TestBestEpoch:
    def test_is_kept_with_its_figures(self, note):
        watcher, outcome = note(NotingEngine(validation=(0.9, 0.5, 0.8, 0.4, 0.6)), epochs=5)

        assert [epoch for epoch, _ in watcher.saved] == [1, 2, 4]
        assert (outcome.stopped, outcome.best_epoch) == (False, 4)
        assert outcome.val_loss == pytest.approx(0.4)
        assert outcome.val_accuracy == 1.0  # a loss below log 2 means that the first class won

    def test_is_the_first_of_equals(self, note):
        watcher, outcome = note(NotingEngine(validation=(0.5, 0.5)), epochs=2)

        assert [epoch for epoch, _ in watcher.saved] == [1]
        assert outcome.best_epoch == 1

    def test_has_the_weights_of_its_end(self, note):
        engine = NotingEngine(validation=(0.5, 0.9))
        watcher, _ = note(engine, epochs=2)

        ((_, weights),) = watcher.saved
        before_the_end_of_epoch_1 = np.cumsum([chunk.size for chunk in engine.chunks]) <= 90
        assert weights["chunks"] == before_the_end_of_epoch_1.sum()


class TestStopping:
    @pytest.mark.parametrize("chunks", [1, 2, 5])
    def test_happens_after_the_chunk(self, note, chunks):
        engine = NotingEngine(seconds_per_image=1)
        watcher, outcome = note(engine, Watcher(stop_after=chunks), batch_size=4)

        assert len(engine.chunks) == len(watcher.points) == chunks
        assert outcome == Outcome(
            stopped=True,
            train_seconds=engine.now,
            images_per_second=pytest.approx(1),
            best_epoch=None,
            val_loss=None,
            val_accuracy=None,
        )
        assert watcher.saved == []

    def test_leaves_the_best_epoch_so_far(self, note):
        engine = NotingEngine(seconds_per_image=1, validation=(0.5,))
        watcher, outcome = note(engine, Watcher(stop_after=4), batch_size=45)

        assert (outcome.stopped, outcome.best_epoch, outcome.val_loss) == (True, 1, pytest.approx(0.5))
        assert [epoch for epoch, _ in watcher.saved] == [1]
        assert watcher.points[-1].epoch == 2.5


class TestDivergence:
    @pytest.mark.parametrize("loss", [math.nan, math.inf])
    def test_of_the_training_loss_ends_it(self, note, loss):
        engine, watcher = NotingEngine(seconds_per_image=1, chunk_loss={3: loss}), Watcher()
        with pytest.raises(DivergedError, match=rf"^The loss became {loss} by step 6\.$"):
            note(engine, watcher)

        assert len(engine.chunks) == 3
        assert all(math.isfinite(point.loss) for point in watcher.points)

    def test_of_the_validation_loss_ends_it_before_anything_is_saved(self, note):
        watcher = Watcher()
        with pytest.raises(DivergedError, match=r"^The loss became nan by step 6\.$"):
            note(NotingEngine(validation=(math.nan,)), watcher)

        assert watcher.of("validation") == watcher.saved == []

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_of_a_real_network_ends_it(self, framework, dataset):
        config = configure(framework=framework, architecture="ann-100")
        engine = get_backend(framework).Engine(config, get_architecture("ann-100"), (28, 28, 1), 10)
        engine.load_weights({name: np.full_like(values, np.nan) for name, values in engine.weights().items()})

        with pytest.raises(DivergedError, match="nan"):
            Watcher().watch(engine, dataset, framework=framework)


def test_split_and_limit_are_those_of_the_settings(dataset):
    split = split_of(configure(train_limit=50, validation_share=0.2, validation_part="last"), dataset)

    assert (len(split.train), len(split.validation)) == (40, 10)
    assert max(split.train) < min(split.validation)


def test_test_images_validate_where_the_settings_say_so(dataset):
    config = configure(validation_part="test")

    assert validation_of(config, dataset) is dataset.test
    assert len(split_of(config, dataset).train) == len(dataset.train.labels)


def test_real_engines_learn_the_same_from_the_same(dataset):
    """From the same weights, over three epochs, and the weights of the best one are handed over."""
    architecture = get_architecture("ann-100")
    points, weights = {}, {}
    for framework in FRAMEWORKS:
        settings = {"framework": framework, "architecture": "ann-100", "learning_rate": 0.05}
        config = configure(**settings)
        engine = get_backend(framework).Engine(config, architecture, dataset.image_shape, 10)
        engine.load_weights(draw(architecture, dataset.image_shape, 10, config.seed))
        watcher = Watcher()
        outcome = watcher.watch(engine, dataset, **settings)

        points[framework] = watcher.of("validation")
        best = min(points[framework], key=lambda point: point.loss)
        assert (outcome.best_epoch, outcome.val_loss) == (best.epoch, best.loss)

        weights[framework] = watcher.saved[-1][1]
        engine.load_weights(weights[framework])
        images, labels = validation_of(config, dataset)
        kept = loss_and_accuracy(engine.predict(images), labels)
        assert kept == (outcome.val_loss, outcome.val_accuracy)

    first, second = (points[framework] for framework in FRAMEWORKS)
    assert [point.loss for point in first] == pytest.approx([point.loss for point in second], abs=1e-4)
    assert first[-1].loss < first[0].loss - 0.3
    for name, values in weights["pytorch"].items():
        np.testing.assert_allclose(values, weights["tensorflow"][name], atol=1e-4)
