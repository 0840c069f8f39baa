"""Accuracy without the images that are near-duplicates of those a run has learnt from."""

import numpy as np
import pytest

from core.config import configure
from core.datasets import Dataset
from core.datasets.grouping import groups_of
from core.runs.predictions import Predictions
from core.studies.leaks import grouped_accuracy
from core.training.loop import split_of
from tests.sample_data import make_dataset, noise


@pytest.fixture
def dataset() -> Dataset:
    """Five copies of each of 20 images to train on; to test on, the first four of them and four others."""
    images = noise(20)
    test = np.concatenate([images[:4], noise(4, seed=1)])
    return make_dataset(images.repeat(5, axis=0), np.arange(100) // 5 % 2, test, [0, 1] * 4)


def predicting(labels: np.ndarray, rows: np.ndarray, right: np.ndarray) -> Predictions:
    """Return predictions of which those are right for which bool `right` is true."""
    probabilities = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    return Predictions(probabilities, labels, rows)


def test_test_images_that_leak_do_not_count(dataset):
    right = np.array([True] * 4 + [True, False, False, False])
    predictions = predicting(dataset.test.labels, np.arange(8), right)

    found = grouped_accuracy(dataset, configure(), predictions, "test", groups_of(dataset))

    assert found == (0.25, 4, 0.625, 8)


def test_a_random_validation_part_leaks_and_a_grouped_one_does_not(dataset):
    for part, images in (("stratified", 0), ("grouped", 10)):
        config = configure(validation_part=part)
        rows = split_of(config, dataset).validation
        predictions = predicting(dataset.train.labels[rows], rows, np.ones(len(rows), bool))

        found = grouped_accuracy(dataset, config, predictions, "validation", groups_of(dataset))

        assert (found.images, found.given, found.given_images) == (images, 1.0, 10)
        assert found.accuracy == (1.0 if images else None)
