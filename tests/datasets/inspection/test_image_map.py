"""The maps: PCA against NumPy's decomposition, t-SNE in its own process."""

import time

import numpy as np
import pytest

from core.datasets.inspection import image_map
from core.datasets.inspection.image_map import components, find_neighbourhoods, principal_components, progress, start
from tests.sample_data import make_dataset, noise, store


def two_groups(count: int = 60):
    """Dark and bright images in two classes."""
    images = noise(count, (8, 8, 3)) // 4
    images[1::2] += 180
    return make_dataset(images[10:], np.arange(count)[10:] % 2, images[:10], np.arange(10) % 2)


def test_components_are_those_of_a_full_decomposition() -> None:
    images = noise(50, (8, 8, 1))
    pixels = images.reshape(50, -1).astype(float)
    pixels -= pixels.mean(axis=0)
    left, values, _ = np.linalg.svd(pixels, full_matrices=False)
    scores, explained = components(images, count=40, seed=0)
    np.testing.assert_allclose(explained, (values**2 / (values**2).sum())[:40], rtol=1e-4)
    np.testing.assert_allclose(np.abs(scores[:, :5]), np.abs(left * values)[:, :5], rtol=1e-2, atol=0.1)


def test_images_without_any_difference_have_a_map_too() -> None:
    scores, explained = components(np.full((5, 8, 8, 1), 7, np.uint8), count=2, seed=0)
    assert (scores == 0).all()
    assert (explained == 0).all()


def test_pca_parts_what_differs_most() -> None:
    dataset = two_groups()
    found = principal_components(dataset)
    assert found.positions.tolist() == list(range(60))
    assert found.points.shape == (60, 2)
    bright = np.concatenate([dataset.train.labels, dataset.test.labels]) == 1
    assert found.points[bright, 0].min() > found.points[~bright, 0].max() or (
        found.points[bright, 0].max() < found.points[~bright, 0].min()
    )
    assert 0.5 < found.explained[0] <= 1


def test_a_large_set_is_sampled_each_class_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_map, "MOST_IMAGES", 40)
    labels = np.repeat([0, 1], [90, 30])
    found = principal_components(make_dataset(noise(120), labels, noise(40, seed=1), labels[:40]))
    assert len(found.positions) == 40
    assert (np.concatenate([labels, labels[:40]])[found.positions] == 1).sum() == pytest.approx(40 * 30 / 160, abs=1)


def test_tsne_is_computed_apart_and_kept() -> None:
    dataset = store(two_groups())
    assert find_neighbourhoods(dataset) is None
    assert progress(dataset.fingerprint) is None
    start(dataset.specification.name)
    start(dataset.specification.name)  # does not disturb the first
    deadline = time.monotonic() + 60
    while progress(dataset.fingerprint) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = find_neighbourhoods(dataset)
    assert found.explained is None
    np.testing.assert_array_equal(found.positions, principal_components(dataset).positions)
    assert np.isfinite(found.points).all()
