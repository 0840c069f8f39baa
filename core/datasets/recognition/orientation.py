"""Whether characters stand upright or lie on their side with rows and columns exchanged, as EMNIST's files have them.

    turn = judge_orientation(["emnist-digits-train.csv"], [(images, labels)], choices)
    turn.turned, turn.note

Digits are compared with MNIST's. Of capital letters, A, M, T, U, V, W and Y are the same from left to right and
from right to left, while B, C, D, E and K are the same upside down.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from core.datasets.choices import Choices

_DIGITS = tuple("0123456789")
_LEFT_RIGHT = "AMTUVWY"
_UP_DOWN = "BCDEK"

_SIDE = 28
_CERTAIN = 0.05
"""So much more alike, in correlation, must one of the two ways be."""

_ALIKE = 0.5
"""So much alike, in correlation, must digits be to MNIST's if the files' names do not say EMNIST."""


class Turn(NamedTuple):
    """Whether images are turned, what to tell about it, and whether it is a guess that may be decided otherwise."""

    turned: bool
    note: str | None
    is_guess: bool


def judge_orientation(
    names: Sequence[str], batches: Iterable[tuple[np.ndarray, Sequence[str]]], choices: Choices
) -> Turn:
    """Return whether images are to be turned.

    Args:
        names: of the files.
        batches: images, uint8 `(n, H, W, C)`, and their labels as written; only looked at where that is needed.
    """
    if choices.orientation is not None:
        turned = choices.orientation == "transposed"
        return Turn(turned, "Rows and columns of all images are exchanged, as chosen." if turned else None, True)
    is_emnist = any("emnist" in name.lower() for name in names)
    batches = [(images, labels) for images, labels in batches if images.shape[1:] == (_SIDE, _SIDE, 1)]
    upright = lying = 0.0
    if batches:
        images = np.concatenate([images[..., 0] for images, _ in batches]).astype(np.float64)
        labels = np.array([label.partition(".")[0] for _, labels in batches for label in labels])
        upright, lying = _likeness(images, labels, is_emnist)
    certain = abs(upright - lying) > _CERTAIN
    if is_emnist and certain and upright > lying:
        return Turn(False, "The files are called EMNIST, but their images stand upright: they are left so.", True)
    if is_emnist:
        doubt = "" if certain else " That is EMNIST's way; their pixels do not show it for certain, so look at them."
        return Turn(True, f"EMNIST's images lie on their side; they are turned upright.{doubt}", True)
    if certain and lying > max(_ALIKE, upright + 4 * _CERTAIN):
        return Turn(True, "The digits lie on their side, as EMNIST's do; they are turned upright.", True)
    return Turn(False, None, False)


def _likeness(images: np.ndarray, labels: np.ndarray, is_emnist: bool) -> tuple[float, float]:
    """Return how alike images are to what their labels say, upright and with rows and columns exchanged."""
    upright, lying = [], []
    if not set(labels) & set(_DIGITS):
        return _likeness_of_letters(images, labels) if is_emnist else (0.0, 0.0)
    if is_emnist and "0" not in labels and not set(labels) <= set(_DIGITS):
        return _likeness_of_letters(images, labels)
    for digit, template in zip(_DIGITS, _templates(), strict=True):
        if (labels == digit).any():
            mean = images[labels == digit].mean(axis=0)
            upright.append(_correlation(mean, template))
            lying.append(_correlation(mean.T, template))
    return float(np.mean(upright)), float(np.mean(lying))


def _likeness_of_letters(images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return how symmetric letters are as they should be: the labels are letters, or places from 1 to 26."""
    upright, lying = [], []
    for letters, flip, other in ((_LEFT_RIGHT, np.fliplr, np.flipud), (_UP_DOWN, np.flipud, np.fliplr)):
        for letter in letters:
            chosen = np.isin(labels, [letter, letter.lower(), str(ord(letter) - ord("A") + 1)])
            if chosen.any():
                mean = images[chosen].mean(axis=0)
                upright.append(_correlation(mean, flip(mean)))
                lying.append(_correlation(mean, other(mean)))
    return (float(np.mean(upright)), float(np.mean(lying))) if upright else (0.0, 0.0)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / scale) if scale else 0.0


@cache
def _templates() -> np.ndarray:
    """Return the mean of MNIST's test images of each digit, float64 `(10, 28, 28)`."""
    from core.datasets import mnist  # is read by the formats, which look here for how images stand
    from core.datasets.formats.idx import read_idx

    images = read_idx(mnist.BUNDLED / "t10k-images-idx3-ubyte.gz", 3)
    labels = read_idx(mnist.BUNDLED / "t10k-labels-idx1-ubyte.gz", 1)
    return np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
