"""What the predictions of the test images tell: classes that are confused or never predicted, and confidence."""

import numpy as np
from scipy.special import ndtri

from core.studies.findings.evidence import Evidence
from core.studies.findings.finding import Finding
from core.system.text import in_words
from core.training.calibration import confidences, expected_calibration_error, reliability
from core.training.metrics import wilson_interval

_SURELY = 0.01
"""What is said would be true of so few runs by chance."""

_FEW_IMAGES = 10
"""A class of fewer test images may be predicted never and be well known."""

_NAMED = 3

_CONFUSED = 0.05
"""Two classes are confused where more than this share of their images is taken for the other …"""

_SHARE_OF_ERRORS = 2.0
"""… and more than so many times what they had of the errors if all pairs of classes had as many."""

_GAP = 0.01
"""A network is surer than it is right where its confidence is at least so far above its accuracy …"""

_EXCESS = 1.5
"""… and so many times as many predictions are wrong as its confidence says."""


def classes_never_predicted(evidence: Evidence) -> Finding | None:
    """Say which classes no test image is predicted as, though some are of them."""
    counts, predicted = evidence.matrix.sum(axis=1), evidence.matrix.sum(axis=0)
    dead = np.flatnonzero((counts >= _FEW_IMAGES) & (predicted == 0))
    if not len(dead):
        return None
    images = int(counts[dead].sum())
    names = [evidence.class_names[label] for label in dead[:_NAMED]]
    names += [f"{len(dead) - _NAMED:,} more"] if len(dead) > _NAMED else []
    one = len(dead) == 1
    return Finding(
        "classes_never_predicted",
        f"{'Class' if one else 'Classes'} {in_words(names)} {'is' if one else 'are'} never predicted: all {images:,} "
        f"test images of {'it' if one else 'them'} are taken for others.",
        view="Classes" if len(dead) > 1 else "Errors",
        cell=f"{dead[0]}-" if one else None,
        figures={"classes": len(dead), "images": images},
    )


def classes_confused(evidence: Evidence) -> Finding | None:
    """Say which two classes are taken for one another most, where that is more than chance and than all others."""
    matrix, classes = evidence.matrix, len(evidence.matrix)
    pairs = classes * (classes - 1) // 2
    if classes < 3:
        return None
    between = np.triu(matrix + matrix.T, 1)
    never = matrix.sum(axis=0) == 0  # of which another sentence tells
    errors = int(between.sum())
    between[never] = between[:, never] = 0
    one, other = (int(place) for place in np.unravel_index(between.argmax(), between.shape))
    count, images = int(between[one, other]), int(matrix[[one, other]].sum())
    if not count:
        return None
    # It is the worst of all pairs, so its bound is that of the worst of so many.
    z = float(-ndtri(_SURELY / pairs))
    low, _ = wilson_interval(count / images, images, z)
    share, _ = wilson_interval(count / errors, errors, z)
    if low < _CONFUSED or share < _SHARE_OF_ERRORS / pairs:
        return None
    first, second = evidence.class_names[one], evidence.class_names[other]
    worse = (one, other) if matrix[one, other] >= matrix[other, one] else (other, one)
    return Finding(
        "classes_confused",
        f"{first} and {second} are confused: {count:,} of {images:,} test images of the two ({count / images:.1%}) "
        f"are taken for the other one, {count / errors:.0%} of all errors.",
        view="Errors",
        cell=f"{worse[0]}-{worse[1]}",
        figures={"count": count, "images": images, "share_of_errors": count / errors},
    )


def more_confident_than_right(evidence: Evidence) -> Finding | None:
    """Say that probabilities are too high: more predictions are wrong than they say, beyond chance."""
    if evidence.tested is None:
        return None
    probabilities, labels = evidence.tested.probabilities, evidence.tested.labels
    sure, right = confidences(probabilities), probabilities.argmax(axis=1) == labels
    gaps, images = sure - right, len(labels)
    confidence, accuracy = float(sure.mean()), float(right.mean())
    low = float(gaps.mean() + ndtri(_SURELY) * gaps.std() / np.sqrt(images))
    expected, errors = float((1 - sure).sum()), int((~right).sum())
    if low < _GAP or errors < _EXCESS * expected:
        return None
    error = expected_calibration_error(reliability(probabilities, labels))
    return Finding(
        "more_confident_than_right",
        f"More confident than right: its mean confidence is {confidence:.1%}, its accuracy {accuracy:.1%}, so "
        f"{errors:,} of {images:,} test images are predicted wrongly where {expected:,.0f} were to be expected. "
        f"The calibration error is {error:.1%}.",
        view="Confidence",
        figures={"confidence": confidence, "accuracy": accuracy, "calibration_error": error, "expected": expected},
    )
