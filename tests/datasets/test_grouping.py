"""Near-duplicates: found as comparing all pairs finds them, kept on one side of a grouped split."""

import gzip

import numpy as np
import pytest

from core.datasets import Dataset, load, split_train
from core.datasets.grouping import groups_of, hold_out_groups, known_groups, near_duplicate_groups
from core.datasets.inspection.near_duplicates import check_near_duplicates
from core.system.paths import PROJECT
from tests.sample_data import make_dataset, noise

LIKENESS = 0.98
SIGNS = PROJECT.parent / "shared" / "data" / "sign_mnist" / "sign_mnist_test.csv.gz"


def variations(images: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return `count` images made of each: brighter or darker, with a little noise, all of one behind one another."""
    generator = np.random.default_rng(seed)
    changed = images.repeat(count, axis=0).astype(np.float32)
    changed *= generator.uniform(0.7, 1, (len(changed), 1, 1, 1))
    changed += generator.normal(0, 4, changed.shape)
    return changed.clip(0, 255).astype(np.uint8)


def alike(images: np.ndarray) -> np.ndarray:
    """Return which of all pairs are near-duplicates: bool `(N, N)`, by their plain definition."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    pixels -= pixels.mean(axis=1, keepdims=True)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    return pixels @ pixels.T >= LIKENESS


def linked(pairs: np.ndarray) -> np.ndarray:
    """Return the lowest number that each is linked with, through any others, by walking from each."""
    found = np.arange(len(pairs))
    for start in range(len(pairs)):
        if found[start] == start:
            reached, edge = {start}, [start]
            while edge:
                fresh = set(np.flatnonzero(pairs[edge.pop()]).tolist()) - reached
                reached |= fresh
                edge += fresh
            found[list(reached)] = start
    return found


@pytest.fixture
def varied() -> Dataset:
    """Ten variations of each of 60 digits to train on, and of each fifth one to test on."""
    mnist = load("mnist")
    images, labels = mnist.train.images[:60], mnist.train.labels[:60]
    return make_dataset(
        variations(images, 10),
        labels.repeat(10),
        variations(images[::5], 2, seed=1),
        labels[::5].repeat(2),
        mnist.class_names,
    )


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 3), (33, 70, 1)], ids=str)
def test_what_is_varied_is_one_group_and_nothing_else_is(shape):
    images = variations(noise(40, shape), 7)
    images = images[np.random.default_rng(1).permutation(len(images))]

    groups = near_duplicate_groups(images)

    assert np.unique(groups, return_counts=True)[1].tolist() == [7] * 40
    assert all(groups[number] == number for number in groups)


def test_groups_are_those_of_all_pairs_and_what_links_them():
    images = load("mnist").train.images[:1_500]  # more than two blocks, some of its ones nearly alike

    pairs = alike(images)

    assert np.triu(pairs, 1).any()
    np.testing.assert_array_equal(near_duplicate_groups(images), linked(pairs))


def test_links_make_one_group_of_images_that_are_not_alike_themselves():
    first, last = noise(2, (12, 12, 1)).astype(np.float32)
    images = np.stack([first + (last - first) * share for share in np.linspace(0, 1, 16)]).astype(np.uint8)

    assert not alike(images)[0, -1]
    assert set(near_duplicate_groups(images)) == {0}


def test_equal_images_are_one_group_and_blank_ones_none():
    blank = 20_000  # of so many each pair would take hours to compare
    images = np.concatenate([np.full((blank, 9, 9, 1), 7, np.uint8), noise(1, (9, 9, 1)).repeat(5_000, axis=0)])

    groups = near_duplicate_groups(images)

    np.testing.assert_array_equal(groups[:blank], np.arange(blank))
    assert set(groups[blank:]) == {blank}


def test_a_grouped_split_has_no_near_duplicate_across_it(varied):
    for seed in range(5):
        train, validation = split_train(varied, share=0.2, seed=seed, part="grouped", limit=None)

        pairs = alike(varied.train.images)
        assert not pairs[np.ix_(train, validation)].any()
        assert sorted([*train, *validation]) == list(range(600))
        assert abs(len(validation) - 120) <= 10
        assert set(varied.train.labels[train]) == set(varied.train.labels)

    random = split_train(varied, share=0.2, seed=0, part="stratified", limit=None)
    assert pairs[np.ix_(random.train, random.validation)].any(axis=0).mean() > 0.9, "else this proves nothing"


def test_a_grouped_split_of_some_images_has_none_across_it_either(varied):
    train, validation = split_train(varied, share=0.3, seed=1, part="grouped", limit=200)

    assert len(train) + len(validation) == 200
    assert not alike(varied.train.images)[np.ix_(train, validation)].any()


def test_a_grouped_split_is_drawn_by_the_seed(varied):
    first, second, other = (split_train(varied, share=0.2, seed=s, part="grouped", limit=None) for s in (1, 1, 2))

    np.testing.assert_array_equal(first.validation, second.validation)
    assert first.validation.tolist() != other.validation.tolist()


def test_each_class_is_held_out_in_proportion():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    groups = np.arange(1000) // 5 * 5

    held_out = hold_out_groups(groups, labels, 200, np.random.default_rng(0))

    np.testing.assert_allclose(np.bincount(labels[held_out]), [120, 60, 20], atol=5)


def test_a_class_of_one_group_is_learnt_from():
    labels = np.repeat([0, 1], [10, 10])
    groups = np.repeat([0, 10, 15], [10, 5, 5])

    for seed in range(10):
        held_out = hold_out_groups(groups, labels, 10, np.random.default_rng(seed))
        assert held_out.sum() == 5
        assert set(labels[held_out]) == {1}


def test_data_of_which_each_class_is_one_group_are_refused_with_a_sentence():
    images = variations(noise(2), 10)

    with pytest.raises(ValueError, match=r"in Tiny each class is one group: choose stratified"):
        split_train(
            make_dataset(images, [0] * 10 + [1] * 10, images[:2], [0, 0]), share=0.1, seed=0, part="grouped", limit=None
        )


def test_groups_are_kept_and_count_both_splits(varied):
    assert known_groups(varied) is None
    assert check_near_duplicates(varied) is None

    groups = groups_of(varied)

    assert groups.shape == (624,)
    np.testing.assert_array_equal(known_groups(varied), groups)


def test_near_duplicates_across_the_splits_are_a_finding(varied):
    groups_of(varied)

    finding = check_near_duplicates(varied)

    assert finding.sentence.startswith("24 test images are variations of images to train on")
    assert len(finding.positions) == 24 + 12 * 10
    assert finding.positions[:12].tolist() == [*range(10), 600, 601]
    assert finding.remark(0) == "like test image 1"
    assert finding.remark(11) == "like training image 0"


def test_none_across_the_splits_is_said_too():
    sound = make_dataset(noise(10), [0, 1] * 5, noise(4, seed=1), [0, 1] * 2)
    groups_of(sound)

    assert check_near_duplicates(sound).sentence == "No test image is a variation of a training image."


@pytest.mark.slow
@pytest.mark.skipif(not SIGNS.exists(), reason="the sign images are not here")
def test_no_sign_has_a_near_duplicate_across_a_grouped_split():
    with gzip.open(SIGNS) as file:
        table = np.loadtxt(file, np.int64, delimiter=",", skiprows=1)
    images, labels = table[:, 1:].astype(np.uint8).reshape(-1, 28, 28, 1), table[:, 0]
    signs = make_dataset(images[:-10], labels[:-10], images[-10:], labels[-10:], [str(label) for label in range(26)])

    train, validation = split_train(signs, share=0.2, seed=42, part="grouped", limit=None)

    assert abs(len(validation) / len(labels) - 0.2) < 0.01
    pairs = alike(signs.train.images)
    assert not pairs[np.ix_(train, validation)].any()
    random = split_train(signs, share=0.2, seed=42, part="stratified", limit=None)
    assert pairs[np.ix_(random.train, random.validation)].any(axis=0).mean() > 0.5
