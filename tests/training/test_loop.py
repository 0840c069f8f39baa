"""The training loop, with an engine that only takes notes and with the real ones."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from core import datasets
from core.config import Framework, configure
from core.datasets import Dataset, Split
from core.engines import Chunk, get_engine
from core.engines.initialisation import initial_weights
from core.networks.registry import get_architecture
from core.training import loop
from core.training.loop import STATE_PAUSE_S, TICK, Listener, count_steps, first_batch, split_of, train, validation_of
from core.training.metrics import loss_and_accuracy
from core.training.records import DivergedError, Epoch, Outcome, Progress, StepMetrics

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)

# 90 of them are trained on: in batches of 16, that is five whole ones and a last one of 10.
IMAGES = 100


class NotingEngine:
    """Notes its batches, takes time on a clock of its own, and loses what it is told to lose."""

    def __init__(self, *, seconds_per_image: float = 0.01, validation: tuple[float, ...] = (), chunk_loss=None):
        self.now = 0.0
        self.chunks: list[np.ndarray] = []
        self.rates: list[float] = []
        self.transforms: list[np.ndarray | None] = []
        self.predicted: list[int] = []
        self._seconds = seconds_per_image
        self._validation = validation
        self._chunk_loss = chunk_loss or {}

    @property
    def batches(self) -> list[list[int]]:
        return [batch.tolist() for chunk in self.chunks for batch in chunk]

    def load_data(self, images: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None) -> None:
        assert len(images) == len(labels)
        self.class_weights = class_weights

    def train(self, indices: np.ndarray, learning_rates: np.ndarray, transforms: np.ndarray | None = None) -> Chunk:
        assert indices.dtype == np.int64
        assert len(learning_rates) == len(indices)
        self.chunks.append(indices.copy())
        self.rates.extend(learning_rates)
        self.transforms.append(transforms)
        self.now += indices.size * self._seconds
        loss = self._chunk_loss.get(len(self.chunks), 0.5)
        return Chunk(np.full(len(indices), loss), np.full(len(indices), indices.shape[1] // 2), 1.5)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return logits of two classes whose cross-entropy is the epoch's, where the first class is right."""
        epoch = len(self.predicted)
        self.predicted.append(len(images))
        loss = self._validation[epoch] if epoch < len(self._validation) else 1.0
        return np.tile([0.0, math.log(math.expm1(loss))], (len(images), 1))

    def weights(self) -> dict[str, np.ndarray]:
        return {"chunks": np.array([len(self.chunks)])}

    def state(self) -> dict[str, np.ndarray]:
        return {"steps": np.array(len(self.rates))}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.loaded = state


class Watcher(Listener):
    """Notes what a training tells; stops it after `stop_after` chunks."""

    def __init__(self, stop_after: float = math.inf):
        self.points: list[StepMetrics] = []
        self.saved: list[tuple[int, dict[str, np.ndarray]]] = []
        self.epochs: list[Epoch] = []
        self.predicted: dict[int, np.ndarray] = {}
        self.kept: list[tuple[Progress, dict[str, np.ndarray]]] = []
        self._stop_after = stop_after

    def of(self, split: str) -> list[StepMetrics]:
        return [point for point in self.points if point.split == split]

    def on_metrics(self, metrics: StepMetrics) -> None:
        self.points.append(metrics)

    def on_validation(self, epoch: int, predicted: np.ndarray) -> None:
        assert epoch not in [each.epoch for each in self.epochs], "it comes before the record of its epoch"
        self.predicted[epoch] = predicted

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    def on_checkpoint(self, epoch: int, weights: dict[str, np.ndarray]) -> None:
        self.saved.append((epoch, weights))

    def on_state(self, progress: Progress, state: dict[str, np.ndarray]) -> None:
        self.kept.append((progress, state))

    def should_stop(self) -> bool:
        return len(self.of("train")) >= self._stop_after

    def watch(self, engine, dataset: Dataset, resume_from=None, **settings) -> Outcome:
        config = configure(**{"epochs": 3, "batch_size": 16, **settings})
        return train(config, dataset, engine, self, resume_from=resume_from)


@pytest.fixture
def dataset() -> Dataset:
    """The first images of MNIST."""
    mnist = datasets.load("mnist")
    return replace(mnist, train=Split(mnist.train.images[:IMAGES], mnist.train.labels[:IMAGES]))


@pytest.fixture
def note(monkeypatch, dataset):
    """Train a noting engine by its own clock, on images that are all of the first class."""
    plain = replace(dataset, train=Split(dataset.train.images, np.zeros(IMAGES, np.int64)))

    def note(
        engine: NotingEngine, watcher: Watcher | None = None, resume_from=None, **settings
    ) -> tuple[Watcher, Outcome]:
        watcher = watcher or Watcher()
        monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: engine.now))
        return watcher, watcher.watch(engine, plain, resume_from, **settings)

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

    @pytest.mark.parametrize("batch_size", [16, 8192])
    def test_first_one_can_be_looked_at_before(self, note, dataset, batch_size):
        engine, settings = NotingEngine(), {"rotation": 10, "erasing": 0.5, "seed": 3, "batch_size": batch_size}
        note(engine, **settings)

        plain = replace(dataset, train=Split(dataset.train.images, np.zeros(IMAGES, np.int64)))
        indices, transforms = first_batch(configure(**settings), plain)

        np.testing.assert_array_equal(indices, engine.batches[0])
        np.testing.assert_array_equal(transforms, engine.transforms[0][0])

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

    def test_tells_the_predicted_classes_of_each_validation(self, note):
        # The first class, the right one, wins with a loss below log 2.
        watcher, _ = note(NotingEngine(validation=(0.9, 0.5)), epochs=4, validation_every=2)

        assert {epoch: set(predicted.tolist()) for epoch, predicted in watcher.predicted.items()} == {2: {1}, 4: {0}}
        assert all(len(predicted) == 10 for predicted in watcher.predicted.values())


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
            early=False,
            epochs=0,
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


class TestEarlyStopping:
    def test_waits_for_its_patience(self, note):
        watcher, outcome = note(NotingEngine(validation=(0.9, 0.5, 0.6, 0.7, 0.8, 0.1)), epochs=6, patience=3)

        assert (outcome.stopped, outcome.early, outcome.epochs, outcome.best_epoch) == (False, True, 5, 2)
        assert watcher.points[-1].epoch == 5.0

    def test_at_the_last_epoch_is_no_early_one(self, note):
        _, outcome = note(NotingEngine(validation=(0.5, 0.6, 0.7)), epochs=3, patience=2)

        assert (outcome.early, outcome.epochs) == (False, 3)

    def test_counts_what_was_not_validated_but_does_not_judge_it(self, note):
        engine = NotingEngine(validation=(0.5, 0.6, 0.7, 0.8))
        _, outcome = note(engine, epochs=9, patience=3, validation_every=2)

        assert (outcome.epochs, len(engine.predicted)) == (6, 3)

    def test_may_watch_the_accuracy(self, note):
        """A loss above log 2 is an answer that is wrong: the accuracy of the noting engine is 1 or 0."""
        engine = NotingEngine(validation=(0.8, 0.6, 0.5, 0.4))
        watcher, outcome = note(engine, epochs=4, monitor="val_accuracy")

        assert [epoch for epoch, _ in watcher.saved] == [1, 2]
        assert (outcome.best_epoch, outcome.val_accuracy) == (2, 1.0)


class TestKeptWeights:
    def test_may_be_those_of_the_last_epoch(self, note):
        watcher, outcome = note(NotingEngine(validation=(0.5, 0.9, 0.8)), checkpoint_policy="last")

        assert [epoch for epoch, _ in watcher.saved] == [1, 2, 3]
        assert (outcome.best_epoch, outcome.val_loss) == (3, pytest.approx(0.8))


class TestEpochs:
    def test_are_recorded_with_their_means_and_confusions(self, note):
        watcher, _ = note(NotingEngine(validation=(0.9, 0.5), chunk_loss={1: 2.0}), epochs=2)

        first, second = watcher.epochs
        assert (first.epoch, first.step, second.epoch, second.step) == (1, 6, 2, 12)
        assert first.train_loss == pytest.approx((4 * 16 * 2.0 + 26 * 0.5) / 90)
        assert (second.train_loss, second.train_accuracy) == (0.5, 0.5)
        assert (second.val_loss, second.val_accuracy) == (pytest.approx(0.5), 1.0)
        assert np.sum(first.confusion) == 10
        assert (first.confusion[0][1], second.confusion[0][0]) == (10, 10)

    def test_are_the_same_however_the_training_is_cut(self, note):
        losses = dict(enumerate(np.random.default_rng(1).uniform(0, 3, 100)))
        slow, slower = (NotingEngine(seconds_per_image=seconds, chunk_loss=losses) for seconds in (0.25 / 16, 1.0))
        first, _ = note(slow, batch_size=16)
        second, _ = note(slower, batch_size=16)

        assert len(slow.chunks) == len(slower.chunks) == 18 - 3
        assert [epoch.train_loss for epoch in first.epochs] == [epoch.train_loss for epoch in second.epochs]

    def test_that_are_not_validated_say_so(self, note):
        watcher, outcome = note(NotingEngine(validation=(0.5, 0.4)), epochs=5, validation_every=3)

        assert [epoch.val_loss is not None for epoch in watcher.epochs] == [False, False, True, False, True]
        assert [epoch.confusion is not None for epoch in watcher.epochs] == [False, False, True, False, True]
        assert [point.epoch for point in watcher.of("validation")] == [3.0, 5.0]
        assert outcome.best_epoch == 5


class TestGoingOn:
    def test_needs_only_what_was_kept(self, note):
        """Stopped at any chunk and gone on from there, all batches, rates and records are those of one training."""
        settings = {"schedule": "one_cycle", "batch_size": 16}
        validation = (0.9, 0.5, 0.6)
        whole = NotingEngine(seconds_per_image=1, validation=validation)
        undisturbed, _ = note(whole, **settings)
        for stop_after in range(1, 15):
            first = NotingEngine(seconds_per_image=1, validation=validation)
            broken, outcome = note(first, Watcher(stop_after=stop_after), **settings)
            assert outcome.stopped
            progress, state = broken.kept[-1]
            assert state["steps"] == progress.step

            second = NotingEngine(seconds_per_image=1, validation=validation[progress.epoch :])
            pending, outcome = note(second, resume_from=broken.kept[-1], **settings)

            assert not outcome.stopped
            assert second.loaded is state
            assert first.batches + second.batches == whole.batches
            assert first.rates + second.rates == whole.rates
            assert [e._replace(seconds=0) for e in broken.epochs + pending.epochs] == [
                e._replace(seconds=0) for e in undisturbed.epochs
            ]
            assert outcome.best_epoch == 2

    def test_is_possible_from_time_to_time(self, note):
        engine = NotingEngine(seconds_per_image=STATE_PAUSE_S / 40)
        watcher, _ = note(engine, batch_size=16)

        assert 4 <= len(watcher.kept) <= 270 // 40
        assert all(progress.step == state["steps"] for progress, state in watcher.kept)


class TestLearningRates:
    def test_reach_the_engine_and_the_points(self, note):
        engine = NotingEngine(seconds_per_image=1)
        watcher, _ = note(engine, schedule="step", decay_factor=0.1, learning_rate=0.5)

        assert engine.rates == pytest.approx([0.5] * 6 + [0.05] * 6 + [0.005] * 6)
        assert [point.learning_rate for point in watcher.of("train")][-1] == pytest.approx(0.005)
        assert [epoch.learning_rate for epoch in watcher.epochs] == pytest.approx([0.5, 0.05, 0.005])
        assert watcher.of("train")[0].gradient_norm == 1.5


def test_balanced_classes_count_the_same(dataset, note):
    uneven = replace(dataset, train=Split(dataset.train.images, np.repeat([0, 1], [80, 20])))
    engine = NotingEngine()
    Watcher().watch(engine, uneven, class_weights="balanced", epochs=1)

    labels = uneven.train.labels[split_of(configure(), uneven).train]
    sums = [engine.class_weights[label] * (labels == label).sum() for label in (0, 1)]
    assert sums == pytest.approx([45, 45])
    note(engine)
    assert engine.class_weights is None


class TestDivergence:
    @pytest.mark.parametrize("loss", [math.nan, math.inf])
    def test_of_the_training_loss_ends_it(self, note, loss):
        engine, watcher = NotingEngine(seconds_per_image=1, chunk_loss={3: loss}), Watcher()
        with pytest.raises(DivergedError, match=rf"^The loss became {loss} at step 6\.$"):
            note(engine, watcher)

        assert len(engine.chunks) == 3
        assert all(math.isfinite(point.loss) for point in watcher.points)

    def test_of_the_validation_loss_ends_it_before_anything_is_saved(self, note):
        watcher = Watcher()
        with pytest.raises(DivergedError, match=r"^The loss became nan at step 6\.$"):
            note(NotingEngine(validation=(math.nan,)), watcher)

        assert watcher.of("validation") == watcher.saved == []

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_of_a_real_network_ends_it(self, framework, dataset):
        config = configure(framework=framework, architecture="ann-100")
        engine = get_engine(framework).Engine(config, get_architecture("ann-100"), (28, 28, 1), 10)
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
        engine = get_engine(framework).Engine(config, architecture, dataset.image_shape, 10)
        engine.load_weights(initial_weights(architecture, dataset.image_shape, 10, config.seed))
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
        np.testing.assert_allclose(values, weights["keras"][name], atol=1e-4)
