"""Calibration, held against scikit-learn, SciPy and figures made by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_curve

from core.training.calibration import (
    apply_temperature,
    area_under_risk,
    bin_numbers,
    brier_score,
    coverage,
    expected_calibration_error,
    fit_temperature,
    reliability,
    surest,
)


@pytest.fixture(scope="module", params=[3, 10])
def answers(request) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a network that is too sure by a factor of 2.5, and labels drawn from what it should say."""
    generator = np.random.default_rng(request.param)
    logits = generator.normal(0, 1.2, (2000, request.param))
    labels = np.array([generator.choice(request.param, p=row) for row in softmax(logits, axis=1)])
    return softmax(2.5 * logits, axis=1), labels


def test_bins_are_scikit_learns(answers):
    probabilities, labels = answers
    right = probabilities.argmax(axis=1) == labels
    accuracies, confidences = calibration_curve(right, probabilities.max(axis=1), n_bins=15)

    filled = [each for each in reliability(probabilities, labels) if each.count]
    np.testing.assert_allclose([each.accuracy for each in filled], accuracies, rtol=0, atol=1e-9)
    np.testing.assert_allclose([each.confidence for each in filled], confidences, rtol=0, atol=1e-9)


def test_calibration_error_is_that_of_its_definition(answers):
    probabilities, labels = answers
    expected = 0.0
    for number in range(15):
        sure = probabilities.max(axis=1)
        inside = (sure > number / 15) & (sure <= (number + 1) / 15)
        if inside.any():
            right = (probabilities.argmax(axis=1) == labels)[inside]
            expected += inside.mean() * abs(right.mean() - sure[inside].mean())

    assert expected_calibration_error(reliability(probabilities, labels)) == pytest.approx(expected, abs=1e-9)
    assert expected > 0.1


def test_bins_count_the_images_that_their_numbers_name(answers):
    probabilities, labels = answers
    counts = np.bincount(bin_numbers(probabilities), minlength=15)

    assert [each.count for each in reliability(probabilities, labels)] == counts.tolist()
    assert bin_numbers(np.array([[1.0, 0.0], [0.5, 0.5]]), 2).tolist() == [1, 0]


def test_brier_score_is_scikit_learns(answers):
    probabilities, labels = answers
    assert brier_score(probabilities, labels) == pytest.approx(
        brier_score_loss(labels, probabilities, scale_by_half=False), abs=1e-9
    )


def test_temperature_is_where_scipy_finds_no_slope(answers):
    probabilities, labels = answers
    logits = np.log(probabilities)

    def slope(factor: float) -> float:
        shares = softmax(factor * logits, axis=1)
        return float(((shares * logits).sum(axis=1) - logits[np.arange(len(labels)), labels]).mean())

    found = fit_temperature(probabilities, labels)
    assert found.temperature == pytest.approx(1 / brentq(slope, 1e-3, 1e3, xtol=1e-15, rtol=1e-14), abs=1e-9)
    assert found.temperature == pytest.approx(2.5, rel=0.15)
    assert found.loss_before == pytest.approx(log_loss(labels, probabilities), abs=1e-9)
    scaled = apply_temperature(probabilities, found.temperature)
    assert found.loss_after == pytest.approx(log_loss(labels, scaled), abs=1e-9)
    after = expected_calibration_error(reliability(scaled, labels))
    assert after < 0.5 * expected_calibration_error(reliability(probabilities, labels))


def test_temperature_of_what_is_always_right_or_never_is_at_its_end():
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])

    assert fit_temperature(sure, np.array([0, 1])).temperature == pytest.approx(1e-3, rel=0.2)
    assert fit_temperature(sure, np.array([1, 0])).temperature == pytest.approx(1e3, rel=0.2)


def test_temperature_changes_no_prediction(answers):
    probabilities, _ = answers
    expected = np.exp(log_softmax(np.log(probabilities) / 3, axis=1))
    np.testing.assert_allclose(apply_temperature(probabilities, 3), expected, rtol=0, atol=1e-12)


def test_what_was_too_small_for_float32_makes_nothing_infinite():
    probabilities = np.array([[1, 0, 0], [0.25, 0.5, 0.25]], np.float32)
    found = fit_temperature(probabilities, np.array([1, 1]))

    assert np.isfinite([found.temperature, found.loss_before, found.loss_after]).all()


def test_coverage_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])
    found = coverage(probabilities, np.array([0, 0, 0, 1]))

    assert found.coverage.tolist() == [0.25, 0.75, 1.0]
    assert found.accuracy == pytest.approx([1.0, 2 / 3, 0.75])
    assert found.threshold.tolist() == [0.9, 0.8, 0.6]


def test_accuracy_over_coverage_is_scikit_learns_precision(answers):
    """Where a right prediction is a positive, the accuracy of those above a threshold is their precision."""
    probabilities, labels = answers
    right, sure = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    precision, recall, thresholds = precision_recall_curve(right, sure)

    found = coverage(probabilities, labels)

    order = np.argsort(-thresholds)
    np.testing.assert_allclose(found.threshold, thresholds[order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.accuracy, precision[:-1][order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.coverage * found.accuracy, recall[:-1][order] * right.mean(), rtol=0, atol=1e-9)


def test_area_under_risk_is_that_of_its_definition(answers):
    probabilities, labels = answers
    order = np.argsort(-probabilities.max(axis=1))
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    risks = [wrong[: count + 1].mean() for count in range(len(wrong))]

    assert area_under_risk(coverage(probabilities, labels)) == pytest.approx(np.mean(risks), abs=1e-9)


def test_the_surest_of_a_share_are_at_least_that_many():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])
    curve = coverage(probabilities, np.array([0, 0, 0, 1]))

    assert surest(curve, 0.25) == (0.25, 1.0, 0.9)
    assert surest(curve, 0.5) == pytest.approx((0.75, 2 / 3, 0.8)), "two are equally sure"
    assert surest(curve, 1.0) == (1.0, 0.75, 0.6)
