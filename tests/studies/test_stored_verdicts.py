"""What is said of stored groups of seeds: of the same settings, of two networks, of an effect of half the spread."""

import numpy as np
import pytest

from core.config import configure
from core.runs import FinishedRun, Store, finished, new_id
from core.studies.groups import SeedGroup, fold_seeds
from core.studies.verdicts import Kind, compare_groups
from tests.runs.making import finished_results

SEEDS, RESAMPLINGS = 5, 100
ANN, CNN, SPREAD = 0.9771, 0.9903, 0.0011
"""Accuracies on MNIST's test images as docs/replication.md has them, and a deviation over seeds assumed here."""


def stored(store: Store, generator: np.random.Generator, mean: float, spread: float, **settings: object) -> SeedGroup:
    """Store forty seeds of one setting, and return them as the group that they are read back as."""
    ids = []
    for seed, accuracy in enumerate(generator.normal(mean, spread, 40).round(4).tolist()):
        run_id = store.create(configure(seed=seed, **settings), submission=new_id(), claimed=True)
        right = round(accuracy * 10_000)
        store.finish(
            run_id, 1, "done", finished_results(test_accuracy=accuracy, confusion=[[right, 10_000 - right], [0, 0]])
        )
        ids.append(run_id)
    (group,) = fold_seeds(finished(store.find(ids=ids, limit=40)))
    assert len(group.runs) == 40
    return group


def kinds(generator: np.random.Generator, first: SeedGroup, second: SeedGroup) -> list[Kind]:
    """Return what is said of a hundred draws of five seeds of each; of one group the five are not the other five."""
    found = []
    for _ in range(RESAMPLINGS):
        ones, others = (generator.permutation(len(group.runs)) for group in (first, second))
        if first is second:
            others = np.roll(ones, SEEDS)
        chosen: list[list[FinishedRun]] = [
            [group.runs[place] for place in places[:SEEDS]] for group, places in ((first, ones), (second, others))
        ]
        accuracies = [[run.results.test_accuracy for run in runs] for runs in chosen]
        images = int(np.sum(chosen[0][0].results.confusion))
        found.append(compare_groups(*accuracies, images=images, names=(first.label, second.label)).kind)
    return found


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20261128)


def test_five_seeds_and_five_more_of_the_same_settings_are_no_difference(store: Store, generator: np.random.Generator):
    group = stored(store, generator, ANN, SPREAD, architecture="ann-100")

    assert kinds(generator, group, group).count("no difference") >= 95


def test_a_dense_network_and_a_convolutional_one_are_a_difference(store: Store, generator: np.random.Generator):
    ann = stored(store, generator, ANN, SPREAD, architecture="ann-100")
    cnn = stored(store, generator, CNN, SPREAD / 2, architecture="cnn-64-32-32")

    assert kinds(generator, ann, cnn) == ["difference"] * RESAMPLINGS


def test_half_the_spread_cannot_be_told_yet(store: Store, generator: np.random.Generator):
    """Where seeds spread by more than what the test images tell apart, as on few training images."""
    spread = 0.02
    plain = stored(store, generator, 0.9, spread)
    better = stored(store, generator, 0.9 + spread / 2, spread, epochs=4)

    assert kinds(generator, plain, better).count("undecided") >= 0.85 * RESAMPLINGS
