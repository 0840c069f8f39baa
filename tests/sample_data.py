"""Tiny data sets made by hand, whose faults and figures are known.

dataset = make_dataset(train_images, train_labels, test_images, test_labels)
faulty = plant_faults()         # a leak, a mislabelled twin and a blank image among noise
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from core.datasets import Dataset, Split, load, storage
from core.datasets.inspection.cache import write_cached
from core.datasets.specification import Specification


def make_dataset(
    train_images: np.ndarray,
    train_labels: Sequence[int],
    test_images: np.ndarray,
    test_labels: Sequence[int],
    class_names: Sequence[str] = ("cat", "dog"),
    name: str = "tiny",
    validation_images: int = 0,
) -> Dataset:
    """Return a data set that lies in memory only, with the fingerprint of its images and labels."""
    labels = [np.asarray(values, np.int64) for values in (train_labels, test_labels)]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in (train_images, test_images, *labels)))
    return Dataset(
        Specification(
            name, "Tiny", tuple(class_names), "photo", "made here", "free", validation_images=validation_images
        ),
        Split(train_images, labels[0]),
        Split(test_images, labels[1]),
        digest.hexdigest(),
    )


def noise(count: int, shape: tuple[int, int, int] = (8, 8, 1), seed: int = 0) -> np.ndarray:
    """Return images of noise, no two alike: uint8 `(count, *shape)`."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def plant_faults(shape: tuple[int, int, int] = (8, 8, 1), *, name: str = "tiny") -> Dataset:
    """Return 40 training and 20 test images of noise, with faults.

    Training image 3 is also test image 5; training images 10 and 11 are equal, but 10 is a cat and 11 a dog;
    test image 7 is blank.
    """
    train, test = noise(40, shape), noise(20, shape, seed=1)
    test[5] = train[3]
    train[11] = train[10]
    test[7] = 200
    return make_dataset(train, np.arange(40) % 2, test, [0, 1, 0, 1, 0, 1, 0, 1] + [0, 1] * 6, name=name)


def store(dataset: Dataset) -> Dataset:
    """Let a data set lie in this test's home like an imported one, and return it with its real fingerprint."""
    with storage.staging() as folder:
        for key, split in (("train", dataset.train), ("test", dataset.test)):
            np.save(folder / f"{key}_images.npy", split.images)
            np.save(folder / f"{key}_labels.npy", split.labels)
        storage.complete(folder, dataset.specification)
        storage.publish(folder, dataset.specification.name)
    return load(dataset.specification.name)


def store_checked() -> Dataset:
    """Store a data set of six training images whose label check has been made: images 3 and 1, both dogs, seem cats; 4
    and 0 are the least typical."""
    dataset = store(make_dataset(noise(6), [0, 1] * 3, noise(2, seed=1), [0, 1]))
    write_cached(
        dataset.fingerprint,
        "labels-1-pytorch-42",
        {
            "suggested": np.array([0, 0, 0, 0, 0, 1]),
            "score": np.array([0.9, 0.25, 0.9, 0.125, 0.9, 0.9], np.float32),
            "confidence": np.full(6, 0.75, np.float32),
            "order": np.array([3, 1]),
            "outliers": np.array([4, 0]),
            "typicality": np.array([0.125, 0.5]),
            "estimated": np.array(1),
            "unchecked": np.array(0),
            "settings": np.array('{"folds": 5}'),
        },
    )
    return dataset
