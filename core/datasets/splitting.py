"""Which images are learnt from, validated on and tested on: drawn by seed, each class in proportion.

Grouped, images that are variations of one another stay on one side; see `core.datasets.grouping`.
"""

from typing import NamedTuple

import numpy as np

from core.config import ValidationPart
from core.datasets.dataset import Dataset
from core.datasets.grouping import groups_of, hold_out_groups
from core.datasets.specification import Specification


class TrainSplit(NamedTuple):
    """Indices into the train split, int64: those to learn from and those to validate on.

    None are to validate on where the test split serves for that.
    """

    train: np.ndarray
    validation: np.ndarray


def usual_part(specification: Specification) -> ValidationPart:
    """Return how validation images are taken where nothing is chosen: as given, if some came with the data."""
    return "given" if specification.validation_images else "stratified"


def split_train(
    dataset: Dataset,
    *,
    share: float,
    seed: int,
    part: ValidationPart,
    limit: int | None,
) -> TrainSplit:
    """Choose the images to learn from and to validate on, the same for every framework.

    With `limit`, only so many images of the train split are used, each class in proportion.
    `stratified` draws the validation part at random, each class in proportion but never all of one; `grouped` does so
    with whole groups of near-duplicates, so that it may be some images larger or smaller; `last` takes the end; `given`
    takes those that came with the data, all of them, and limits the others; `test` takes nothing, and all are learnt
    from.

    Raises:
        ValueError: if `limit` is more than there are images, no class has two images or groups to divide, or no
            validation images came with the data that are to be as given.
    """
    labels, given = dataset.train.labels, np.arange(0)
    if part == "given":
        learnt = len(labels) - dataset.specification.validation_images
        if learnt == len(labels):
            raise ValueError(
                "Validation images (--validation-part): expected a data set that validation images came with, received "
                f"{dataset.specification.title}, which has none of its own: choose stratified."
            )
        labels, given = labels[:learnt], np.arange(learnt, len(labels))
    if limit is not None and limit > len(labels):
        raise ValueError(
            f"Training limit (--train-limit): expected at most the {len(labels):,} images of "
            f"{dataset.specification.title}, received {limit:,}."
        )
    chosen = np.arange(len(labels))
    if limit is not None and limit < len(labels):
        chosen = np.sort(_stratified(labels, limit, np.random.default_rng([seed, 0])))
    if part in ("given", "test"):
        return TrainSplit(chosen, given)
    count = max(1, round(len(chosen) * share))
    if part == "last":
        return TrainSplit(chosen[:-count], chosen[-count:])
    if part == "grouped":
        return _split_groups(dataset, chosen, count, seed)
    held_out = np.zeros(len(chosen), dtype=bool)
    held_out[_stratified(labels[chosen], count, np.random.default_rng([seed, 1]))] = True
    _keep_one_of_each(labels[chosen], held_out)
    if not held_out.any():
        raise ValueError(
            "Validation images (--validation-part): expected two training images of a class, to hold one back, "
            f"received a single one of each in {dataset.specification.title}: add images, or validate on the test "
            "images."
        )
    return TrainSplit(chosen[~held_out], chosen[held_out])


def _keep_one_of_each(labels: np.ndarray, held_out: np.ndarray) -> None:
    """Give back an image of each class of which nothing would be left to learn from."""
    for label in np.setdiff1d(labels[held_out], labels[~held_out]):
        held_out[np.flatnonzero(labels == label)[0]] = False


def _split_groups(dataset: Dataset, chosen: np.ndarray, count: int, seed: int) -> TrainSplit:
    """Hold out about `count` of the chosen images, none of which is a near-duplicate of one that stays."""
    held_out = hold_out_groups(
        groups_of(dataset)[chosen], dataset.train.labels[chosen], count, np.random.default_rng([seed, 5])
    )
    if not held_out.any():
        raise ValueError(
            "Validation images (--validation-part): expected a class with two groups of near-duplicates to divide, but "
            f"in {dataset.specification.title} each class is one group: choose stratified."
        )
    return TrainSplit(chosen[~held_out], chosen[held_out])


def hold_out_test(labels: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    """Choose the images to test on where a source has no test split, each class in proportion.

    A class with a single image keeps it for training.

    Args:
        labels: int64 `(N,)`.

    Returns:
        bool `(N,)`, true for the images to test on: `share` of those in classes of at least two images.
    """
    several = np.flatnonzero(np.bincount(labels)[labels] > 1)
    count = min(max(1, round(len(several) * share)), len(several))
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[several[_stratified(labels[several], count, np.random.default_rng([seed, 2]))]] = True
    return held_out


def _stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw `count` positions so that each label keeps its share, exactly `count` in all.

    Each image gets its relative rank within its class at random; the lowest ranks are taken.
    """
    order = generator.permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(rank, kind="stable")[:count]
