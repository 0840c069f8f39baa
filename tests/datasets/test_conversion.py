"""Images in another size and colour: what is imported is what a prediction would make of the same image."""

import numpy as np
import pytest

from core import datasets
from core.datasets.conversion import fit, preparation_of
from core.inference.preprocessing import prepare
from tests.datasets import sources


@pytest.mark.parametrize("how", ["crop", "pad", "squeeze"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 32, 1), (8, 96, 3), (50, 40, 1), (50, 40, 3)])
@pytest.mark.parametrize("size", [(50, 40), (9, 200), (300, 301)])
def test_import_and_prediction_agree_on_every_pixel(shape, size, how):
    image = sources.pixels(1, *size, 3)[0]

    np.testing.assert_array_equal(fit(image, shape, how), prepare(image, "photo", shape, how).pixels)


def test_what_has_the_shape_stays_as_it_is():
    image = sources.pixels(1, 28, 28, 1)[0]

    assert fit(image, (28, 28, 1)) is image


def test_padding_keeps_the_whole_image_on_the_colour_of_its_edges():
    image = np.full((40, 10, 3), 50, np.uint8)
    image[10:30] = 200
    image[:, 0] = image[:, -1] = 50

    padded = fit(image, (40, 40, 3), "pad")

    np.testing.assert_array_equal(padded[:, 15:25], image)
    assert (padded[:, :15] == 50).all()


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
