import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from core.datasets import mnist
from core.datasets.decoding import decode
from core.inference.preprocessing import prepare
from tests.uploads import CHANGES

SHAPE = (28, 28, 1)

REDRAWN = {"thin_pen", "thick_pen", "phone_photo"}
"""Changes that keep a digit's middle line only, so that the pixels cannot be those of MNIST."""


@pytest.fixture(scope="module")
def digits():
    """One test digit a class, uint8 (10, 28, 28)."""
    _, _, images, labels = mnist.read()
    return images[[int(np.argmax(labels == label)) for label in range(10)], ..., 0]


def rgb(grey):
    return np.repeat(np.asarray(grey, np.uint8)[..., np.newaxis], 3, axis=2)


def similarity(a, b):
    """The cosine of the angle between two images, slightly blurred so that a pixel's shift hardly counts."""
    a, b = (ndimage.gaussian_filter(image.astype(float), 1).ravel() for image in (a, b))
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize("change", CHANGES)
def test_an_upload_becomes_a_digit_as_mnist_was_made(change, digits):
    for i, digit in enumerate(digits if change != "phone_photo" else digits[:3]):
        upload = CHANGES[change](digit, np.random.default_rng([1, i]))
        prepared = prepare(decode(upload, change), "handwriting", SHAPE)
        pixels = prepared.pixels[..., 0]
        assert prepared.pixels.dtype == np.uint8
        assert prepared.pixels.shape == SHAPE
        assert pixels.max() >= 250
        assert np.median(pixels) == 0
        rows, columns = (np.flatnonzero((pixels >= 64).any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
        assert ndimage.center_of_mass(pixels) == pytest.approx((14, 14), abs=0.6)
        assert similarity(pixels, digit) > (0.75 if change in REDRAWN else 0.9)


def test_the_data_sets_own_images_are_kept_as_they_are():
    _, _, images, _ = mnist.read()
    for image in images[:300]:
        prepared = prepare(np.repeat(image, 3, axis=2), "handwriting", SHAPE)
        np.testing.assert_array_equal(prepared.pixels, image)


def test_a_drawing_of_the_right_size_is_centred(digits):
    moved = np.roll(digits[3], (-3, 3), axis=(0, 1))
    pixels = prepare(rgb(moved), "handwriting", SHAPE).pixels[..., 0]
    assert similarity(pixels, digits[3]) > 0.98


@pytest.mark.parametrize(("shape", "box"), [((56, 56, 1), 40), ((14, 28, 3), 10)])
def test_the_box_follows_the_data_sets_shape(shape, box, digits):
    pixels = prepare(rgb(255 - digits[8].repeat(8, axis=0).repeat(8, axis=1)), "handwriting", shape).pixels
    assert pixels.shape == shape
    assert (pixels == pixels[..., :1]).all()
    rows, columns = (np.flatnonzero((pixels[..., 0] >= 64).any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == box


def test_dirt_neither_moves_nor_shrinks_the_digit(digits):
    sheet = np.zeros((300, 300))
    sheet[100:240, 80:220] = digits[5].repeat(5, axis=0).repeat(5, axis=1)
    clean = prepare(rgb(sheet), "handwriting", SHAPE).pixels
    sheet[[10, 280, 150], [290, 15, 10]] = 255
    sheet[20:23, 20:23] = 255
    np.testing.assert_allclose(prepare(rgb(sheet), "handwriting", SHAPE).pixels, clean, atol=2)


def blank_pages():
    generator = np.random.default_rng(0)
    slope = np.linspace(120, 220, 400)[np.newaxis].repeat(300, axis=0)
    grain = ndimage.gaussian_filter(generator.normal(0, 1, slope.shape), 2)
    specks = slope.copy()
    specks[generator.integers(0, 300, 9), generator.integers(0, 400, 9)] = 60
    return {
        "white": np.full((300, 400), 255),
        "black": np.zeros((28, 28)),
        "one pixel": np.zeros((1, 1)),
        "a slope of light": slope,
        "camera noise": slope + generator.normal(0, 6, slope.shape),
        "paper grain": slope * (1 + 0.02 * grain / grain.std()),
        "specks": specks,
    }


@pytest.mark.parametrize("name", blank_pages())
def test_a_blank_page_is_not_made_into_a_digit(name):
    page = blank_pages()[name]
    with pytest.raises(ValueError, match="received an image without clear strokes: use a darker or thicker pen"):
        prepare(rgb(page), "handwriting", SHAPE)


@pytest.mark.parametrize(
    ("change", "titles"),
    [
        ("untouched", "Received, Grey, Kept"),
        ("combined", "Received, Grey, Paper removed, Ink found, Cropped, Scaled, Centred"),
        ("thin_pen", "Received, Grey, Paper removed, Ink found, Cropped, Thickened, Scaled, Centred"),
    ],
)
def test_the_steps_tell_what_was_done(change, titles, digits):
    upload = CHANGES[change](digits[2], np.random.default_rng(0))
    prepared = prepare(decode(upload, change), "handwriting", SHAPE)
    assert ", ".join(step.title for step in prepared.steps) == titles
    np.testing.assert_array_equal(prepared.steps[-1].image, prepared.pixels[..., 0])
    for step in prepared.steps:
        assert step.explanation.endswith(".")
        assert step.image.dtype == np.uint8
        assert max(step.image.shape[:2]) <= 280


@pytest.mark.parametrize(("change", "found"), [("inverted", "Dark on light"), ("enlarged", "Light on dark")])
def test_finds_out_whether_ink_or_paper_is_darker(change, found, digits):
    for i, digit in enumerate(digits):
        upload = CHANGES[change](digit, np.random.default_rng(i))
        steps = prepare(decode(upload, change), "handwriting", SHAPE).steps
        assert steps[2].explanation.startswith(found)


def test_a_photo_is_cropped_to_its_middle_and_resized():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 20:80] = (200, 100, 50)
    prepared = prepare(image, "photo", (32, 32, 3))
    assert prepared.pixels.dtype == np.uint8
    np.testing.assert_array_equal(prepared.pixels, np.broadcast_to(np.uint8([200, 100, 50]), (32, 32, 3)))
    assert [step.title for step in prepared.steps] == ["Received", "Cropped", "Resized"]


def test_a_photo_of_the_right_form_is_kept_and_greyed_where_the_data_are_grey():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(prepare(image, "photo", (32, 32, 3)).pixels, image)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    np.testing.assert_array_equal(prepare(image, "photo", (32, 32, 1)).pixels, grey[..., np.newaxis])


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (700, 3), (2000, 1500)])
def test_a_photo_of_any_size_is_taken(size):
    prepared = prepare(np.full((*size, 3), 77, np.uint8), "photo", (32, 32, 3))
    assert (prepared.pixels == 77).all()
    assert all(max(step.image.shape[:2]) <= 280 for step in prepared.steps)
