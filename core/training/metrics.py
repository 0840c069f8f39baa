"""What a network got right and wrong, from its logits or probabilities; NumPy only.

loss, accuracy = loss_and_accuracy(logits, labels)
matrix = confusion(labels, probabilities.argmax(1), classes)
rows = per_class(matrix)
"""

import math
from dataclasses import dataclass

import numpy as np

from core.networks.layers import Architecture


@dataclass(frozen=True)
class ClassScore:
    """How well one class is read. A score without any case to count is `nan`."""

    label: int
    count: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ConfusedPair:
    """How often images of class `label` are predicted as `predicted`, and which share of the class that is."""

    label: int
    predicted: int
    count: int
    share: float


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits `(N, classes)`, computed in float64."""
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def probabilities(outputs: np.ndarray, architecture: Architecture) -> np.ndarray:
    """Return a network's probabilities, float32 `(N, classes)`, from what it gives out: logits, or just these."""
    found = outputs if architecture.gives_probabilities else softmax(outputs)
    return found.astype(np.float32)


def loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the mean cross-entropy (natural logarithm) and the share predicted correctly."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    losses = log_sums - shifted[np.arange(len(labels)), labels]
    return float(losses.mean()), float((logits.argmax(axis=1) == labels).mean())


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count images by true class (row) and predicted class (column): int64 `(classes, classes)`."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def row_rates(matrix: np.ndarray) -> np.ndarray:
    """Return each row of a confusion matrix as shares of its class; a class without images gives zeros."""
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def per_class(matrix: np.ndarray) -> list[ClassScore]:
    """Return precision, recall and F1 of each class of a confusion matrix."""
    scores = []
    for label, hits in enumerate(matrix.diagonal()):
        found, there = matrix[:, label].sum(), matrix[label].sum()
        scores.append(
            ClassScore(
                label=label,
                count=int(there),
                precision=_share(hits, found),
                recall=_share(hits, there),
                f1=_share(2 * hits, found + there),
            )
        )
    return scores


def confused_pairs(matrix: np.ndarray, limit: int = 10) -> list[ConfusedPair]:
    """Return the classes taken for one another most often, most frequent first, without zeros."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = ((int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True))
    return [ConfusedPair(i, j, int(wrong[i, j]), _share(wrong[i, j], matrix[i].sum())) for i, j in pairs if wrong[i, j]]


def wilson_interval(accuracy: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval of an accuracy measured on `count` images: by default that of 95 %.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Args:
        z: how many standard deviations it reaches to either side.
    """
    centre = (accuracy + z * z / (2 * count)) / (1 + z * z / count)
    spread = z / (1 + z * z / count) * math.sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count))
    return centre - spread, centre + spread


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
