"""The one training loop of both engines: epochs, batch order, best checkpoint, reporting, stopping, resuming.

    outcome = train(config, dataset, engine, listener)      # a `Listener`, told of what happens

The order of the images comes from NumPy, seeded by the config, so both frameworks see the same
batches. Steps are sent to the engine in chunks sized to last about `TICK` seconds, which keeps
curves live and stopping quick; where the chunks end never changes a batch, nor the record of an epoch.
"""

import math
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from core.config import RunConfig
from core.datasets import Dataset, Split, TrainSplit, split_train
from core.engines import Chunk, Engine
from core.engines.augmentation import draw_transforms, is_augmented
from core.training.checkpoints import DamagedStateError
from core.training.metrics import confusion, loss_and_accuracy
from core.training.records import DivergedError, Epoch, Outcome, Progress, StepMetrics, Validated
from core.training.schedules import learning_rates

TICK = 0.25
"""Seconds a chunk should last."""

STATE_PAUSE_S = 10.0
"""Seconds of training between two states to resume from, at least."""


class Listener:
    """Is told of what happens in a training, and asked whether it should stop; does nothing unless a subclass does."""

    def on_metrics(self, metrics: StepMetrics) -> None:
        """Take note of a measurement: of some steps, a few times a second, or of a validation."""

    def on_validation(self, epoch: int, predicted: np.ndarray) -> None:
        """Take note of the predicted class of each validation image, int64 `(N,)`, after an epoch, from 1."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Take note of a whole epoch; where it was validated, after `on_validation`."""

    def on_checkpoint(self, epoch: int, weights: dict[str, np.ndarray]) -> None:
        """Keep the canonical weights after an epoch, counted from 1: they are the best, or the last, so far."""

    def on_state(self, progress: Progress, state: dict[str, np.ndarray]) -> None:
        """Keep what it takes to resume from here: now and then, and when the training is stopped."""

    def should_stop(self) -> bool:
        """Return whether the training is to stop now: asked after each chunk."""
        return False


def train(
    config: RunConfig,
    dataset: Dataset,
    engine: Engine,
    listener: Listener,
    *,
    resume_from: tuple[Progress, dict[str, np.ndarray]] | None = None,
) -> Outcome:
    """Train a network, keeping the weights of the best epoch, or of the last one, as the config says.

    Args:
        resume_from: what `Listener.on_state` was told, to go on as if nothing had happened in between.

    Raises:
        DivergedError: if a loss is infinite or not a number.
        DamagedStateError: if what it is to go on from does not fit the network and its optimizer.
    """
    split = split_of(config, dataset)
    rates = learning_rates(config, math.ceil(len(split.train) / config.batch_size))
    engine.load_data(dataset.train.images, dataset.train.labels, _class_weights(config, dataset, split))
    progress = Progress()
    if resume_from is not None:
        progress, state = resume_from
        _load_state(engine, state)
    chunk_steps, state_at, early, stopped = 4, progress.seconds, False, False

    while progress.epoch < config.epochs and not early and not stopped:
        order = order_of(config, split, progress.epoch)
        transforms = transforms_of(config, dataset, len(order), progress.epoch)
        while progress.seen < len(order) and not stopped:
            # Not at the end of an epoch: what is measured there would be measured again by whoever resumes.
            if progress.seconds - state_at >= STATE_PAUSE_S:
                listener.on_state(progress, engine.state())
                state_at = progress.seconds
            indices = _next_chunk(order[progress.seen :], config.batch_size, chunk_steps)
            chunk_rates = rates[progress.step : progress.step + len(indices)]
            chunk_transforms = None
            if transforms is not None:
                chunk_transforms = transforms[progress.seen : progress.seen + indices.size]
                chunk_transforms = chunk_transforms.reshape(*indices.shape, *transforms.shape[1:])
            started = time.perf_counter()
            chunk = engine.train(indices, chunk_rates, chunk_transforms)
            elapsed = time.perf_counter() - started
            progress = _add(progress, chunk, indices, elapsed)
            _report(progress, chunk, indices, chunk_rates, len(order), elapsed, listener)
            if indices.shape[1] == config.batch_size:  # a small last batch says little about whole ones
                chunk_steps = _resize(chunk_steps, elapsed * chunk_steps / len(indices))
            stopped = listener.should_stop()
        if not stopped:
            rate = float(rates[progress.step - 1])
            progress, validated = _close_epoch(config, dataset, engine, progress, rate, listener)
            if config.patience and validated and progress.best is not None:
                early = progress.epoch - progress.best.epoch >= config.patience
    if stopped:
        listener.on_state(progress, engine.state())
    kept = progress.kept
    return Outcome(
        stopped=stopped,
        early=early and progress.epoch < config.epochs,
        epochs=progress.epoch,
        train_seconds=progress.seconds,
        images_per_second=progress.images / progress.seconds,
        best_epoch=kept.epoch if kept else None,
        val_loss=kept.loss if kept else None,
        val_accuracy=kept.accuracy if kept else None,
    )


def _load_state(engine: Engine, state: dict[str, np.ndarray]) -> None:
    try:
        engine.load_state(state)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:  # the frameworks agree on none
        raise DamagedStateError(
            f"What was kept to go on from does not fit the network and its optimizer ({type(error).__name__}: {error})."
        ) from error


def _report(
    progress: Progress,
    chunk: Chunk,
    indices: np.ndarray,
    rates: np.ndarray,
    images: int,
    seconds: float,
    listener: Listener,
) -> None:
    """Report a chunk; of one in which the training diverges, what came before that."""
    finite = np.isfinite(chunk.losses)
    good = len(finite) if finite.all() else int(finite.argmin())
    lost = len(finite) - good
    if good:
        listener.on_metrics(
            StepMetrics(
                step=progress.step - lost,
                epoch=progress.epoch + (progress.seen - lost * indices.shape[1]) / images,
                split="train",
                loss=float(chunk.losses[:good].mean()),
                accuracy=float(chunk.correct[:good].sum() / (good * indices.shape[1])),
                seconds=progress.seconds,
                images_per_second=indices.size / seconds,
                learning_rate=float(rates[good - 1]),
                gradient_norm=chunk.gradient_norm if math.isfinite(chunk.gradient_norm) else None,
            )
        )
    if lost:
        _finite(float(chunk.losses[good]), progress.step - lost + 1)


def _add(progress: Progress, chunk: Chunk, indices: np.ndarray, seconds: float) -> Progress:
    """Count a chunk; the sums are made step by step, so that they do not depend on where chunks end."""
    sums = np.add.accumulate([progress.loss_sum, *(chunk.losses * indices.shape[1])])
    return replace(
        progress,
        step=progress.step + len(indices),
        seen=progress.seen + indices.size,
        loss_sum=float(sums[-1]),
        correct=progress.correct + int(chunk.correct.sum()),
        seconds=progress.seconds + seconds,
        images=progress.images + indices.size,
    )


def _close_epoch(
    config: RunConfig,
    dataset: Dataset,
    engine: Engine,
    progress: Progress,
    rate: float,
    listener: Listener,
) -> tuple[Progress, bool]:
    """Validate where it is time to and record the epoch.

    Returns:
        The progress at the start of the next epoch, and whether this one was validated.
    """
    epoch = progress.epoch + 1
    validated = matrix = None
    if epoch % config.validation_every == 0 or epoch == config.epochs:
        images, labels = validation_of(config, dataset)
        outputs = engine.predict(images)
        loss, accuracy = loss_and_accuracy(outputs, labels)
        validated = Validated(epoch, _finite(loss, progress.step), accuracy)
        predicted = outputs.argmax(axis=1)
        matrix = confusion(labels, predicted, len(dataset.class_names)).tolist()
        listener.on_validation(epoch, predicted)
        listener.on_metrics(StepMetrics(progress.step, float(epoch), "validation", loss, accuracy, progress.seconds))
    listener.on_epoch(
        Epoch(
            epoch=epoch,
            step=progress.step,
            train_loss=progress.loss_sum / progress.seen,
            train_accuracy=progress.correct / progress.seen,
            val_loss=validated and validated.loss,
            val_accuracy=validated and validated.accuracy,
            learning_rate=rate,
            seconds=progress.seconds,
            confusion=matrix,
        )
    )
    progress = replace(progress, epoch=epoch, seen=0, loss_sum=0.0, correct=0)
    if validated is None:
        return progress, False
    best = validated if progress.best is None or _is_better(config, validated, progress.best) else progress.best
    if config.checkpoint_policy == "last" or best is validated:
        listener.on_checkpoint(epoch, engine.weights())
        progress = replace(progress, kept=validated)
    return replace(progress, best=best), True


def _is_better(config: RunConfig, validated: Validated, best: Validated) -> bool:
    return validated.loss < best.loss if config.monitor == "val_loss" else validated.accuracy > best.accuracy


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


def order_of(config: RunConfig, split: TrainSplit, epoch: int) -> np.ndarray:
    """Return the training images' numbers, int64, in the order of epoch `epoch`, counted from 0."""
    return np.random.default_rng([config.seed, 2, epoch]).permutation(split.train)


def transforms_of(config: RunConfig, dataset: Dataset, count: int, epoch: int) -> np.ndarray | None:
    """Return an epoch's transforms in the order of its images, or nothing where images stay as they are."""
    if not is_augmented(config):
        return None
    generator = np.random.default_rng([config.seed, 4, epoch])
    return draw_transforms(config, dataset.image_shape, count, generator)


class Batch(NamedTuple):
    """Training images by their numbers, and how each is changed, see `core.engines.augmentation`: `(N, 2, columns)`."""

    indices: np.ndarray
    transforms: np.ndarray | None


def first_batch(config: RunConfig, dataset: Dataset) -> Batch:
    """Return the batch that a run learns from first, exactly as it is trained."""
    order = order_of(config, split_of(config, dataset), epoch=0)
    transforms = transforms_of(config, dataset, len(order), epoch=0)
    count = config.batch_size
    return Batch(order[:count], None if transforms is None else transforms[:count])


def count_steps(config: RunConfig, dataset: Dataset) -> int:
    """Return the number of steps of a whole training; the last batch of an epoch may be smaller."""
    return config.epochs * math.ceil(len(split_of(config, dataset).train) / config.batch_size)


def _class_weights(config: RunConfig, dataset: Dataset, split: TrainSplit) -> np.ndarray | None:
    """Return what an image of each class counts, float64, so that each class counts the same in all."""
    if config.class_weights == "none":
        return None
    counts = np.bincount(dataset.train.labels[split.train], minlength=len(dataset.class_names))
    return len(split.train) / (np.count_nonzero(counts) * np.maximum(counts, 1))


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
        raise DivergedError(f"The loss became {loss} at step {step}.")
    return loss
