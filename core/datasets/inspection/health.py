"""What is wrong with a data set before anything is trained on it: twins, leaks, wrong labels, blanks, odd sizes.

    for finding in check_health(dataset):
        finding.sentence                # "3 test images are also training images. …"
        finding.positions               # which, to be opened as a gallery; see `core.datasets.inspection.gallery`

Two images are twins if all their pixels are equal. Each image is reduced to a hash of 128 bits, so
that 70,000 of them are compared within a fifth of a second; the result is kept by `core.datasets.inspection.cache`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from core.datasets import Dataset, original_sizes
from core.datasets.inspection.cache import Arrays, get_or_compute
from core.datasets.inspection.gallery import describe_place, labels_of_all
from core.datasets.inspection.statistics import blocks
from core.datasets.recognition.counts import doubts

MOST_CROPPED = 1 / 3
"""An image that loses more of its area than this on import has an odd size."""

SURELY = 0.001
"""A difference of shares is told if chance brings one like it so seldom."""

NOTABLE = 0.1
"""A difference of shares is told if one is larger than the other by this part of it."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault and the images that have it.

    Attributes:
        key: what the finding is called in addresses.
        title: the fault in a few words.
        sentence: how many images have it, what harm it does and what mends it.
        positions: the images, int64 `(n,)`, twins side by side.
        remark: a few words about the image at a place in `positions`.
    """

    key: str
    title: str
    sentence: str
    positions: np.ndarray
    remark: Callable[[int], str]


class ShareDifference(NamedTuple):
    """A class whose share of the training images, 0 to 1, is not that of the test images."""

    label: int
    train: float
    test: float


def check_health(dataset: Dataset) -> list[Finding]:
    """Look for every kind of fault; one that no image has is among them, without positions."""
    found = get_or_compute(dataset.fingerprint, "health-1", lambda: _search(dataset))
    twins = _Twins(found["twins"], labels_of_all(dataset), len(dataset.train.labels))
    findings = [_leaks(dataset, twins), _contradictions(dataset, twins), _copies(dataset, twins)]
    return [*findings, _blanks(found["blank"]), *_odd_sizes(dataset)]


def class_doubts(dataset: Dataset) -> list[str]:
    """Return a sentence for each way in which classes cannot be learnt or scored, as an import does."""
    learnt = len(dataset.train.labels) - dataset.specification.validation_images
    splits = {"train": dataset.train.labels[:learnt], "test": dataset.test.labels}
    if learnt < len(dataset.train.labels):
        splits["validation"] = dataset.train.labels[learnt:]
    return doubts(
        {
            split: {dataset.class_names[label]: count for label, count in Counter(labels.tolist()).items()}
            for split, labels in splits.items()
        }
    )


def compare_shares(train: np.ndarray, test: np.ndarray) -> list[ShareDifference]:
    """Find the classes whose share differs between the splits by more than chance and by a notable part.

    First both splits are compared as a whole by Pearson's chi-squared test of homogeneity (Pearson, "On
    the criterion…", 1900); if chance brings such a difference less often than `SURELY`, so is each class
    against all others, by the same test with Bonferroni's correction. Thus small splits, whose shares
    scatter, raise no alarm. Of those classes the ones are told whose shares differ by `NOTABLE`.

    Args:
        train, test: how many images of each class there are, int64 `(classes,)`.

    Returns:
        The largest difference first.
    """
    if not (train.sum() and test.sum()) or _chance(np.array([train, test])) >= SURELY:
        return []
    found = []
    for label, (in_train, in_test) in enumerate(zip(train, test, strict=True)):
        table = np.array([[in_train, train.sum() - in_train], [in_test, test.sum() - in_test]])
        shares = in_train / train.sum(), in_test / test.sum()
        if _chance(table) < SURELY / len(train) and max(shares) > (1 + NOTABLE) * min(shares):
            found.append(ShareDifference(label, *map(float, shares)))
    return sorted(found, key=lambda difference: -abs(difference.train - difference.test))


def _chance(counts: np.ndarray) -> float:
    """Return how probable such counts `(2, n)` or more different ones are if both rows are drawn alike."""
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    freedom = counts.shape[1] - 1
    return float(chdtrc(freedom, ((counts - expected) ** 2 / expected).sum())) if freedom else 1.0


def _search(dataset: Dataset) -> Arrays:
    digests, blank = [], []
    for split in (dataset.train, dataset.test):
        for _, images in blocks(split.images):
            rows = np.ascontiguousarray(images).reshape(len(images), -1)
            digests += [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]
            blank.append((rows == rows[:, :1]).all(axis=1))
    _, twins = np.unique(np.frombuffer(b"".join(digests), "V16"), return_inverse=True)
    return {"twins": twins.astype(np.int32), "blank": np.flatnonzero(np.concatenate(blank))}


class _Twins:
    """Which images are equal: `number` gives equal images the same number."""

    def __init__(self, number: np.ndarray, labels: np.ndarray, of_train: int):
        self.number = number
        self.labels = labels
        self.in_test = np.arange(len(number)) >= of_train
        self.sizes = np.bincount(number)

    def of(self, groups: np.ndarray) -> np.ndarray:
        """Return the positions of the images in groups for which bool `(groups,)` is true, twins side by side."""
        members = np.flatnonzero(groups[self.number])
        return members[np.argsort(self.number[members], kind="stable")]

    def first(self, images: np.ndarray) -> np.ndarray:
        """Return the first position in each group for which bool `(N,)` is true; 0 where there is none."""
        first = np.zeros(len(self.sizes), np.int64)
        members = np.flatnonzero(images)[::-1]
        first[self.number[members]] = members
        return first


def _leaks(dataset: Dataset, twins: _Twins) -> Finding:
    in_test = np.bincount(twins.number[twins.in_test], minlength=len(twins.sizes))
    positions = twins.of((in_test > 0) & (in_test < twins.sizes))
    numbers = twins.number[positions]
    of_other_split = np.where(
        twins.in_test[positions], twins.first(~twins.in_test)[numbers], twins.first(twins.in_test)[numbers]
    )
    count = int(twins.in_test[positions].sum())
    return Finding(
        key="leak",
        title="Duplicates across the splits",
        sentence=f"{_images(count, 'test image')} also among the training images, so the test accuracy "
        "flatters: the answer was learnt by heart. Take such images out of one of the splits."
        if count
        else "No test image is among the training images.",
        positions=positions,
        remark=lambda i: f"same as {describe_place(dataset, of_other_split[i])}",
    )


def _contradictions(dataset: Dataset, twins: _Twins) -> Finding:
    lowest = np.full(len(twins.sizes), len(dataset.class_names))
    np.minimum.at(lowest, twins.number, twins.labels)
    highest = np.zeros(len(twins.sizes), np.int64)
    np.maximum.at(highest, twins.number, twins.labels)
    positions = twins.of(lowest < highest)
    numbers = twins.number[positions]
    other_label = np.where(twins.labels[positions] == lowest[numbers], highest[numbers], lowest[numbers])
    return Finding(
        key="labels",
        title="Duplicates with different labels",
        sentence=f"{_images(len(positions), 'image')} equal to one of another class, so a label is wrong and no "
        "network can get both right. Correct the labels where the images come from."
        if len(positions)
        else "No two equal images have different labels.",
        positions=positions,
        remark=lambda i: f"also labelled {dataset.class_names[other_label[i]]}",
    )


def _copies(dataset: Dataset, twins: _Twins) -> Finding:
    positions = twins.of(twins.sizes > 1)
    numbers = twins.number[positions]
    is_last = np.append(numbers[1:] != numbers[:-1], True) if len(positions) else np.zeros(0, bool)
    following = np.where(is_last, twins.first(np.ones(len(twins.number), bool))[numbers], np.roll(positions, -1))
    groups = int(is_last.sum())
    return Finding(
        key="twins",
        title="Exact duplicates",
        sentence=f"{_images(len(positions), 'image')} equal in every pixel to another one, in {groups:,} "
        f"group{'' if groups == 1 else 's'}. Few do no harm; many give what they show too much weight."
        if len(positions)
        else "No two images are equal in every pixel.",
        positions=positions,
        remark=lambda i: f"same as {describe_place(dataset, following[i])}",
    )


def _blanks(positions: np.ndarray) -> Finding:
    return Finding(
        key="blank",
        title="Blank images",
        sentence=f"{_images(len(positions), 'image')} of one colour throughout, so there is nothing to learn. Take "
        "such images out, or look for what went wrong when they were made."
        if len(positions)
        else "No image is of one colour throughout.",
        positions=positions,
        remark=lambda _: "one colour throughout",
    )


def _odd_sizes(dataset: Dataset) -> list[Finding]:
    """Tell images that were enlarged or cropped much on import; nothing where all came in the size they have."""
    by_split = original_sizes(dataset.specification.name)
    if by_split is None:
        return []
    sizes = np.concatenate(by_split)
    side = sizes / dataset.image_shape[:2]
    lost = 1 - side.min(axis=1) / side.max(axis=1)
    enlarged = side.min(axis=1) < 1
    positions = np.flatnonzero(enlarged | (lost > MOST_CROPPED))
    return [
        Finding(
            key="sizes",
            title="Odd sizes",
            sentence=f"{_images(len(positions), 'image')} smaller than what they were brought to, or so long that "
            "more than a third was cropped. Look whether they still show what they should."
            if len(positions)
            else "No image had to be enlarged, and none lost more than a third.",
            positions=positions,
            remark=lambda i: (
                "was {}×{}, ".format(*sizes[positions[i]])
                + ("enlarged" if enlarged[positions[i]] else f"{lost[positions[i]]:.0%} cropped")
            ),
        )
    ]


def _images(count: int, noun: str) -> str:
    return f"{count:,} {noun} is" if count == 1 else f"{count:,} {noun}s are"
