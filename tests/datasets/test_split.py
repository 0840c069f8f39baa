"""Which images are learnt from and which are held back: exact sizes, in proportion, the same each time."""

import re
from dataclasses import replace

import numpy as np
import pytest

from core import datasets
from core.datasets import Dataset, split_train
from tests.sample_data import make_dataset, noise

SETTINGS = {"share": 0.1, "seed": 42, "part": "stratified", "limit": None}


@pytest.fixture(scope="module")
def dataset(unpacked_datasets):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(unpacked_datasets.parent))
        return datasets.load("mnist")


def split(dataset, **settings):
    return split_train(dataset, **{**SETTINGS, **settings})


@pytest.mark.parametrize("part", ["stratified", "last"])
@pytest.mark.parametrize("share", [0.001, 0.1, 1 / 6, 0.2, 0.5])
@pytest.mark.parametrize("limit", [None, 20, 999, 59_999, 60_000])
class TestEverySplit:
    def test_has_exact_sizes(self, dataset, part, share, limit):
        train, validation = split(dataset, part=part, share=share, limit=limit)
        total = limit or 60_000

        assert len(validation) == max(1, round(total * share))
        assert len(train) + len(validation) == total

    def test_uses_no_image_twice(self, dataset, part, share, limit):
        train, validation = split(dataset, part=part, share=share, limit=limit)
        both = np.concatenate([train, validation])

        assert both.dtype == np.int64
        assert len(np.unique(both)) == len(both)
        assert both.min() >= 0
        assert both.max() < 60_000

    def test_is_the_same_each_time(self, dataset, part, share, limit):
        first = split(dataset, part=part, share=share, limit=limit)
        second = split(dataset, part=part, share=share, limit=limit)

        np.testing.assert_array_equal(first.train, second.train)
        np.testing.assert_array_equal(first.validation, second.validation)


@pytest.mark.parametrize("limit", [None, 600])
def test_nothing_is_held_back_where_the_test_split_validates(dataset, limit):
    train, validation = split(dataset, part="test", limit=limit)

    assert len(train) == len(np.unique(train)) == (limit or 60_000)
    assert validation.shape == (0,)


@pytest.mark.parametrize("limit", [None, 600, 5_000])
def test_stratified_split_keeps_each_class_in_proportion(dataset, limit):
    labels = np.asarray(dataset.train.labels)
    train, validation = split(dataset, limit=limit)

    shares = np.bincount(labels) / len(labels)
    for part in (train, validation):
        counts = np.bincount(labels[part], minlength=10)
        np.testing.assert_allclose(counts, shares * len(part), atol=2)


def test_every_class_is_validated_on_when_there_is_room(dataset):
    _, validation = split(dataset, limit=100, share=0.2)

    assert set(dataset.train.labels[validation]) == set(range(10))


def test_another_seed_draws_other_images(dataset):
    first, second = split(dataset, seed=1), split(dataset, seed=2)

    assert not np.array_equal(first.validation, second.validation)
    # Of two independent tenths, a tenth is expected in common.
    assert 400 < len(np.intersect1d(first.validation, second.validation)) < 800


def test_another_seed_limits_to_other_images(dataset):
    first, second = (np.concatenate(split(dataset, seed=seed, limit=1_000)) for seed in (1, 2))

    assert len(np.intersect1d(first, second)) < 100


def test_last_part_is_the_end(dataset):
    train, validation = split(dataset, part="last", share=0.2, seed=7)

    np.testing.assert_array_equal(train, np.arange(48_000))
    np.testing.assert_array_equal(validation, np.arange(48_000, 60_000))


def test_limit_above_the_number_of_images_is_refused(dataset):
    sentence = "Training limit (--train-limit): expected at most the 60,000 images of MNIST, received 60,001."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        split(dataset, limit=60_001)


@pytest.fixture
def given(dataset):
    return replace(dataset, specification=replace(dataset.specification, validation_images=7_000))


def test_validation_images_that_came_with_the_data_are_those_whatever_the_seed_and_the_share(given):
    for seed, share in ((1, 0.1), (2, 0.5)):
        train, validation = split(given, part="given", seed=seed, share=share)

        np.testing.assert_array_equal(train, np.arange(53_000))
        np.testing.assert_array_equal(validation, np.arange(53_000, 60_000))


def test_a_limit_leaves_validation_images_that_came_with_the_data_whole(given):
    train, validation = split(given, part="given", limit=1_000)

    assert len(train) == 1_000
    assert train.max() < 53_000
    np.testing.assert_array_equal(validation, np.arange(53_000, 60_000))
    with pytest.raises(ValueError, match="expected at most the 53,000 images"):
        split(given, part="given", limit=53_001)


def test_other_ways_draw_as_they_do_where_no_validation_images_came(dataset, given):
    for part in ("stratified", "last", "test"):
        for drawn, usual in zip(split(given, part=part), split(dataset, part=part), strict=True):
            np.testing.assert_array_equal(drawn, usual)


def test_validation_images_as_given_are_refused_where_none_came(dataset):
    sentence = (
        "Validation images (--validation-part): expected a data set that validation images came with, received MNIST, "
        "which has none of its own: choose stratified."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        split(dataset, part="given")


def few(*counts: int) -> Dataset:
    """Return a data set with so many training images of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return make_dataset(noise(len(labels)), labels, noise(2), [0, 1])


@pytest.mark.parametrize("seed", range(20))
def test_the_only_image_of_a_class_is_learnt_from(seed):
    dataset = few(1, 6, 1, 1)

    train, validation = split_train(dataset, share=0.4, seed=seed, part="stratified", limit=None)

    assert set(dataset.train.labels[train]) == {0, 1, 2, 3}
    assert len(validation) >= 1
    assert sorted([*train, *validation]) == list(range(9))


def test_nothing_to_hold_back_is_refused():
    with pytest.raises(ValueError, match=r"expected two training images of a class, to hold one back"):
        split_train(few(1, 1), share=0.1, seed=0, part="stratified", limit=None)
