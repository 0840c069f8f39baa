"""What is unlike anything that a network was trained on is told from what is not."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.config import configure
from core.datasets import Dataset, load
from core.networks.zoo import ARCHITECTURES
from core.training import familiarity
from core.training.checkpoints import Description
from core.training.strangers import make_strangers


class NearestMean:
    """Takes an image for the class whose mean is nearest; what it sees is every second pixel."""

    def __init__(self, dataset: Dataset):
        images, labels = self.features(dataset.train.images[:4000]), dataset.train.labels[:4000]
        self._means = np.stack([images[labels == label].mean(axis=0) for label in range(10)])

    def features(self, images: np.ndarray) -> np.ndarray:
        return images[:, ::2, ::2, 0].reshape(len(images), -1).astype(np.float32) / 255

    def predict(self, images: np.ndarray) -> np.ndarray:
        return -np.square(self.features(images)[:, np.newaxis] - self._means).sum(axis=2)


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(
        config=configure(train_limit=6000),
        architecture=ARCHITECTURES["ann-100"],
        input_shape=(28, 28, 1),
        class_names=tuple("0123456789"),
        preparation="handwriting",
        fingerprint="",
    )


def test_strangers_are_told_from_test_images(description, tmp_path: Path):
    dataset = load("mnist")
    engine = NearestMean(dataset)
    known = familiarity.measure(engine, description, dataset)
    strangers = make_strangers((28, 28, 1), 300, description.class_names, np.random.default_rng(1))
    digits = dataset.test.images[5000:5300]

    of_strangers, of_digits = (familiarity.score(known, engine, description, some) for some in (strangers, digits))

    assert known.measured[0] > 0.9
    assert familiarity.auroc(of_strangers, of_digits) == pytest.approx(known.measured[0], abs=0.05)
    assert (of_digits > 1).mean() < 0.06
    assert (of_strangers > 1).mean() > 0.45

    familiarity.write(tmp_path, known, "those of epoch 5")
    again = familiarity.read(tmp_path, "those of epoch 5")
    assert again is not None
    assert familiarity.read(tmp_path, "those of epoch 6") is None, "it was measured with other weights"
    np.testing.assert_allclose(familiarity.score(again, engine, description, strangers), of_strangers, rtol=0.02)


def test_a_run_that_was_never_measured_knows_nothing(tmp_path):
    assert familiarity.read(tmp_path) is None
    (tmp_path / "familiarity.safetensors").write_bytes(b"damaged")
    assert familiarity.read(tmp_path) is None


def test_the_area_is_scikit_learns():
    generator = np.random.default_rng(0)
    for _ in range(20):
        positive, negative = generator.integers(0, 9, 30) + 1.0, generator.integers(0, 9, 50) * 1.0
        labels = np.r_[np.ones(30), np.zeros(50)]
        expected = roc_auc_score(labels, np.r_[positive, negative])
        assert familiarity.auroc(positive, negative) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (20, 40, 1)])
def test_strangers_have_the_shape_of_the_data(shape):
    images = make_strangers(shape, 25, ("cat", "dog"), np.random.default_rng(0))

    assert images.dtype == np.uint8
    assert images.shape == (25, *shape)
    assert (images.max(axis=(1, 2, 3)) > 200).all()
    assert len({image.tobytes() for image in images}) == 25


def test_where_letters_are_known_no_letter_is_a_stranger():
    letters = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

    assert len(make_strangers((28, 28, 1), 8, letters, np.random.default_rng(0))) == 8


def test_how_dark_the_ink_is_hardly_counts():
    digits = np.asarray(load("mnist").test.images[:20])
    faint = (digits // 2).astype(np.uint8)
    full, half = (familiarity._gradients(images) for images in (digits, faint))

    np.testing.assert_allclose(np.linalg.norm(full, axis=1), 1, atol=1e-5)
    assert (full * half).sum(axis=1).min() > 0.99
    assert np.median(full @ full.T) < 0.8
