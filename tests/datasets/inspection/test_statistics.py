"""Means, spreads and histograms against NumPy's own, and exactly where they are known."""

import numpy as np
import pytest

from core.datasets.inspection import statistics as statistics_module
from core.datasets.inspection.statistics import blocks, statistics
from tests.sample_data import make_dataset, noise


@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_those_of_each_class_and_split(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics_module, "_BLOCK_BYTES", 7 * 8 * 9 * channels)
    train, test = noise(40, (8, 9, channels)), noise(20, (8, 9, channels), seed=1)
    labels = np.arange(40) % 2
    found = statistics(make_dataset(train, labels, test, [0] * 20))
    for label in range(2):
        np.testing.assert_allclose(found.means["train"][label], train[labels == label].mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(found.spreads["train"][label], train[labels == label].std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.means["test"][0], test.mean(axis=0), rtol=1e-6)
    assert found.means["test"].dtype == np.float32
    for channel in range(channels):
        expected = np.bincount(test[..., channel].ravel(), minlength=256)
        np.testing.assert_array_equal(found.histograms["test"][channel], expected)


def test_constant_pixels_have_no_spread_at_all() -> None:
    images = np.full((1000, 8, 8, 1), 255, np.uint8)
    found = statistics(make_dataset(images, [0] * 1000, images[:2], [0, 0]))
    assert (found.means["train"][0] == 255).all()
    assert (found.spreads["train"] == 0).all()


def test_a_class_without_images_is_black() -> None:
    found = statistics(make_dataset(noise(4), [0] * 4, noise(2), [0, 0]))
    assert (found.means["train"][1] == 0).all()
    assert (found.spreads["train"][1] == 0).all()


def test_they_are_kept_by_the_data() -> None:
    first = statistics(make_dataset(noise(4), [0, 1, 0, 1], noise(2), [0, 1]))
    other = statistics(make_dataset(noise(4, seed=9), [0, 1, 0, 1], noise(2), [0, 1]))
    again = statistics(make_dataset(noise(4), [0, 1, 0, 1], noise(2), [0, 1]))
    np.testing.assert_array_equal(first.means["train"], again.means["train"])
    assert (first.means["train"] != other.means["train"]).any()


def test_blocks_cover_every_image_once() -> None:
    images = noise(1000, (96, 96, 3))
    seen = [(rows, len(block)) for rows, block in blocks(images)]
    assert sum(count for _, count in seen) == 1000
    assert max(count for _, count in seen) * images[0].nbytes <= 2**20
    np.testing.assert_array_equal(np.concatenate([np.arange(1000)[rows] for rows, _ in seen]), np.arange(1000))
