"""What the epochs of a run tell: whether it was done learning, learnt by heart, or stepped too far."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from core.config import LEARNING_RATES, OPTIMIZER_TITLES
from core.studies.findings.evidence import Evidence
from core.studies.findings.finding import Finding

_CONSIDERABLE = 0.1
"""A loss has changed where it has by this share."""

_SLIGHT = 0.05
"""A loss still falls where it has by this share …"""

_SLIGHT_OF_GUESSING = 0.01
"""… and by this share of the loss of guessing: below that there is nothing left to gain."""

_JUMP = 1.25
"""A loss has gone up where it is so many times the lowest before …"""

_JUMP_OF_GUESSING = 0.05
"""… and has risen by this share of the loss of guessing."""


class _Validated(NamedTuple):
    """An epoch that was validated."""

    epoch: int
    train_loss: float
    loss: float
    accuracy: float


def _validated(evidence: Evidence) -> list[_Validated]:
    return [
        _Validated(each.epoch, each.train_loss, each.val_loss, each.val_accuracy)
        for each in evidence.epochs
        if each.val_loss is not None and each.val_accuracy is not None
    ]


def still_improving(evidence: Evidence) -> Finding | None:
    """Say that more epochs would help: the last quarter of them lowered the validation loss by more than chance does.

    The loss tells sooner than the accuracy, which on so many images is the coarser measure.
    """
    epochs, noise = _validated(evidence), evidence.loss_noise
    if len(epochs) < 2 or evidence.run.results.stopped_early or noise is None:
        return None
    length = max(1, len(epochs) // 4)
    before, after = epochs[-2 * length : -length], epochs[-length:]
    high, low = (_mean([each.loss for each in part]) for part in (before, after))
    gain = after[-1].accuracy - before[-1].accuracy
    # What has risen as far between two epochs may fall as far again and mean nothing.
    wobble = max((other.loss - one.loss for one, other in pairwise(epochs)), default=0.0)
    trains = _mean([each.train_loss for each in after]) < _mean([each.train_loss for each in before])
    lowest = min(each.loss for each in epochs)
    least = max(noise, wobble, _SLIGHT * high, _SLIGHT_OF_GUESSING * _loss_of_guessing(evidence))
    if not trains or gain < 0 or after[-1].loss > lowest or high - low <= least:
        return None
    last = "the last epoch" if length == 1 else f"the last {length} epochs"
    return Finding(
        "still_improving",
        f"Still improving at the end: {last} of {evidence.epochs[-1].epoch} lowered the validation loss from "
        f"{high:.3g} to {low:.3g} and raised the accuracy by {100 * gain:.1f} points; chance alone, on "
        f"{evidence.validation_images:,} images, moves the loss by {noise:.2g}. More epochs would help.",
        view="Curves",
        figures={"val_loss_before": high, "val_loss": low, "gain": gain, "noise_floor": noise, "epochs": length},
    )


def overfitting(evidence: Evidence) -> Finding | None:
    """Say since when the validation loss rises, beyond chance, while the training loss goes on falling."""
    epochs, noise = _validated(evidence), evidence.loss_noise
    if len(epochs) < 4 or noise is None:
        return None
    best = min(range(len(epochs)), key=lambda position: epochs[position].loss)
    length = max(2, len(epochs) // 4)
    after = epochs[best + 1 :][-length:]
    if len(after) < length:
        return None
    # The lowest of many is low by luck, too: its neighbours are asked as well.
    lowest = _mean([each.loss for each in epochs[max(0, best - 1) : best + 2]])
    end, train_end = _mean([each.loss for each in after]), _mean([each.train_loss for each in after])
    sustained = min(each.loss for each in after) > lowest
    memorised = train_end < (1 - _CONSIDERABLE) * epochs[best].train_loss
    if not (sustained and memorised and end - lowest > max(noise, _CONSIDERABLE * lowest)):
        return None
    kept = evidence.run.results.best_epoch
    return Finding(
        "overfitting",
        f"Overfitting since epoch {epochs[best].epoch}: the validation loss rose from {epochs[best].loss:.3g} to "
        f"{end:.3g} while the training loss fell from {epochs[best].train_loss:.3g} to {train_end:.3g}. "
        f"The weights of epoch {kept} were kept.",
        view="Curves",
        figures={
            "since_epoch": epochs[best].epoch,
            "lowest_val_loss": epochs[best].loss,
            "val_loss": end,
            "train_loss": train_end,
            "noise_floor": noise,
        },
    )


def loss_jumps(evidence: Evidence) -> Finding | None:
    """Say that the learning rate is too high where the loss goes up again, of the training images above all."""
    epochs, noise = _validated(evidence), evidence.loss_noise
    least = max(noise or 0.0, _JUMP_OF_GUESSING * _loss_of_guessing(evidence))
    train = _jumps([each.train_loss for each in evidence.epochs], least, comes_down=False)
    val = [] if noise is None else _jumps([each.loss for each in epochs], least, comes_down=True)
    if train:
        low, high, position = max(train, key=lambda jump: jump[1] - jump[0])
        epoch, what = evidence.epochs[position].epoch, "training"
    elif len(val) > 1:  # one may be the luck of an epoch's end
        low, high, position = max(val, key=lambda jump: jump[1] - jump[0])
        epoch, what = epochs[position].epoch, "validation"
    else:
        return None
    config = evidence.run.config
    usual = LEARNING_RATES[config.optimizer]
    return Finding(
        "loss_jumps",
        f"The learning rate of {config.learning_rate:g} is too high: the {what} loss went up from {low:.3g} to "
        f"{high:.3g} by epoch {epoch}. The usual rate of {OPTIMIZER_TITLES[config.optimizer]} is {usual:g}.",
        view="Curves",
        figures={"from": low, "to": high, "epoch": epoch, "jumps": len(train or val), "usual_learning_rate": usual},
    )


def _jumps(losses: Sequence[float], least: float, *, comes_down: bool) -> list[tuple[float, float, int]]:
    """Return each rise above the lowest loss so far: that, the height, and the position.

    Args:
        comes_down: whether a rise only counts if a later loss is at most halfway up, as where one overfits it stays.
    """
    found = []
    for position in range(1, len(losses)):
        low, high = min(losses[:position]), losses[position]
        is_jump = high > _JUMP * low and high - low > least and high > losses[position - 1]
        if is_jump and not (comes_down and min(losses[position + 1 :], default=high) > (low + high) / 2):
            found.append((low, high, position))
    return found


def _loss_of_guessing(evidence: Evidence) -> float:
    """Return the cross-entropy of giving every class the same probability."""
    return math.log(max(len(evidence.class_names), 2))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
