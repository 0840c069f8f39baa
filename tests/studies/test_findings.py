"""What is said of a run in words: each planted fault is named, and clean runs are left alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import configure
from core.datasets.grouping import groups_of
from core.runs import FinishedRun, Learning, Store, finished
from core.runs.predictions import Predictions, write_predictions
from core.studies.findings import CHECKS, Evidence, find_findings, judge
from core.studies.leaks import GroupedAccuracy
from core.system.paths import run_directory
from core.training.loop import split_of
from core.training.records import Epoch
from tests.runs.making import CONFIG, epoch, finished_results, running
from tests.sample_data import make_dataset, noise
from tests.sample_data import store as store_dataset

CLEAN_RUNS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("clean_runs.json").read_text())
"""Figures of real runs: epochs, confusion, and the bins of a reliability diagram."""

CLASSES = 10
EACH = 1000


def confusion(rate: float = 0.98, each: int = EACH, classes: int = CLASSES) -> np.ndarray:
    """Return the confusion of a network that errs alike for all classes."""
    matrix = np.full((classes, classes), round((1 - rate) * each / (classes - 1)))
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, each - matrix.sum(axis=1))
    return matrix


def calibrated(matrix: np.ndarray, surer_by: float = 0.0) -> Predictions:
    """Return predictions that a confusion matrix counts, as sure as they are right on average, or surer."""
    labels = np.repeat(np.arange(len(matrix)), matrix.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(len(matrix)), row) for row in matrix])
    confidence = min(np.mean(labels == predicted) + surer_by, 0.9999)
    probabilities = np.full((len(labels), len(matrix)), (1 - confidence) / (len(matrix) - 1), np.float32)
    probabilities[np.arange(len(labels)), predicted] = confidence
    return Predictions(probabilities, labels, np.arange(len(labels)))


def done(store: Store, matrix: np.ndarray | None = None, **values: Any) -> FinishedRun:
    """Return a finished run, which the store has."""
    run_id, attempt = running(store, submission=str(store.count()))
    matrix = confusion() if matrix is None else matrix
    accuracy = float(matrix.trace() / matrix.sum())
    store.finish(run_id, attempt, "done", finished_results(confusion=matrix.tolist(), test_accuracy=accuracy, **values))
    (run,) = finished([store.get(run_id)])
    return run


def evidence_of(run: FinishedRun, losses: Sequence[tuple[float, float, float]] = (), **values: Any) -> Evidence:
    """Return evidence with an epoch for each training loss, validation loss and validation accuracy."""
    epochs = [
        epoch(number, 100 * number, train_loss=train, val_loss=val, val_accuracy=accuracy, confusion=None)
        for number, (train, val, accuracy) in enumerate(losses, start=1)
    ]
    matrix = np.array(run.results.confusion)
    usual = {"validation_images": 5000, "class_names": "0123456789", "tested": calibrated(matrix)}
    return Evidence(run, epochs, **usual | values)


def names_of(evidence: Evidence) -> list[str]:
    return [finding.name for finding in judge(evidence)]


OVERFIT = [
    *((1.0, 0.8, 0.80), (0.5, 0.5, 0.86), (0.3, 0.42, 0.88), (0.2, 0.40, 0.89)),
    *((0.12, 0.45, 0.89), (0.07, 0.52, 0.89), (0.04, 0.60, 0.89), (0.02, 0.66, 0.89)),
]
UNFINISHED = [(1.90, 1.45, 0.71), (1.16, 0.98, 0.79), (0.83, 0.78, 0.82), (0.67, 0.67, 0.84)]
CONVERGED = [(0.5, 0.20, 0.94), (0.2, 0.12, 0.965), (0.1, 0.09, 0.975), (0.06, 0.085, 0.978), (0.05, 0.084, 0.978)]
JUMPING = [(0.8, 0.5, 0.85), (0.3, 0.3, 0.9), (1.4, 0.9, 0.7), (0.5, 0.4, 0.87), (0.3, 0.3, 0.9), (0.29, 0.3, 0.9)]


def test_overfitting_is_named_with_the_epoch_since_which(store: Store) -> None:
    (finding,) = judge(evidence_of(done(store), OVERFIT))

    assert finding.sentence.startswith("Overfitting since epoch 4: the validation loss rose from 0.4 to 0.63 ")
    assert finding.query == {"view": "Curves"}


def test_overfitting_is_not_told_from_chance_on_few_images(store: Store) -> None:
    assert names_of(evidence_of(done(store), OVERFIT, validation_images=50)) == []


def test_unfinished_run_is_named(store: Store) -> None:
    (finding,) = judge(evidence_of(done(store), UNFINISHED))

    assert finding.sentence.startswith("Still improving at the end: the last epoch of 4 lowered the validation loss")
    assert finding.figures["val_loss_before"] == 0.78


def test_run_that_stopped_early_was_not_unfinished(store: Store) -> None:
    assert names_of(evidence_of(done(store, stopped_early=True), UNFINISHED)) == []


def test_jumping_loss_is_named_with_the_rate(store: Store) -> None:
    (finding,) = judge(evidence_of(done(store), JUMPING))

    assert finding.sentence.startswith(f"The learning rate of {CONFIG.learning_rate:g} is too high: the training loss ")
    assert "from 0.3 to 1.4 by epoch 3" in finding.sentence


def test_rate_that_undoes_what_was_learnt_is_named(store: Store) -> None:
    rising = [(1.67, 1.98, 0.29), (2.05, 2.03, 0.25), (2.16, 1.98, 0.24), (2.18, 2.13, 0.21), (2.34, 2.33, 0.10)]

    assert names_of(evidence_of(done(store, confusion(0.3)), rising)) == ["loss_jumps"]


def test_converged_run_is_left_alone(store: Store) -> None:
    assert names_of(evidence_of(done(store), CONVERGED)) == []


def test_confused_classes_are_named_and_lead_to_their_images(store: Store) -> None:
    matrix = confusion()
    matrix[4, 4], matrix[4, 9] = matrix[4, 4] - 170, matrix[4, 9] + 170

    (finding,) = judge(evidence_of(done(store, matrix)))

    assert finding.sentence.startswith("4 and 9 are confused: 174 of 2,000 test images of the two (8.7%)")
    assert finding.query == {"view": "Errors", "cell": "4-9"}


def test_errors_that_all_pairs_have_alike_are_no_confusion(store: Store) -> None:
    assert names_of(evidence_of(done(store, confusion(0.4)), CONVERGED)) == []


def test_worst_of_many_pairs_is_no_confusion_by_luck(store: Store) -> None:
    generator = np.random.default_rng(0)
    classes, each = 200, 50
    labels = np.repeat(np.arange(classes), each)
    predicted = np.where(generator.random(len(labels)) < 0.5, labels, generator.integers(0, classes, len(labels)))
    matrix = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)

    assert names_of(evidence_of(done(store, matrix), class_names=[f"c{label}" for label in range(classes)])) == []


def test_class_that_is_never_predicted_is_named(store: Store) -> None:
    matrix = confusion()
    matrix[7] += matrix[7, 7] // 9
    matrix[:, 7] = 0

    first, *others = judge(evidence_of(done(store, matrix)))

    assert first.sentence.startswith("Class 7 is never predicted: all ")
    assert first.query == {"view": "Errors", "cell": "7-"}
    assert not others


def test_class_of_three_images_may_be_predicted_never(store: Store) -> None:
    matrix = confusion()
    matrix[7] = 0
    matrix[:, 7] = 0
    matrix[7, 3] = 3

    assert names_of(evidence_of(done(store, matrix))) == []


def test_network_that_is_surer_than_right_is_named(store: Store) -> None:
    run = done(store, confusion(0.9))

    (finding,) = judge(evidence_of(run, tested=calibrated(confusion(0.9), surer_by=0.06)))

    assert finding.name == "more_confident_than_right"
    assert finding.figures["calibration_error"] == pytest.approx(0.06, abs=1e-6)
    assert names_of(evidence_of(run)) == []


def test_run_that_was_slower_than_others_like_it_is_named(store: Store) -> None:
    run = done(store, images_per_second=5_000.0)
    usual = [10_000.0, 10_500.0, 9_800.0, 10_200.0, 9_900.0]

    (finding,) = judge(evidence_of(run, usual_speeds=usual))

    assert "5,000 images a second, where 5 runs like it reached 10,077" in finding.sentence
    assert names_of(evidence_of(run, usual_speeds=usual[:4])) == [], "too few to know what is usual"
    assert names_of(evidence_of(run, usual_speeds=[4_000, 20_000, 9_000, 5_000, 14_000])) == [], "they vary as much"


@pytest.mark.parametrize("part", ["validation", "test"])
def test_leaks_that_an_accuracy_rests_on_are_named(store: Store, part: str) -> None:
    run = done(store)

    (finding,) = judge(evidence_of(run, leaks={part: GroupedAccuracy(0.71, 240, 0.99, 1000)}))

    assert finding.sentence == (
        f"The {part} images leak: 760 of 1,000 are near-duplicates of training images. With them the accuracy is "
        "99.0%, without them 71.0% of 240."
    )
    assert names_of(evidence_of(run, leaks={part: GroupedAccuracy(0.988, 900, 0.99, 1000)})) == []


def test_run_that_learnt_nothing_is_only_told_to_leak(store: Store) -> None:
    matrix = np.zeros((10, 10), int)
    matrix[:, 3] = 100
    run = done(store, matrix, learning=Learning(train_loss=2.3))

    assert run.doubt
    assert names_of(evidence_of(run, UNFINISHED, leaks={"test": GroupedAccuracy(None, 0, 0.1, 1000)})) == [
        "leaks_into_test"
    ]


def test_what_is_stored_of_a_run_is_the_evidence(store: Store) -> None:
    """A leak and an unfinished run, from the images, predictions and epochs that a run has left."""
    images = noise(20)
    train, test = (
        (images.repeat(5, axis=0), np.arange(100) // 5 % 2),
        (images.repeat(2, axis=0), np.arange(40) // 2 % 2),
    )
    dataset = store_dataset(make_dataset(*train, *test))
    groups_of(dataset)
    config = configure(architecture="ann-100", dataset="tiny")
    run_id, attempt = running(store, config=config)
    rows = split_of(config, dataset).validation
    run_directory(run_id).mkdir(parents=True)
    for part, labels, positions in (
        ("validation", dataset.train.labels[rows], rows),
        ("test", dataset.test.labels, np.arange(40)),
    ):
        right = Predictions(np.eye(2, dtype=np.float32)[labels], labels, positions)
        write_predictions(run_directory(run_id), part, right)
    for number, loss in enumerate((0.9, 0.5, 0.3), start=1):
        store.add_epoch(run_id, attempt, epoch(number, number, train_loss=loss, val_loss=loss, val_accuracy=1 - loss))
    results = finished_results(confusion=[[20, 0], [0, 20]], fingerprint=dataset.fingerprint, test_accuracy=1.0)
    store.finish(run_id, attempt, "done", results)
    (run,) = finished([store.get(run_id)])

    found = {finding.name: finding for finding in find_findings(store, run)}

    assert list(found) == ["leaks_into_validation", "leaks_into_test", "still_improving"]
    assert found["leaks_into_test"].sentence.startswith("The test images leak: 40 of 40 ")


@pytest.mark.parametrize("recorded", CLEAN_RUNS, ids=lambda recorded: recorded["name"])
def test_clean_run_gets_no_sentence(store: Store, recorded: dict[str, Any]) -> None:
    run = done(store, np.array(recorded["confusion"]), images_per_second=recorded["images_per_second"])
    evidence = Evidence(
        replace(run, config=configure(**recorded["settings"])),
        epochs=[Epoch(**values, confusion=None) for values in recorded["epochs"]],
        validation_images=recorded["validation_images"],
        class_names="0123456789",
        tested=_as_reliable(recorded["reliability"]),
        usual_speeds=[recorded["images_per_second"] * factor for factor in (0.9, 0.97, 1.0, 1.05, 1.1)],
    )

    assert [finding.sentence for finding in judge(evidence)] == []


def _as_reliable(bins: Sequence[tuple[int, float, int]]) -> Predictions:
    """Return predictions with the count, the mean confidence and the number of right ones of each bin."""
    counts, confidences, rights = (np.array(column) for column in zip(*bins, strict=True))
    confidence = np.repeat(confidences, counts)
    right = np.concatenate([np.arange(count) < hits for count, hits in zip(counts, rights, strict=True)])
    probabilities = np.tile(((1 - confidence) / (CLASSES - 1))[:, np.newaxis], CLASSES).astype(np.float32)
    probabilities[:, 0] = confidence
    return Predictions(probabilities, np.where(right, 0, 1), np.arange(len(right)))


def test_there_are_ten_clean_runs_and_every_check_is_registered() -> None:
    assert len(CLEAN_RUNS) >= 10
    assert len({(run["settings"]["architecture"], run["settings"]["framework"]) for run in CLEAN_RUNS}) > 5
    assert all(check.__doc__ for check in CHECKS.values())
