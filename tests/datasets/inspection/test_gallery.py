"""Which images a page shows, and how they become one picture."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.datasets import Dataset, Split
from core.datasets.inspection.gallery import (
    class_counts,
    describe_place,
    enlarge,
    images_at,
    labels_of_all,
    of_class,
    page_count,
    page_of,
    place_of,
    png,
    position_of,
    shuffled,
    split_images,
    split_rows,
    sprite,
    stratified_sample,
)
from core.datasets.specification import Specification


@pytest.fixture
def dataset() -> Dataset:
    """Forty training and six test images of two classes, each filled with its own number."""
    specification = Specification("tiny", "Tiny", ("even", "odd"), "handwriting", "made here", "free")

    def split(count: int) -> Split:
        images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
        return Split(images, np.arange(count) % 2)

    return Dataset(specification, split(40), split(6), "0" * 64)


def test_the_splits_are_apart_and_complete(dataset: Dataset) -> None:
    rows = split_rows(dataset, share=0.25, seed=1)
    assert [len(members) for members in rows.values()] == [30, 10, 6]
    assert sorted([*rows["train"], *rows["validation"]]) == list(range(40))
    assert split_images(dataset, "test") is dataset.test
    assert split_images(dataset, "validation") is dataset.train


def test_counts_include_classes_without_images(dataset: Dataset) -> None:
    counts = class_counts(dataset, {"train": np.array([0, 2, 4]), "test": np.arange(6)})
    np.testing.assert_array_equal(counts["train"], [3, 0])
    np.testing.assert_array_equal(counts["test"], [3, 3])


def test_a_class_filter_keeps_row_numbers(dataset: Dataset) -> None:
    rows = np.array([3, 4, 5, 8])
    np.testing.assert_array_equal(of_class(dataset, "train", rows, 1), [3, 5])
    np.testing.assert_array_equal(of_class(dataset, "train", rows, None), rows)


def test_a_seed_draws_an_order_that_comes_again() -> None:
    rows = np.arange(50)
    np.testing.assert_array_equal(shuffled(rows, None), rows)
    assert shuffled(rows, 1).tolist() == shuffled(rows, 1).tolist() != shuffled(rows, 2).tolist()
    assert sorted(shuffled(rows, 1)) == rows.tolist()


def test_a_position_counts_both_splits_through(dataset: Dataset) -> None:
    assert position_of(dataset, "validation", 3) == 3
    assert position_of(dataset, "test", 3) == 43
    assert place_of(dataset, 39) == ("train", 39)
    assert place_of(dataset, 40) == ("test", 0)
    assert describe_place(dataset, 42) == "test image 2"
    np.testing.assert_array_equal(images_at(dataset, np.array([41, 7]))[:, 0, 0, 0], [1, 7])
    np.testing.assert_array_equal(labels_of_all(dataset)[[39, 40, 41]], [1, 0, 1])


def test_a_sample_keeps_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [700, 299, 1])
    sample = stratified_sample(labels, 100, seed=3)
    assert np.bincount(labels[sample]).tolist() in ([70, 30, 1], [70, 29, 1], [71, 29, 1])
    assert (np.diff(sample) > 0).all()
    assert stratified_sample(labels, 100, seed=3).tolist() == sample.tolist()
    assert stratified_sample(labels, 100, seed=4).tolist() != sample.tolist()
    assert len(stratified_sample(labels, 5000, seed=3)) == 1000


def test_pages_cover_every_row_once() -> None:
    rows = np.arange(23)
    pages = [page_of(rows, page, 10) for page in range(1, page_count(rows, 10) + 1)]
    assert [len(page) for page in pages] == [10, 10, 3]
    np.testing.assert_array_equal(np.concatenate(pages), rows)
    assert page_count(rows[:0], 10) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sprite_holds_each_image_in_reading_order(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, channels), np.uint8)
    picture = sprite(images, columns=3, gap=2)
    assert picture.shape == (2 * 4 + 2, 3 * 6 + 2 * 2, channels + 1)
    np.testing.assert_array_equal(picture[6:10, 8:14, :channels], images[4])
    assert (picture[6:10, 8:14, channels] == 255).all()
    assert (picture[4:6, :, channels] == 0).all(), "gaps are transparent"
    assert (picture[6:, 14:, channels] == 0).all(), "empty places are transparent"


def test_a_sprite_without_gap_is_seamless() -> None:
    assert sprite(np.zeros((4, 3, 3, 1), np.uint8), columns=2, gap=0).shape == (6, 6, 2)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_png_keeps_every_value(channels: int, mode: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    image = Image.open(io.BytesIO(png(picture)))
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)


def test_enlarging_repeats_whole_pixels() -> None:
    image = np.array([[[1], [2]], [[3], [4]]], np.uint8)
    large = enlarge(image, 7)
    assert large.shape == (6, 6, 1)
    assert (large[:3, 3:] == 2).all()
    assert enlarge(np.zeros((96, 96, 3), np.uint8), 50).shape == (96, 96, 3)


def test_validation_images_that_came_with_the_data_are_the_validation_split(dataset: Dataset) -> None:
    given = replace(dataset, specification=replace(dataset.specification, validation_images=7))

    assert split_rows(given, share=0.1, seed=1)["validation"].tolist() == list(range(33, 40))
