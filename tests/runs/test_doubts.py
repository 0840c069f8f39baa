"""What speaks against a run that is done, judged by figures as runs leave them."""

import numpy as np
import pytest

from core.config import configure
from core.runs import Learning, Results
from core.runs.doubts import Doubt, find_doubt

SOUND = {"train_loss": 0.3, "highest_loss": 1.2, "train_accuracy": 0.9, "sample_accuracy": 0.92}
PIXELS = {"pixel_spread": 48.0, "brightest_pixel": 255}


def even(accuracy: float, *, classes: int = 10, each: int = 100) -> np.ndarray:
    """Return the confusion of a network that is right so often, and else predicts any class alike."""
    wrong = (1 - accuracy) / (classes - 1)
    rates = np.full((classes, classes), wrong)
    np.fill_diagonal(rates, accuracy)
    return np.rint(rates * each).astype(int)


def always(predicted: int, counts: list[int]) -> np.ndarray:
    """Return the confusion of a network that predicts one class."""
    matrix = np.zeros((len(counts), len(counts)), int)
    matrix[:, predicted] = counts
    return matrix


def judge(matrix: np.ndarray, *, steps: int = 1000, learning: dict | None = None, **settings) -> Doubt | None:
    kept = Learning(**{**SOUND, **PIXELS, **(learning or {})})
    accuracy = float(matrix.trace() / matrix.sum())
    results = Results(confusion=matrix.tolist(), test_accuracy=accuracy, test_loss=1.0, learning=kept)
    return find_doubt(configure(**settings), results, steps=steps)


AT_CHANCE = {"train_loss": 2.3, "highest_loss": 2.3, "train_accuracy": 0.1, "sample_accuracy": 0.1}


@pytest.mark.parametrize(
    ("learning", "settings", "steps", "words", "changes"),
    [
        ({"brightest_pixel": 9}, {}, 1000, "nearly black", {}),
        ({"pixel_spread": 0.2}, {}, 1000, "hardly differ", {}),
        ({"highest_loss": 1e11}, {"learning_rate": 0.05}, 1000, "learning rate of 0.05 is too high", 0.01),
        ({}, {"learning_rate": 10, "optimizer": "adam"}, 1000, "learning rate of 10 is too high", 0.001),
        ({"highest_loss": 1e11}, {"learning_rate": 0.01}, 1000, "learning rate of 0.01 is too high", 0.001),
        ({"batch_norm_lag": 0.81}, {"batch_size": 8192}, 2, "still held 81%", {"batch_size": 64}),
        ({"sample_accuracy": 0.6}, {}, 1000, "labels may not belong", {}),
        ({}, {"batch_size": 8192}, 2, "has taken 2 steps only", {"batch_size": 64}),
        ({}, {"batch_size": 32, "epochs": 2}, 20, "has taken 20 steps only", {"epochs": 10}),
        ({}, {"learning_rate": 1e-5}, 1000, "rate of 1e-05 is low", 0.01),
        ({}, {}, 1000, "not found what tells the classes apart", {}),
    ],
)
def test_the_likeliest_cause_is_named_with_the_next_step(learning, settings, steps, words, changes):
    doubt = judge(even(0.1), steps=steps, learning={**AT_CHANCE, **learning}, **settings)

    assert doubt.symptom == "no_better_than_guessing"
    assert words in doubt.reason
    assert doubt.changes == (changes if isinstance(changes, dict) else {"learning_rate": changes})
    assert bool(doubt.changes) != doubt.look_at_data, "what to do is a setting, or to look at the data"
    configure(**{**settings, **doubt.changes})


def test_one_class_for_all_images_is_seen():
    doubt = judge(always(3, [100] * 10), learning=AT_CHANCE)

    assert doubt.title == "it predicts one class"
    assert doubt.reason.startswith("All 1,000 test images are predicted as one class.")


def test_loss_that_exploded_is_seen_though_the_kept_weights_are_good():
    doubt = judge(even(0.9), learning={"train_loss": 5000.0, "highest_loss": 9000.0}, learning_rate=0.5)

    assert (doubt.title, doubt.changes) == ("its loss exploded", {"learning_rate": 0.01})


def test_batch_norm_that_lags_is_seen_and_overfitting_is_not_taken_for_it():
    lagging = {"train_accuracy": 0.95, "sample_accuracy": 0.61, "batch_norm_lag": 0.1}
    doubt = judge(even(0.6), steps=22, learning=lagging, batch_size=512)

    assert (doubt.symptom, doubt.changes) == ("batch_norm_lag", {"batch_size": 64})
    assert "95.00%" in doubt.reason
    assert "61.00%" in doubt.reason
    assert judge(even(0.6), steps=22, learning={**lagging, "sample_accuracy": 0.97}) is None


@pytest.mark.parametrize(
    "matrix",
    [
        even(0.95),
        even(0.3),  # a hard data set, after an epoch
        even(0.08, classes=100),  # eight times as good as guessing
        even(0.7, classes=2, each=500),
        np.array([[900, 45], [20, 35]]),  # most are of one class, and the others are found
        np.array([[880, 120], [2, 8]]),  # as trained with balanced class weights: less accurate than guessing
        np.array([[50, 0], [0, 0]]),  # nothing to tell apart
    ],
)
def test_run_that_has_learnt_is_not_doubted(matrix):
    assert judge(matrix) is None


@pytest.mark.parametrize(
    "matrix",
    [
        even(0.12),
        even(0.52, classes=2, each=500),
        np.array([[900, 0], [100, 0]]),
        np.array([[880, 20], [96, 4]]),
        np.array([[6, 4], [4, 6]]),  # as well as a coin, on so few
    ],
)
def test_run_no_better_than_guessing_is_doubted(matrix):
    assert judge(matrix).symptom in ("no_better_than_guessing", "one_class")


def test_older_run_is_judged_by_what_it_has_left():
    config, matrix = configure(), always(0, [50, 50])
    results = Results(confusion=matrix.tolist(), test_accuracy=0.5, test_loss=0.7)

    assert find_doubt(config, results, steps=1000).symptom == "one_class"
    assert find_doubt(config, Results(), steps=3) is None
