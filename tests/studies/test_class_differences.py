"""Differences class by class: what they are of, and that many classes bring none by chance."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from core.studies.class_differences import class_differences, paired_class_differences
from core.studies.verdicts import compare_groups, compare_predictions

CLASSES = 20


def test_of_two_runs_each_class_is_mcnemars_test_on_its_own_images():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, CLASSES - 1, 4000)  # the last class has no images
    first, second = generator.random((2, 4000)) < 0.9
    second |= labels == 3

    rows = paired_class_differences(first, second, labels, CLASSES)

    assert [row.label for row in rows] == list(range(CLASSES - 1))
    for row in rows:
        chosen = labels == row.label
        expected = compare_predictions(first[chosen], second[chosen])
        assert (row.images, row.low, row.high) == (chosen.sum(), expected.low, expected.high)
        assert row.difference == pytest.approx(second[chosen].mean() - first[chosen].mean())
    assert [row.label for row in rows if row.significant] == [3]
    holm, *_ = multipletests([row.p_value for row in rows], alpha=0.05, method="holm")
    assert [row.significant for row in rows] == holm.tolist()


def test_of_two_groups_each_class_is_welchs_interval_over_the_seeds():
    generator = np.random.default_rng(2)
    recalls = generator.normal(0.9, 0.01, (2, 5, CLASSES))
    recalls[1, :, 7] += 0.08
    right = np.round(recalls * 1000).astype(int)
    matrices = np.zeros((2, 5, CLASSES, CLASSES), int)
    matrices[..., range(CLASSES), range(CLASSES)] = right
    matrices[..., range(CLASSES), np.arange(CLASSES) - 1] = 1000 - right

    rows = class_differences(matrices[0].tolist(), matrices[1].tolist())

    expected = compare_groups(*(right[:, :, 7] / 1000).tolist(), images=1000, names=("", ""))
    assert (rows[7].low, rows[7].high, rows[7].p_value) == (expected.low, expected.high, expected.p_value)
    assert [row.label for row in rows if row.significant] == [7]


def test_chance_rarely_brings_a_class_that_differs():
    """Of a hundred pairs of runs that are equally good, those with any class called different are few."""
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(CLASSES), 200)
    found = [
        any(row.significant for row in paired_class_differences(*(generator.random((2, 4000)) < 0.9), labels, CLASSES))
        for _ in range(100)
    ]

    assert sum(found) <= 10


def test_one_seed_has_no_interval():
    matrix = [[9, 1], [2, 8]]

    rows = class_differences([matrix], [matrix])

    assert all(np.isnan(row.low) and not row.significant for row in rows)
