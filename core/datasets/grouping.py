"""Near-duplicates: images that are variations of one another, and splits that keep them together.

    groups = groups_of(dataset)                         # int64 (N,), images that are alike share a number
    held_out = hold_out_groups(groups, labels, count, generator)

`near_duplicate_groups` and `hold_out_groups` need NumPy alone and nothing of Duet: exported scripts contain them, so
that these train on the same images.
"""

import numpy as np

from core.datasets.dataset import Dataset
from core.datasets.inspection.cache import get_or_compute, read_cached

_KEPT = "near-duplicates-1"


def groups_of(dataset: Dataset) -> np.ndarray:
    """Return the group of near-duplicates of each image, int64 `(N,)`: of the train split, then of the test split.

    It is kept by the data's fingerprint; the first time takes seconds for tens of thousands of images.
    """
    found = get_or_compute(
        dataset.fingerprint,
        _KEPT,
        lambda: {"groups": near_duplicate_groups(_Joined(dataset.train.images, dataset.test.images)).astype(np.int32)},
    )
    return found["groups"].astype(np.int64)


def known_groups(dataset: Dataset) -> np.ndarray | None:
    """Return what `groups_of` does if it was computed before; None if not."""
    found = read_cached(dataset.fingerprint, _KEPT)
    return None if found is None else found["groups"].astype(np.int64)


class _Joined:
    """The images of two arrays as those of one, of which only what is asked for is read."""

    def __init__(self, first: np.ndarray, second: np.ndarray):
        self._first, self._second = first, second
        self.shape = (len(first) + len(second), *first.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        indices = np.arange(len(self))[chosen]
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        of_second = indices >= len(self._first)
        images[~of_second] = self._first[indices[~of_second]]
        images[of_second] = self._second[indices[of_second] - len(self._first)]
        return images


def near_duplicate_groups(images, likeness=0.98):
    """Return a number for each image, int64 `(N,)`: near-duplicates, and what they link, share that of their first.

    Two images are near-duplicates if the correlation of their pixels is at least `likeness`. Of images of more than 32
    pixels a side, squares of pixels are averaged first. Where none are, each image has its own number.

    Pairs are looked for among the projections onto a few directions: those are no farther apart than the images
    themselves, so that none is missed. Each pair that is found is then compared in full. Some tens of megabytes do,
    besides 200 bytes an image.

    Args:
        images: uint8 `(N, height, width, channels)`.
    """
    directions, rows_at_once, columns_at_once, pairs_at_once = 48, 1024, 8192, 4096
    step = -(-max(images.shape[1:3]) // 32)

    def normed(chosen):
        pixels = images[chosen].astype(np.float32)
        for axis in (1, 2) if step > 1 else ():
            pixels = np.add.reduceat(pixels, np.arange(0, images.shape[axis], step), axis=axis)
        pixels = pixels.reshape(len(pixels), -1)
        pixels -= pixels.mean(axis=1, keepdims=True)
        return pixels / np.maximum(np.linalg.norm(pixels, axis=1, keepdims=True), 1e-6)

    count = len(images)
    sample = normed(np.unique(np.linspace(0, count - 1, min(count, 1024)).astype(np.int64)))
    basis = np.linalg.svd(sample, full_matrices=False)[2][:directions].T
    points, blank = np.empty((count, basis.shape[1]), np.float32), np.empty(count, bool)
    for start in range(0, count, rows_at_once):
        pixels = normed(slice(start, start + rows_at_once))
        points[start : start + rows_at_once] = pixels @ basis
        blank[start : start + rows_at_once] = ~pixels.any(axis=1)
    halves, ones = -(points**2).sum(axis=1, keepdims=True) / 2, np.ones((count, 1), np.float32)
    halves[blank] = -1  # far from all: every pair of blank images would else be compared, of which none is alike
    # The product of a row of each is minus half the squared distance of two points; of images, their likeness minus 1.
    left, right = np.hstack([points, halves, ones]), np.hstack([points, ones, halves])
    groups = np.arange(count)
    for top in range(0, count, rows_at_once):
        for begin in range(top, count, columns_at_once):
            near = left[top : top + rows_at_once] @ right[begin : begin + columns_at_once].T > likeness - 1 - 1e-4
            first, second = np.divmod(np.flatnonzero(near), near.shape[1])
            first, second = first + top, second + begin
            new = (first < second) & (groups[first] != groups[second])
            first, second = first[new], second[new]
            for start in range(0, len(first), pairs_at_once):
                one, other = first[start : start + pairs_at_once], second[start : start + pairs_at_once]
                new = groups[one] != groups[other]
                if not new.any():
                    continue
                one, other = one[new], other[new]
                alike = np.einsum("ij,ij->i", normed(one), normed(other), dtype=np.float64) >= likeness
                one, other = one[alike], other[alike]
                while (differ := groups[one] != groups[other]).any():
                    one, other = one[differ], other[differ]
                    roots = np.sort([groups[one], groups[other]], axis=0)
                    np.minimum.at(groups, roots[1], roots[0])
                    while (groups != groups[groups]).any():
                        groups = groups[groups]
    return groups


def hold_out_groups(groups, labels, count, generator):
    """Choose about `count` images to hold out, each class in proportion, so that groups stay whole.

    Each class keeps a group to learn from. A group counts for the class of its first image.

    Args:
        groups: the number of each image's group, int64 `(N,)`.
        labels: int64 `(N,)`.
        count: how many to hold out; as whole groups are taken, it may be some more or less.
        generator: NumPy's, which draws the groups.

    Returns:
        bool `(N,)`, true for those held out; all false if no class has two groups.
    """
    _, firsts, members, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    of_group, rank = labels[firsts], np.full(len(firsts), np.inf)
    order = generator.permutation(len(firsts))
    for label in np.unique(of_group):
        drawn = order[of_group[order] == label]
        ends = np.cumsum(sizes[drawn])
        # The share of the class that is held out once half of the group is; the last group always stays.
        rank[drawn[:-1]] = ((ends - sizes[drawn] / 2) / ends[-1])[:-1] + generator.random() * 1e-9
    taken, held_out = 0, np.zeros(len(firsts), bool)
    for group in np.argsort(rank, kind="stable"):
        if np.isinf(rank[group]) or (taken and taken + sizes[group] / 2 > count):
            break
        held_out[group] = True
        taken += sizes[group]
    return held_out[members]
