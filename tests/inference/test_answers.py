"""Several digits in one picture, from the bytes of a photograph to answers, with a network that needs no framework."""

import numpy as np
import pytest
from PIL import Image

from core.config import configure
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.inference.answers import answer, reads_characters
from core.inference.preprocessing import Adjustments
from core.networks.zoo import ARCHITECTURES
from core.training.checkpoints import Description
from tests.uploads import photographed_line


class NearestImages:
    """Predicts the class of the most similar of some training images, slightly blurred by taking 2×2 means."""

    description = Description(
        config=configure(),
        architecture=ARCHITECTURES["ann-100"],
        input_shape=(28, 28, 1),
        class_names=tuple("0123456789"),
        preparation="handwriting",
        fingerprint="",
    )

    def __init__(self) -> None:
        train = load("mnist").train
        self._known, self._labels = self._small(np.asarray(train.images[:8000])), np.asarray(train.labels[:8000])

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        likeness = self._small(pixels) @ self._known.T
        best = np.stack([likeness[:, self._labels == label].max(axis=1) for label in range(10)], axis=1)
        shares = np.exp(60 * (best - best.max(axis=1, keepdims=True)))
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)

    def unfamiliarity(self, pixels: np.ndarray) -> np.ndarray:
        return 3 * (1 - (self._small(pixels) @ self._known.T).max(axis=1))

    def _small(self, images: np.ndarray) -> np.ndarray:
        means = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(images), -1)
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)


@pytest.fixture(scope="module")
def network() -> NearestImages:
    return NearestImages()


def test_photographed_lines_are_read_in_order(network):
    test = load("mnist").test
    generator = np.random.default_rng(3)
    right, counted = 0, 0
    for _ in range(10):
        rows = generator.integers(0, 5000, 6)
        found = answer(photographed_line(test.images[rows][..., 0], generator), "line.jpg", network)
        counted += len(found.found) == 6
        right += sum(a == str(b) for a, b in zip(found.label, test.labels[rows], strict=False))
        middles = [each.box[0] + each.box[2] for each in found.found]
        assert middles == sorted(middles)
    assert counted >= 9
    assert right >= 52


def test_whoever_wants_one_gets_one(network):
    test = load("mnist").test
    line = photographed_line(test.images[:3][..., 0], np.random.default_rng(0))

    assert len(answer(line, "line.jpg", network).found) == 3
    (only,) = answer(line, "line.jpg", network, Adjustments(single=True)).found
    assert only.box == (0, 0, 1, 1)


@pytest.mark.parametrize(("side", "is_told"), [(8, True), (13, True), (14, False), (28, False), (56, False)])
def test_a_very_small_image_is_told(network, side, is_told):
    digit = Image.fromarray(load("mnist").test.images[0][..., 0]).resize((side, side), Image.Resampling.LANCZOS)

    warnings = answer(png(np.asarray(digit)), "small.png", network, Adjustments(single=True)).warnings

    sentence = (
        f"It has only {side} × {side} pixels, where the network sees 28 × 28: a larger image is read more surely."
    )
    assert (sentence in warnings) == is_told


def test_only_letters_and_digits_make_lines():
    about = NearestImages.description

    assert reads_characters(about)
    assert not reads_characters(about.model_copy(update={"class_names": ("cat", "dog")}))
    assert not reads_characters(about.model_copy(update={"preparation": "photo"}))


@pytest.mark.parametrize(
    "wrong", [{"crop": (0.5, 0, 0.5, 1)}, {"angle": 200.0}, {"threshold": 1.5}], ids=lambda wrong: next(iter(wrong))
)
def test_adjustments_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Adjustments(**wrong)
