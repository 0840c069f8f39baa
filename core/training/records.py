"""What a training tells of itself: measurements, epochs, how far it has come, how it ended.

These are plain values, so that whoever stores or draws them need not know the loop that makes them.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple


class StepMetrics(NamedTuple):
    """One measurement. `epoch` counts passes over the data, `seconds` those spent training so far.

    The learning rate and the gradient's length are those of the last step before it.
    """

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
    """The record of a whole epoch, counted from 1. It is the same however a training was watched or broken off.

    The training figures are means over all its steps, while the network changed. The others are missing where the
    epoch was not validated; `confusion` counts validation images by true class (row) and answer (column).
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    seconds: float
    confusion: list[list[int]] | None


class Validated(NamedTuple):
    """What the validation images said after an epoch, counted from 1."""

    epoch: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Progress:
    """How far a training has come: all that its loop remembers from one step to the next.

    `epoch` are the whole ones before, `seen` the images of the one that has begun, whose sums follow. `kept` is the
    epoch whose weights were kept last, `best` the one that was best so far.
    """

    step: int = 0
    epoch: int = 0
    seen: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    images: int = 0
    best: Validated | None = None
    kept: Validated | None = None


@dataclass(frozen=True)
class Outcome:
    """How a training ended. The validation figures are those of the epoch whose weights were kept.

    `stopped` is whether it was asked to; `early` whether it saw itself that nothing became better.
    """

    stopped: bool
    early: bool
    epochs: int
    train_seconds: float
    images_per_second: float
    best_epoch: int | None
    val_loss: float | None
    val_accuracy: float | None


class DivergedError(ArithmeticError):
    """The loss is no longer a number."""
