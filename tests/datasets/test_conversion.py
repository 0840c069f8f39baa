"""Images in another size and colour: what is imported is what a prediction would make of the same image."""

import numpy as np
import pytest

from core import datasets
from core.datasets.conversion import fit, preparation_of
from core.datasets.specification import Specification
from core.inference.preprocessing import prepare
from tests.datasets import sources

PHOTO = Specification("x", "X", ("a", "b"), "photo", "", "")


@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 32, 1), (8, 96, 3), (50, 40, 1), (50, 40, 3)])
@pytest.mark.parametrize("size", [(50, 40), (9, 200), (300, 301)])
def test_import_and_prediction_agree_on_every_pixel(shape, size):
    image = sources.pixels(1, *size, 3)[0]

    np.testing.assert_array_equal(fit(image, shape), prepare(image, PHOTO, shape).pixels)


def test_what_has_the_shape_stays_as_it_is():
    image = sources.pixels(1, 28, 28, 1)[0]

    assert fit(image, (28, 28, 1)) is image


def test_grey_becomes_colour_of_equal_channels():
    image = sources.pixels(1, 20, 20, 1)[0]

    np.testing.assert_array_equal(fit(image, (20, 20, 3)), np.repeat(image, 3, axis=2))


def test_mnist_is_ink_by_the_rule_as_by_its_description():
    dataset = datasets.load("mnist")

    assert preparation_of(dataset.train.images[:1000]) == dataset.specification.preparation == "handwriting"


@pytest.mark.parametrize(
    "change",
    [
        lambda digits: 255 - digits,
        lambda digits: np.repeat(digits, 3, axis=3),
        lambda digits: np.maximum(digits, 60),
        lambda digits: np.clip(digits.astype(int) * 4, 0, 255).astype(np.uint8)[:, 7:21, 9:19],
    ],
    ids=["dark on light", "in colour", "on grey", "filling the image"],
)
def test_other_images_are_photographs(change):
    assert preparation_of(change(np.asarray(datasets.load("mnist").train.images[:200]))) == "photo"
