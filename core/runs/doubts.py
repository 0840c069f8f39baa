"""What speaks against a run that came to its end: it has learnt nothing, or predicts otherwise than it has trained.

    doubt = find_doubt(config, results, steps=86)       # or `run.doubt`; None where nothing speaks against it
    doubt.title                                         # "it predicts one class": shown as "done, but it …"
    doubt.reason, doubt.advice, doubt.changes

First what is seen of a run (a loss that exploded, one class for all test images, an accuracy that guessing has too,
training images that are predicted worse than they were trained on), then the likeliest cause of that. Both are
computed from the figures that a run leaves, so older runs are judged by those that they have left.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.special import bdtrc

from core.config import LEARNING_RATES, OPTIMIZER_TITLES, RunConfig
from core.runs.results import Learning, Results

Symptom = Literal["exploded", "one_class", "no_better_than_guessing", "batch_norm_lag"]

TITLES: dict[Symptom, str] = {
    "exploded": "its loss exploded",
    "one_class": "it predicts one class",
    "no_better_than_guessing": "it is no better than guessing",
    "batch_norm_lag": "its batch norm lags behind",
}
"""Each symptom, as it is said after "done, but"."""

_SURELY = 0.01
"""An accuracy is better than guessing if guessing reaches it so seldom."""

_SKILL = 0.1
"""… and if it is so much of the way from guessing to perfect, or twice as often right as guessing."""

_RECALL_SKILL = 0.25
"""Where one class is most of the images, classes are told apart if their mean recall is so much of that way."""

_ONE_CLASS = 0.99
_PIXEL_SPREAD = 1.0
_DIM = 26
_FEW_STEPS = 100
_SMALL_BATCH = 64
_LEAST_LAG = 0.01
_GAP = 0.1
_FITTED = 0.05


@dataclass(frozen=True)
class Doubt:
    """What speaks against a run: its symptom, why that is so, and what to do about it, in sentences.

    `changes` are the settings to train it again with, if any would help; `look_at_data` is whether it is the images or
    their labels that should be looked at.
    """

    symptom: Symptom
    reason: str
    advice: str
    changes: dict[str, Any] = field(default_factory=dict)
    look_at_data: bool = False

    @property
    def title(self) -> str:
        """The doubt in a few words, to be said after "done, but"."""
        return TITLES[self.symptom]

    def as_json(self) -> dict[str, Any]:
        """Return it as the command line tells it."""
        return {"symptom": self.symptom, "reason": self.reason, "advice": self.advice, "changes": self.changes}


@dataclass(frozen=True)
class _Run:
    """What a run is judged by; `guessing` is the share of the most frequent class among the test images."""

    config: RunConfig
    steps: int
    learning: Learning
    matrix: np.ndarray
    accuracy: float
    guessing: float

    @property
    def loss_of_guessing(self) -> float:
        """The cross-entropy of giving every class the same probability."""
        return math.log(max(len(self.matrix), 2))


def find_doubt(config: RunConfig, results: Results, *, steps: int) -> Doubt | None:
    """Judge a run that is done by its figures and the number of its steps; one without test figures is not doubted."""
    if not results.confusion or results.test_accuracy is None:
        return None
    matrix = np.asarray(results.confusion)
    if matrix.ndim != 2 or not matrix.sum():
        return None
    run = _Run(
        config=config,
        steps=steps,
        learning=results.learning or Learning(),
        matrix=matrix,
        accuracy=results.test_accuracy,
        guessing=float(matrix.sum(axis=1).max() / matrix.sum()),
    )
    found = _symptom(run)
    if found is None:
        return None
    symptom, seen = found
    cause, advice, changes, look_at_data = _cause(run, symptom)
    return Doubt(symptom, f"{seen} {cause}".rstrip(), advice, changes, look_at_data)


def _symptom(run: _Run) -> tuple[Symptom, str] | None:
    """Return what is seen of a run, with its figures; None where nothing speaks against it."""
    learning = run.learning
    if learning.train_loss is not None and learning.train_loss > 2 * run.loss_of_guessing:
        return "exploded", (
            f"The training loss was {learning.train_loss:.3g} in the last epoch, where guessing gives "
            f"{run.loss_of_guessing:.2f}."
        )
    if not _tells_classes_apart(run):
        count, predicted = run.matrix.sum(), run.matrix.sum(axis=0).max()
        if predicted >= _ONE_CLASS * count:
            share = "All" if predicted == count else f"{predicted:,} of"
            return "one_class", f"{share} {count:,} test images are predicted as one class."
        better = "hardly better" if run.accuracy > run.guessing else "no better"
        return "no_better_than_guessing", (
            f"The test accuracy of {run.accuracy:.2%} is {better} than that of always predicting the most frequent "
            f"class, {run.guessing:.2%}."
        )
    if _lags(learning):
        return "batch_norm_lag", (
            f"It was right on {learning.train_accuracy:.2%} of the training images while it trained, but predicts only "
            f"{learning.sample_accuracy:.2%} of them right now."
        )
    return None


def _tells_classes_apart(run: _Run) -> bool:
    """Say whether the test accuracy is more than guessing, or luck, gives; also so where all are of one class."""
    if run.guessing == 1:
        return True
    count, right = int(run.matrix.sum()), int(run.matrix.trace())
    by_luck = bdtrc(right - 1, count, run.guessing) if right else 1.0
    skill = (run.accuracy - run.guessing) / (1 - run.guessing)
    if by_luck < _SURELY and (skill >= _SKILL or run.accuracy >= 2 * run.guessing):
        return True
    there = run.matrix.sum(axis=1)
    recall = float((run.matrix.diagonal()[there > 0] / there[there > 0]).mean())
    guessed = 1 / int(np.count_nonzero(there))
    is_uneven = run.guessing > 1.5 * guessed
    return is_uneven and (recall - guessed) / (1 - guessed) >= _RECALL_SKILL


def _lags(learning: Learning) -> bool:
    """Say whether training images are predicted worse than they were trained on, as batch norm's averages are young."""
    if learning.batch_norm_lag is None or learning.batch_norm_lag < _LEAST_LAG:
        return False
    if learning.train_accuracy is None or learning.sample_accuracy is None:
        return False
    return learning.train_accuracy - learning.sample_accuracy > _GAP


def _cause(run: _Run, symptom: Symptom) -> tuple[str, str, dict[str, Any], bool]:
    """Return the likeliest cause, what to do, the settings to change for that, and whether to look at the data."""
    config, learning = run.config, run.learning
    usual, title = LEARNING_RATES[config.optimizer], OPTIMIZER_TITLES[config.optimizer]
    if learning.brightest_pixel is not None and learning.brightest_pixel < _DIM:
        return (
            f"The training images are nearly black: no pixel looked at is brighter than {learning.brightest_pixel} of "
            "255.",
            "Look at the images; import them again with the value of white that they have.",
            {},
            True,
        )
    if learning.pixel_spread is not None and learning.pixel_spread < _PIXEL_SPREAD:
        return (
            f"The training images hardly differ: a pixel varies by {learning.pixel_spread:.2g} of 255 between them.",
            "Look at the images and at what they were made from; there is nothing to tell them apart by.",
            {},
            True,
        )
    exploded = symptom == "exploded" or (learning.highest_loss or 0.0) > 5 * run.loss_of_guessing
    if exploded or config.learning_rate >= 10 * usual:
        rate = usual if config.learning_rate > usual else float(f"{config.learning_rate / 10:.3g}")
        height = f"; the loss rose to {learning.highest_loss:.3g}" if exploded and learning.highest_loss else ""
        return (
            f"The learning rate of {config.learning_rate:g} is too high: {title}'s usual one is {usual:g}{height}.",
            f"Lower the learning rate to {rate:g} and train again.",
            {"learning_rate": rate},
            False,
        )
    if config.batch_size > _SMALL_BATCH:
        more = {"batch_size": _SMALL_BATCH}
        advice = f"Use a smaller batch size, such as {_SMALL_BATCH}, so that it takes more steps."
    else:
        more = {"epochs": min(5 * config.epochs, 1000)}
        advice = f"Train longer, such as {more['epochs']:,} epochs, so that it takes more steps."
    if symptom == "batch_norm_lag" or (learning.batch_norm_lag or 0.0) > _LEAST_LAG:
        return (
            "Batch norm's running averages, by which it predicts, still held "
            f"{learning.batch_norm_lag:.0%} of the values that they began with when its weights were kept.",
            advice,
            more,
            False,
        )
    fitted = max(learning.train_accuracy or 0.0, learning.sample_accuracy or 0.0)
    if fitted > max(1.5 * run.guessing, run.guessing + _FITTED):
        return (
            f"It fits its training images ({fitted:.2%} right) but no others: the labels may not belong to the images, "
            "or there are too few images.",
            "Look at some images of each class, and at whether their labels are right.",
            {},
            True,
        )
    if run.steps < _FEW_STEPS:
        return f"It has taken {run.steps:,} steps only.", advice, more, False
    if config.learning_rate <= usual / 100:
        return (
            f"The learning rate of {config.learning_rate:g} is low: {title}'s usual one is {usual:g}.",
            f"Raise the learning rate to {usual:g} and train again.",
            {"learning_rate": usual},
            False,
        )
    return (
        "It has not found what tells the classes apart.",
        "Look at some images of each class, and at whether their labels are right; then train longer or at another "
        "learning rate.",
        {},
        True,
    )
