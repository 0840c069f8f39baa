"""The one training loop of both engines: epochs, batch order, best checkpoint, reporting, stopping.

    outcome = train(config, dataset, engine, report=print, save=save, should_stop=lambda: False)

The order of the images comes from NumPy, seeded by the config, so both frameworks see the same
batches. Steps are sent to the engine in chunks sized to last about `TICK` seconds, which keeps
curves live and stopping quick; where the chunks end never changes a batch.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from core.augmentation import draw_transforms, is_augmented
from core.config import RunConfig
from core.datasets import Dataset, Split, TrainSplit, split_train
from core.evaluation import loss_and_accuracy

TICK = 0.25
"""Seconds a chunk should last."""


class Engine(Protocol):
    """The verbs of a backend that training needs; see `core.backends`."""

    def load_data(self, images: np.ndarray, labels: np.ndarray) -> None: ...
    def train(self, indices: np.ndarray, transforms: np.ndarray | None = None) -> tuple[float, int]: ...
    def predict(self, images: np.ndarray) -> np.ndarray: ...
    def weights(self) -> dict[str, np.ndarray]: ...


class Point(NamedTuple):
    """One measurement. `epoch` counts passes over the data, `seconds` those spent training so far."""

    step: int
    epoch: float
    split: Literal["train", "validation"]
    loss: float
    accuracy: float
    seconds: float
    images_per_second: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None


class Epoch(NamedTuple):
    """What an epoch came to. `epoch` counts from 1, `step` from the start of the run, `seconds` are its own.

    The validation figures and the confusion matrix, rows of true classes, are None where it was not validated.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float | None
    seconds: float
    confusion: list[list[int]] | None


@dataclass(frozen=True)
class Outcome:
    """How a training ended. The validation figures are those of the epoch whose weights were kept."""

    stopped: bool
    train_seconds: float
    images_per_second: float
    best_epoch: int | None
    val_loss: float | None
    val_accuracy: float | None


class DivergedError(ArithmeticError):
    """The loss is no longer a number."""


def train(
    config: RunConfig,
    dataset: Dataset,
    engine: Engine,
    *,
    report: Callable[[Point], None],
    save: Callable[[int, dict[str, np.ndarray]], None],
    should_stop: Callable[[], bool],
) -> Outcome:
    """Train a network, keeping the weights of the epoch with the lowest validation loss.

    Args:
        report: called with each measurement, a few times a second.
        save: called with the epoch (from 1) and the canonical weights whenever they are the best so far.
        should_stop: asked after each chunk.

    Raises:
        DivergedError: if a loss is infinite or not a number.
    """
    split = split_of(config, dataset)
    engine.load_data(dataset.train.images, dataset.train.labels)
    validation_images, validation_labels = validation_of(config, dataset)
    step, seconds, images, chunk_steps = 0, 0.0, 0, 4
    best_epoch, best_loss, best_accuracy = None, None, None
    stopped = False

    for epoch in range(config.epochs):
        order = np.random.default_rng([config.seed, 2, epoch]).permutation(split.train)
        transforms = _transforms(config, dataset, len(order), epoch)
        seen = 0
        while seen < len(order) and not stopped:
            indices = _next_chunk(order[seen:], config.batch_size, chunk_steps)
            started = time.perf_counter()
            if transforms is None:
                loss_sum, correct = engine.train(indices)
            else:
                chunk = transforms[seen : seen + indices.size]
                loss_sum, correct = engine.train(indices, chunk.reshape(*indices.shape, 2, 3))
            elapsed = time.perf_counter() - started
            step, seen = step + len(indices), seen + indices.size
            seconds, images = seconds + elapsed, images + indices.size
            report(
                Point(
                    step=step,
                    epoch=epoch + seen / len(order),
                    split="train",
                    loss=_finite(loss_sum / indices.size, step),
                    accuracy=correct / indices.size,
                    seconds=seconds,
                    images_per_second=indices.size / elapsed,
                )
            )
            if indices.shape[1] == config.batch_size:  # a small last batch says little about whole ones
                chunk_steps = _resize(chunk_steps, elapsed * chunk_steps / len(indices))
            stopped = should_stop()
        if stopped:
            break
        loss, accuracy = loss_and_accuracy(engine.predict(validation_images), validation_labels)
        report(Point(step, epoch + 1.0, "validation", _finite(loss, step), accuracy, seconds))
        if best_loss is None or loss < best_loss:
            best_epoch, best_loss, best_accuracy = epoch + 1, loss, accuracy
            save(epoch + 1, engine.weights())
    return Outcome(stopped, seconds, images / seconds, best_epoch, best_loss, best_accuracy)


def split_of(config: RunConfig, dataset: Dataset) -> TrainSplit:
    """Return the images a run learns from and validates on."""
    return split_train(
        dataset,
        share=config.validation_share,
        seed=config.seed,
        part=config.validation_part,
        limit=config.train_limit,
    )


def validation_of(config: RunConfig, dataset: Dataset) -> Split:
    """Return the images a run validates on after each epoch, and their labels."""
    if config.validation_part == "test":
        return dataset.test
    chosen = split_of(config, dataset).validation
    return Split(dataset.train.images[chosen], dataset.train.labels[chosen])


def count_steps(config: RunConfig, dataset: Dataset) -> int:
    """Return the number of steps of a whole training; the last batch of an epoch may be smaller."""
    return config.epochs * math.ceil(len(split_of(config, dataset).train) / config.batch_size)


def _transforms(config: RunConfig, dataset: Dataset, count: int, epoch: int) -> np.ndarray | None:
    """Return an epoch's transforms in the order of its images, or nothing where images stay as they are."""
    if not is_augmented(config):
        return None
    generator = np.random.default_rng([config.seed, 4, epoch])
    return draw_transforms(config, dataset.image_shape, count, generator)


def _next_chunk(order: np.ndarray, batch_size: int, steps: int) -> np.ndarray:
    """Return the next batches as an index matrix; what is left at the end is a batch of its own."""
    whole = min(steps, len(order) // batch_size)
    if whole == 0:
        return order[np.newaxis, :]
    return order[: whole * batch_size].reshape(whole, batch_size)


def _resize(steps: int, seconds: float) -> int:
    """Return how many steps the next chunk should have; growth is limited, as first chunks are slow."""
    return int(np.clip(steps * TICK / seconds, 1, steps * 4))


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise DivergedError(f"The loss became {loss} by step {step}.")
    return loss
