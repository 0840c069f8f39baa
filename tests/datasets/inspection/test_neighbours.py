"""The nearest images are those that a plain comparison finds."""

import numpy as np
import pytest

from core.datasets.inspection.neighbours import nearest
from tests.sample_data import make_dataset, noise, plant_faults


@pytest.mark.parametrize("shape", [(8, 8, 1), (96, 96, 3)])
def test_they_are_the_least_different_of_both_splits(shape: tuple[int, int, int]) -> None:
    dataset = make_dataset(noise(30, shape), [0] * 30, noise(10, shape, seed=1), [1] * 10)
    everything = np.concatenate([dataset.train.images, dataset.test.images]).reshape(40, -1).astype(float)
    distances = np.sqrt(((everything - everything[35]) ** 2).mean(axis=1))
    found = nearest(dataset, 35, count=6)
    np.testing.assert_array_equal(found.positions, np.argsort(distances)[1:7])
    np.testing.assert_allclose(found.distances, np.sort(distances)[1:7], rtol=1e-4)


def test_a_twin_is_at_distance_zero() -> None:
    found = nearest(plant_faults(), 45, count=1)
    assert found.positions.tolist() == [3]
    assert found.distances[0] == 0


def test_there_are_no_more_than_the_others() -> None:
    dataset = make_dataset(noise(2), [0, 1], noise(1, seed=1), [0])
    assert sorted(nearest(dataset, 0, count=20).positions) == [1, 2]
