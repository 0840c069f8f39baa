"""Figures of what a network got right and wrong, against calculations by hand."""

import math

import numpy as np
import pytest

from core.networks.layers import Activation, Architecture, Flatten
from core.training.metrics import (
    ClassScore,
    ConfusedPair,
    confused_pairs,
    confusion,
    loss_and_accuracy,
    per_class,
    probabilities,
    row_rates,
    softmax,
    wilson_interval,
)

# Classes a, b, c and d; nobody is d, though one a is taken for it.
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
PREDICTED = np.array([0, 0, 3, 1, 1, 1, 2, 1, 1, 0])
MATRIX = np.array([[2, 1, 0, 1], [0, 2, 0, 0], [1, 2, 1, 0], [0, 0, 0, 0]])


class TestSoftmax:
    def test_gives_known_probabilities(self):
        logits = np.log(np.array([[1, 2, 5], [4, 4, 4]], np.float32))

        np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)

    def test_stands_any_size_of_logits(self):
        logits = np.array([[1e30, 0, -1e30], [3e38, 3e38, 0]], np.float32)

        np.testing.assert_array_equal(softmax(logits), [[1, 0, 0], [0.5, 0.5, 0]])

    def test_is_not_applied_to_what_a_network_of_its_own_gives(self):
        outputs = np.array([[0.25, 0.75]], np.float32)
        own = Architecture(name="own", description="", layers=(Flatten(), Activation(function="softmax")))
        without = Architecture(name="without", description="", layers=(Flatten(), Activation()))

        np.testing.assert_array_equal(probabilities(outputs, own), outputs)
        np.testing.assert_allclose(probabilities(outputs, without), softmax(outputs), rtol=1e-6)
        assert probabilities(outputs, without).dtype == np.float32


class TestLossAndAccuracy:
    def test_are_those_of_hand_calculation(self):
        logits = np.log(np.array([[1, 2, 5], [6, 3, 1]], np.float32))

        loss, accuracy = loss_and_accuracy(logits, np.array([1, 0]))

        assert loss == pytest.approx(-(math.log(2 / 8) + math.log(6 / 10)) / 2)
        assert accuracy == 0.5

    def test_are_that_of_chance_for_equal_logits(self):
        loss, _ = loss_and_accuracy(np.zeros((3, 10), np.float32), np.array([0, 4, 9]))

        assert loss == pytest.approx(math.log(10))

    def test_stand_any_size_of_logits(self):
        loss, _ = loss_and_accuracy(np.array([[1e4, 0]], np.float32), np.array([1]))

        assert loss == pytest.approx(1e4)

    @pytest.mark.filterwarnings("ignore:invalid value")
    def test_are_not_a_number_where_a_logit_is_none(self):
        assert math.isnan(loss_and_accuracy(np.array([[np.nan, 0], [1, 0]]), np.array([0, 0]))[0])
        assert math.isnan(loss_and_accuracy(np.array([[np.inf, 0], [1, 0]]), np.array([0, 0]))[0])


class TestConfusion:
    def test_counts_true_classes_down_and_answers_across(self):
        matrix = confusion(LABELS, PREDICTED, 4)

        np.testing.assert_array_equal(matrix, MATRIX)
        assert matrix.dtype == np.int64

    def test_of_no_images_is_all_zero(self):
        nothing = np.array([], np.int64)

        np.testing.assert_array_equal(confusion(nothing, nothing, 2), [[0, 0], [0, 0]])

    def test_rates_are_shares_of_the_true_class(self):
        expected = [[0.5, 0.25, 0, 0.25], [0, 1, 0, 0], [0.25, 0.5, 0.25, 0], [0, 0, 0, 0]]

        np.testing.assert_array_equal(row_rates(MATRIX), expected)

    def test_scores_of_each_class(self):
        nan = pytest.approx(math.nan, nan_ok=True)

        assert per_class(MATRIX) == [
            ClassScore(label=0, count=4, precision=2 / 3, recall=2 / 4, f1=pytest.approx(4 / 7)),
            ClassScore(label=1, count=2, precision=2 / 5, recall=1.0, f1=pytest.approx(4 / 7)),
            ClassScore(label=2, count=4, precision=1.0, recall=1 / 4, f1=pytest.approx(2 / 5)),
            ClassScore(label=3, count=0, precision=0.0, recall=nan, f1=0.0),
        ]

    def test_class_that_nobody_is_or_was_taken_for_has_no_score(self):
        score = per_class(np.array([[3, 0], [0, 0]]))[1]

        assert [math.isnan(value) for value in (score.precision, score.recall, score.f1)] == [True] * 3

    def test_f1_is_the_harmonic_mean(self):
        for score in per_class(MATRIX)[:3]:
            assert score.f1 == pytest.approx(2 / (1 / score.precision + 1 / score.recall))

    def test_confused_pairs_come_most_frequent_first_without_zeros(self):
        assert confused_pairs(MATRIX) == [
            ConfusedPair(label=2, predicted=1, count=2, share=0.5),
            ConfusedPair(label=0, predicted=1, count=1, share=0.25),
            ConfusedPair(label=0, predicted=3, count=1, share=0.25),
            ConfusedPair(label=2, predicted=0, count=1, share=0.25),
        ]
        assert [pair.count for pair in confused_pairs(MATRIX, limit=2)] == [2, 1]

    def test_network_without_errors_has_no_confused_pairs(self):
        assert confused_pairs(np.diag([5, 3])) == []


class TestInterval:
    @pytest.mark.parametrize(
        ("accuracy", "count", "low", "high"),
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        [
            (81 / 263, 263, 0.2553, 0.3662),
            (15 / 148, 148, 0.0624, 0.1605),
            (0 / 20, 20, 0.0, 0.1611),
            (1 / 29, 29, 0.0061, 0.1718),
        ],
    )
    def test_is_that_of_published_examples(self, accuracy, count, low, high):
        assert wilson_interval(accuracy, count) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize("count", [1, 7, 100, 10_000])
    def test_stays_within_0_and_1(self, count):
        for right in {0, 1, count // 2, count}:
            low, high = wilson_interval(right / count, count)
            assert -1e-12 <= low <= right / count <= high + 1e-12 <= 1 + 2e-12
