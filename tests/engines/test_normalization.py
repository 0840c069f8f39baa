"""Normalisation: what pixels become, the same in both engines and wherever a network goes afterwards."""

import numpy as np
import pytest

from core.config import choices_of, configure
from core.engines.normalization import FIXED, scaling_of

IMAGES = np.random.default_rng(1).integers(0, 256, (50, 5, 4, 3), dtype=np.uint8) // np.array([1, 2, 255], np.uint8)
LEARNT_FROM = np.arange(10, 50)


def scaled(normalization: str, images: np.ndarray = IMAGES) -> np.ndarray:
    scaling = scaling_of(configure(normalization=normalization), images, LEARNT_FROM)
    return images * np.array(scaling.multiply) + np.array(scaling.then_add)


@pytest.mark.parametrize(("normalization", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_fixed_ranges(normalization, low, high):
    multiply, then_add = FIXED[normalization]
    assert 0 * multiply[0] + then_add[0] == low
    assert 255 * multiply[0] + then_add[0] == high


def test_standard_is_by_channel_and_by_the_images_that_are_learnt_from():
    values = scaled("standard")[LEARNT_FROM]

    np.testing.assert_allclose(values.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(axis=(0, 1, 2))[:2], 1)
    assert abs(scaled("standard")[:10, ..., 0].mean()) > 1e-3, "the others would count too"


def test_channel_of_one_colour_stays_finite():
    assert np.abs(scaled("standard", np.full((50, 2, 2, 1), 7, np.uint8))).max() == 0


def test_every_choice_is_either_fixed_or_standard():
    assert {*FIXED, "standard"} == set(choices_of("normalization"))
