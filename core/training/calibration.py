"""Whether a network is as often right as it is sure: reliability, calibration error, coverage, temperature.

    bins = reliability(tested.probabilities, tested.labels)
    expected_calibration_error(bins)
    found = fit_temperature(validated.probabilities, validated.labels)
    apply_temperature(tested.probabilities, found.temperature)

Probabilities are `(N, classes)` of any floating type, labels int64 `(N,)`; all is computed in float64. The confidence
of a prediction is the probability of the class predicted.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BINS = 15
"""As many as Guo et al. take."""

_COLDEST, _HOTTEST = 1e-3, 1e3
_STEPS = 200


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions with a confidence above `low` and up to `high`: how many, how sure and how often right.

    `confidence` and `accuracy` are means, None where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


class Coverage(NamedTuple):
    """The accuracy where only the surest predictions are taken, float64 `(n,)` each, the smallest coverage first.

    Of the share `coverage` of all images, whose confidence is at least `threshold`, `accuracy` are right.
    """

    coverage: np.ndarray
    accuracy: np.ndarray
    threshold: np.ndarray


class Selection(NamedTuple):
    """The surest predictions: their share of all, how many of them are right, and the least confidence among them."""

    coverage: float
    accuracy: float
    threshold: float


@dataclass(frozen=True)
class Temperature:
    """The temperature that suits some images best, and their mean negative log likelihood before and with it."""

    temperature: float
    loss_before: float
    loss_after: float


def confidences(probabilities: np.ndarray) -> np.ndarray:
    """Return the confidence of each prediction: float64 `(N,)`."""
    return probabilities.max(axis=1).astype(np.float64)


def bin_numbers(probabilities: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the number of the bin of `reliability` that each prediction falls into: int64 `(N,)`."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidences(probabilities))


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[ReliabilityBin]:
    """Return `bins` equally wide bins of confidence from 0 to 1, the empty ones among them."""
    edges = np.linspace(0, 1, bins + 1)
    numbers = bin_numbers(probabilities, bins)
    counts = np.bincount(numbers, minlength=bins)
    sure = np.bincount(numbers, confidences(probabilities), bins)
    right = np.bincount(numbers, probabilities.argmax(axis=1) == labels, bins)
    return [
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(counts[i]),
            confidence=float(sure[i] / counts[i]) if counts[i] else None,
            accuracy=float(right[i] / counts[i]) if counts[i] else None,
        )
        for i in range(bins)
    ]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Return by how much confidence and accuracy differ in a bin, on the mean over all predictions.

    Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015; of the
    predicted class alone, as Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """
    total = sum(each.count for each in bins)
    return sum(
        each.count / total * abs(each.accuracy - each.confidence)
        for each in bins
        if each.accuracy is not None and each.confidence is not None
    )


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over images of the squared differences of all probabilities from 1 and 0, summed: 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    differences = probabilities.astype(np.float64)
    differences[np.arange(len(labels)), labels] -= 1
    return float(np.square(differences).sum(axis=1).mean())


def coverage(probabilities: np.ndarray, labels: np.ndarray) -> Coverage:
    """Return the accuracy over coverage; predictions of equal confidence are taken together or not at all."""
    sure = confidences(probabilities)
    order = np.argsort(-sure, kind="stable")
    sure = sure[order]
    right = np.cumsum(probabilities.argmax(axis=1)[order] == labels[order])
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))
    return Coverage((ends + 1) / len(labels), right[ends] / (ends + 1), sure[ends])


def surest(curve: Coverage, share: float) -> Selection:
    """Return the fewest of the surest predictions that are at least this share of all, 0 to 1."""
    place = min(int(np.searchsorted(curve.coverage, share - 1e-12)), len(curve.coverage) - 1)
    return Selection(*(float(values[place]) for values in curve))


def area_under_risk(curve: Coverage) -> float:
    """Return the mean share of errors over all coverages, of as many surest predictions as there are: 0 is perfect.

    Geifman and El-Yaniv, "Selective classification for deep neural networks", 2017, call this the area under the
    risk-coverage curve. Predictions of equal confidence, which have no order, are counted with the risk of all of them.
    """
    return float(((1 - curve.accuracy) * np.diff(curve.coverage, prepend=0)).sum())


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities of logits divided by a temperature, float64: above 1 less sure, below 1 more so."""
    scaled = _log(probabilities) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> Temperature:
    """Return the temperature with the least mean negative log likelihood, between 0.001 and 1,000 (Guo et al., 2017).

    That is convex in the temperature's reciprocal, so the zero of its slope is found by halving an interval, with a
    step of Newton's wherever this stays inside.

    Args:
        probabilities, labels: of images that are neither learnt from nor tested on.
    """
    logits = _log(probabilities)
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    factor = 1.0
    for _ in range(_STEPS):
        slope, curvature = _slope(logits, labels, factor)
        if slope > 0:
            high = factor
        else:
            low = factor
        following = factor - slope / curvature if curvature > 0 else math.nan
        if not low < following < high:
            following = math.sqrt(low * high)
        if abs(following - factor) <= 1e-14 * factor:
            break
        factor = following
    return Temperature(1 / factor, _loss(logits, labels, 1.0), _loss(logits, labels, factor))


def _log(probabilities: np.ndarray) -> np.ndarray:
    """Return logits of probabilities; one that was too small for its type is taken for the smallest that is not."""
    smallest = np.finfo(probabilities.dtype).tiny
    return np.log(np.maximum(probabilities, smallest).astype(np.float64))


def _slope(logits: np.ndarray, labels: np.ndarray, factor: float) -> tuple[float, float]:
    """Return the first and second derivative of the mean loss by the factor of the logits."""
    shares = np.exp(factor * (logits - logits.max(axis=1, keepdims=True)))
    shares /= shares.sum(axis=1, keepdims=True)
    means = (shares * logits).sum(axis=1)
    slope = (means - logits[np.arange(len(labels)), labels]).mean()
    return float(slope), float((shares * np.square(logits - means[:, np.newaxis])).sum(axis=1).mean())


def _loss(logits: np.ndarray, labels: np.ndarray, factor: float) -> float:
    scaled = factor * logits
    highest = scaled.max(axis=1)
    sums = highest + np.log(np.exp(scaled - highest[:, np.newaxis]).sum(axis=1))
    return float((sums - scaled[np.arange(len(labels)), labels]).mean())
