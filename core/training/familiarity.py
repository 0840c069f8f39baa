"""Whether an image is anything that a network knows: how far it lies from what the network was trained on.

    familiarity = measure(network, description, dataset)
    write(directory, familiarity, weights)                 # whole or not at all, whoever else does so
    read(directory, weights)                               # None, unless it was measured with these weights
    score(familiarity, network, description, images)       # float (N,): above 1 an image is unfamiliar

It takes a second or more, so it is measured when somebody first asks, not at the end of each training.

Four measures are taken of an image:

- the energy of its logits (Liu, Wang, Owens, Li: Energy-based out-of-distribution detection, NeurIPS 2020),
- its Mahalanobis distance from the nearest class in the last hidden layer (Lee, Lee, Lee, Shin: A simple unified
  framework for detecting out-of-distribution samples, NeurIPS 2018),
- its distance from the nearest training images there (Sun, Ming, Zhu, Li: Out-of-distribution detection with deep
  nearest neighbors, ICML 2022),
- and its distance from the nearest training images by their strokes alone, whatever the network makes of these:
  histograms of oriented gradients (Dalal, Triggs: Histograms of oriented gradients for human detection, CVPR 2005).

Of each it is told how improbable so large a value is, by the validation images, half of them changed a little as
photographs are: above the median an exponential tail is fitted to them. The four are put together as in Fisher's method
(Statistical methods for research workers, 1925), by the sum of the logarithms; where that begins to be unfamiliar is
set so that few of these images are.
"""

import logging
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from core.datasets import Dataset
from core.engines.augmentation import draw_transforms
from core.networks.layers import layer_rows
from core.system.files import write_bytes
from core.system.tensors import digest, pack, read_bounded, unpack
from core.training.checkpoints import Description
from core.training.loop import split_of
from core.training.strangers import make_strangers

_log = logging.getLogger("duet")

_FILE = "familiarity.safetensors"
_MOST_BYTES = 2**30

_REFERENCES, _VALIDATED, _TESTED, _STRANGERS = 4_000, 1_000, 1_000, 500
"""So many images at most are compared with, calibrated on, and tested."""

_MOST_MULTIPLICATIONS = 2e11
"""What a network may compute for all of these, some seconds; a large one is shown fewer images."""

_LEAST_SHOWN = 50

_NEIGHBOURS = (1, 2)
"""Which nearest training image counts, in the hidden layer and by its strokes."""

_MOST_FEATURES = 256
"""A hidden layer that is larger is projected onto so many random directions, which hardly changes distances."""

_SIDE, _CELLS, _DIRECTIONS = 28, 5, 8
"""Gradients are taken on so many pixels a side, and gathered in so many cells a side, by so many directions."""

_FAMILIAR_SHARE = 0.96
"""So many of the validation images, half of them changed, are familiar."""

_HALVED = ("features", "gradients", "projection")
"""What is kept in half precision."""

_SEED = 20_261_128


class FeatureNetwork(Protocol):
    """What images are shown to: an engine whose weights are loaded, or an export that gives as much."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits, or what a last softmax gives, float `(N, classes)`, of uint8 `(N, H, W, C)`."""
        ...

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what goes into the last layer that learns, float32 `(N, size)`."""
        ...


class Measured(NamedTuple):
    """How well strangers were told from test images: the AUROC, and the shares of both that are called unfamiliar."""

    auroc: float
    strangers: float
    tested: float


class Familiarity(NamedTuple):
    """What is known of the images that a network knows.

    Attributes:
        features: of training images, float32 `(R, D)`.
        gradients: of the same, float32 `(R, 200)`, of length 1.
        centres: the mean features of each class, float32 `(classes, D)`.
        whitening: what makes the features of a class vary equally in all directions, float32 `(D, D)`.
        projection: from the hidden layer to the features, float32 `(size, D)`; `(0, 0)` where they are the same.
        scales: the usual value of each measure, and by how much the larger ones exceed it on average, float64 `(4, 2)`.
        threshold: where all measures together are unfamiliar.
        measured: float64 `(3,)`: the AUROC of strangers against test images, and the shares of strangers and of test
            images that are called unfamiliar.
    """

    features: np.ndarray
    gradients: np.ndarray
    centres: np.ndarray
    whitening: np.ndarray
    projection: np.ndarray
    scales: np.ndarray
    threshold: np.ndarray
    measured: np.ndarray


def measure(network: FeatureNetwork, description: Description, dataset: Dataset) -> Familiarity:
    """Find out what is familiar to a network, and how well that tells strangers."""
    generator = np.random.default_rng(_SEED)
    split = split_of(description.config, dataset)
    references, validating, testing, strange = _counts(description)
    train = np.sort(generator.permutation(split.train)[:references])
    images, labels = dataset.train.images[train], np.asarray(dataset.train.labels)[train]
    raw = network.features(images)
    projection = np.zeros((0, 0), np.float32)
    if raw.shape[1] > _MOST_FEATURES:
        projection = generator.normal(0, _MOST_FEATURES**-0.5, (raw.shape[1], _MOST_FEATURES)).astype(np.float32)
    features = _projected(raw, projection)
    centres = np.stack(
        [
            features[labels == label].mean(axis=0) if (labels == label).any() else np.full(features.shape[1], np.inf)
            for label in range(len(description.class_names))
        ]
    ).astype(np.float32)
    known = Familiarity(
        features,
        _gradients(images),
        centres,
        _whitening(features - centres[labels]),
        projection,
        np.tile([0.0, 1.0], (4, 1)),
        np.ones(()),
        np.zeros(3),
    )
    tests = generator.permutation(len(dataset.test.labels))
    tested = dataset.test.images[np.sort(tests[:testing])]
    if len(split.validation):
        validated = dataset.train.images[np.sort(generator.permutation(split.validation)[:validating])]
    else:  # the test images validate; those that calibrate are not tested
        validated = dataset.test.images[np.sort(tests[len(tests) // 2 :][:validating])]
        tested = dataset.test.images[np.sort(tests[: len(tests) // 2][:testing])]
    calibrating = np.concatenate([validated, _changed(validated, description, generator)])
    found = _measures(known, network, description, calibrating)
    usual = np.median(found, axis=0)
    excess = 2 * np.maximum(found - usual, 0).mean(axis=0)  # one half of them exceeds it
    known = known._replace(scales=np.stack([usual, np.maximum(excess, 1e-9)], axis=1))
    known = known._replace(threshold=np.quantile(_together(known, found), _FAMILIAR_SHARE))
    strangers = make_strangers(description.input_shape, strange, description.class_names, generator)
    of_strangers, of_tested = (score(known, network, description, some) for some in (strangers, tested))
    shares = [auroc(of_strangers, of_tested), (of_strangers > 1).mean(), (of_tested > 1).mean()]
    return known._replace(measured=np.array(shares))


def _counts(description: Description) -> tuple[int, int, int, int]:
    """Return how many images are compared with, calibrated on, tested, and made up."""
    most = (_REFERENCES, _VALIDATED, _TESTED, _STRANGERS)
    rows = layer_rows(description.architecture, description.input_shape, len(description.class_names))
    shown = _REFERENCES + 2 * (2 * _VALIDATED + _TESTED + _STRANGERS)  # for the features, and for the logits
    share = _MOST_MULTIPLICATIONS / (shown * sum(row.multiplications for row in rows))
    references, validating, testing, strange = (max(_LEAST_SHOWN, round(number * min(1.0, share))) for number in most)
    return references, validating, testing, strange


def score(known: Familiarity, network: FeatureNetwork, description: Description, images: np.ndarray) -> np.ndarray:
    """Return how unfamiliar uint8 images `(N, H, W, C)` are, float64 `(N,)`: above 1 they are."""
    return _together(known, _measures(known, network, description, images)) / known.threshold


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the probability that a positive's score is higher than a negative's; ties count half.

    That is the area under the receiver operating characteristic: Hanley, McNeil, "The meaning and use of the area
    under a ROC curve", 1982.
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left") + np.searchsorted(ordered, positive, side="right")
    return float(below.mean() / (2 * len(negative)))


def write(directory: Path, known: Familiarity, weights: str) -> None:
    """Keep what is known in a run's folder, with the `core.system.tensors.digest` of the weights it was measured with.

    The file is whole whenever it is read: who measures at the same time writes the same, and who is killed nothing.
    """
    write_bytes(directory / _FILE, to_bytes(known, weights))


def to_bytes(known: Familiarity, weights: str = "") -> bytes:
    """Return what is known as the content of a file, in half precision."""
    arrays = known._asdict()
    for name in _HALVED:
        arrays[name] = arrays[name].astype(np.float16)
    return pack(arrays, {"sha256": digest(arrays), "weights": weights})


def read(directory: Path, weights: str = "") -> Familiarity | None:
    """Return what a run's folder knows; None where that was never measured, or what is there is not what was written.

    Args:
        weights: the digest of those it is asked for, as for `write`; whichever they were, if not given.
    """
    try:
        return from_bytes(read_bounded(directory / _FILE, _MOST_BYTES), weights)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # the network predicts all the same, and it can be measured anew
        _log.warning("Run %s: %s cannot be read: %s", directory.name, _FILE, error)
        return None


def from_bytes(content: bytes, weights: str = "") -> Familiarity | None:
    """Return what the content of a file says; None where it was measured with other weights than those asked for.

    Raises:
        ValueError: if it is not what was written.
    """
    arrays, metadata = unpack(content)
    if arrays.keys() != {*Familiarity._fields} or metadata.get("sha256", digest(arrays)) != digest(arrays):
        raise ValueError("expected what was written, received something else")
    if weights and metadata.get("weights", weights) != weights:
        return None
    for name in _HALVED:
        arrays[name] = arrays[name].astype(np.float32)
    return Familiarity(**arrays)


def written_at(directory: Path) -> float | None:
    """Return when what a run's folder knows was written, in seconds since 1970; None where it knows nothing."""
    try:
        return (directory / _FILE).stat().st_mtime
    except FileNotFoundError:
        return None


def _measures(known: Familiarity, network: FeatureNetwork, description: Description, images: np.ndarray) -> np.ndarray:
    """Return the four measures of each image, float64 `(N, 4)`."""
    features = _projected(network.features(images), known.projection)
    outputs = network.predict(images).astype(np.float64)
    if description.architecture.gives_probabilities:
        energy = np.zeros(len(images))  # logits up to a number an image, which is all that an energy is
    else:
        highest = outputs.max(axis=1)
        energy = -highest - np.log(np.exp(outputs - highest[:, np.newaxis]).sum(axis=1))
    white, centres = features @ known.whitening, known.centres @ known.whitening
    centres = centres[np.isfinite(known.centres).all(axis=1)]
    return np.stack(
        [
            energy,
            _distances(white, centres, 1),
            _distances(features, known.features, _NEIGHBOURS[0]),
            _distances(_gradients(images), known.gradients, _NEIGHBOURS[1]),
        ],
        axis=1,
    )


def _together(known: Familiarity, measures: np.ndarray) -> np.ndarray:
    """Return how improbable the four are together: minus the sum of the logarithms of their exponential tails."""
    usual, excess = known.scales.T
    return (np.maximum(measures - usual, 0) / excess).sum(axis=1)


def _distances(points: np.ndarray, others: np.ndarray, number: int) -> np.ndarray:
    """Return how far the nearest of others is from each point, or the second nearest, or so on: float64 `(N,)`."""
    found = []
    lengths = np.einsum("ij,ij->i", others, others)
    place = min(number, len(others)) - 1
    for i in range(0, len(points), 500):  # a thousand images by thousands of others would take 50 MB at once
        some = points[i : i + 500]
        squares = np.square(some, dtype=np.float64).sum(axis=1)[:, np.newaxis] + lengths - 2 * (some @ others.T)
        found.append(np.partition(squares, place, axis=1)[:, place])
    return np.sqrt(np.maximum(np.concatenate(found), 0))


def _whitening(deviations: np.ndarray) -> np.ndarray:
    covariance = np.cov(deviations.T.astype(np.float64)).reshape(deviations.shape[1], -1)
    values, vectors = np.linalg.eigh(covariance)
    # Directions in which next to nothing varies would otherwise count for more than all others.
    return (vectors / np.sqrt(np.maximum(values, 0) + 1e-3 * values.mean() + 1e-12)).astype(np.float32)


def _projected(features: np.ndarray, projection: np.ndarray) -> np.ndarray:
    return features @ projection if projection.size else features


def _gradients(images: np.ndarray) -> np.ndarray:
    """Return how strongly grey values rise in which direction, and where, in uint8 images: float32 `(N, 200)`.

    Square roots, of length 1 for each image: how dark the ink is hardly counts.
    """
    height, width = images.shape[1:3]
    rows, columns = (np.rint(np.linspace(0, side - 1, _SIDE)).astype(int) for side in (height, width))
    middles = (np.arange(_CELLS) + 0.5) * _SIDE / _CELLS - 0.5
    cells = np.exp(-0.5 * ((np.arange(_SIDE) - middles[:, np.newaxis]) / (0.5 * _SIDE / _CELLS)) ** 2)
    cells = cells.astype(np.float32)
    found = []
    for i in range(0, len(images), 250):
        grey = np.asarray(images[i : i + 250]).mean(axis=3, dtype=np.float32)
        blurred = ndimage.gaussian_filter(grey, (0, height / _SIDE, width / _SIDE))
        down, across = np.gradient(blurred[:, rows][:, :, columns], axis=(1, 2))
        turn = np.arctan2(down, across) % (2 * np.pi) * (_DIRECTIONS / (2 * np.pi))
        # A direction between two counts for both, by how near it is.
        apart = np.abs(turn[:, np.newaxis] - np.arange(_DIRECTIONS, dtype=np.float32)[:, np.newaxis, np.newaxis])
        shares = np.maximum(1 - np.minimum(apart, _DIRECTIONS - apart), 0)
        strengths = cells @ (shares * np.hypot(down, across)[:, np.newaxis]) @ cells.T
        roots = np.sqrt(strengths.reshape(len(grey), -1))
        found.append(roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-6))
    return np.concatenate(found)


def _changed(images: np.ndarray, description: Description, generator: np.random.Generator) -> np.ndarray:
    """Return images as photographs of the same would be: turned, moved and scaled a little, blurred, thick or thin."""
    mild = description.config.model_copy(
        update={"rotation": 12.0, "zoom": 0.15, "shift_x": 0.05, "shift_y": 0.05, "erasing": 0.0}
    ).model_copy(update={"flip_horizontal": False, "flip_vertical": False})
    maps = draw_transforms(mild, description.input_shape, len(images), generator).astype(np.float64)
    changed = []
    for image, transform in zip(np.asarray(images), maps, strict=True):
        # From x, y to row, column.
        matrix, offset = transform[::-1, 1::-1], transform[::-1, 2]
        moved = np.stack(
            [
                ndimage.affine_transform(channel, matrix, offset, order=1)
                for channel in image.transpose(2, 0, 1).astype(np.float32)
            ],
            axis=2,
        )
        kind = generator.integers(4)
        if kind == 0:
            moved = ndimage.gaussian_filter(moved, (0.5, 0.5, 0))
        elif description.preparation == "handwriting" and kind == 1:
            moved = ndimage.grey_dilation(moved, (2, 2, 1))
        elif description.preparation == "handwriting" and kind == 2 and (moved > 128).mean() > 0.11:
            moved = ndimage.grey_erosion(moved, (2, 2, 1))  # a thin stroke would vanish
        changed.append(moved)
    return np.rint(np.clip(np.stack(changed), 0, 255)).astype(np.uint8)
