"""Image data sets in one shape, read from memory-mapped arrays.

    dataset = load("mnist")
    dataset.train.images        # uint8 (60000, 28, 28, 1)
    split = split_train(dataset, share=0.1, seed=42, part="stratified", limit=None)

Each loader gives the same `Dataset`. A new source is one module with a `SPECIFICATION` and a
`read`, and its entry in `_SOURCES`. What a source reads is unpacked once into
`home()/datasets/NAME`, so that later loads only map files.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from filelock import FileLock

from core.datasets import mnist
from core.datasets.specification import Specification
from core.home import home

_SOURCES = {source.SPECIFICATION.name: source for source in (mnist,)}


class Split(NamedTuple):
    """Images and their labels: uint8 `(N, H, W, C)` and int64 `(N,)`."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A data set with a train and a test split; `fingerprint` is the SHA-256 of all its arrays."""

    specification: Specification
    train: Split
    test: Split
    fingerprint: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.train.images.shape[1:]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.specification.class_names


class TrainSplit(NamedTuple):
    """Indices into the train split, int64: those to learn from and those to validate on."""

    train: np.ndarray
    validation: np.ndarray


def names() -> list[str]:
    """Return the names of the data sets there are."""
    return list(_SOURCES)


def specify(name: str) -> Specification:
    """Return what is known about the data set `name` without opening its images.

    Raises:
        ValueError: if there is none of that name; the message lists those there are.
    """
    if name not in _SOURCES:
        raise ValueError(f"Data set (--dataset): expected one of {', '.join(names())}, received {name!r}.")
    return _SOURCES[name].SPECIFICATION


def load(name: str) -> Dataset:
    """Open the data set `name`; the arrays are read-only maps of files, shared between processes.

    Raises:
        ValueError: if there is none of that name, or its files are damaged.
    """
    specify(name)
    directory = home() / "datasets" / name
    if not (directory / "manifest.json").exists():
        _unpack(name, directory)
    return _open(name, directory)


def split_train(
    dataset: Dataset, *, share: float, seed: int, part: Literal["stratified", "last"], limit: int | None
) -> TrainSplit:
    """Choose the images to learn from and to validate on, the same for every framework.

    With `limit`, only so many images of the train split are used, each class in proportion.
    `stratified` draws the validation part at random, each class in proportion; `last` takes the end.

    Raises:
        ValueError: if `limit` is more than there are images.
    """
    labels = dataset.train.labels
    if limit is not None and limit > len(labels):
        raise ValueError(
            f"Training limit (--train-limit): expected at most the {len(labels):,} images of "
            f"{dataset.specification.title}, received {limit:,}."
        )
    chosen = np.arange(len(labels))
    if limit is not None and limit < len(labels):
        chosen = np.sort(_stratified(labels, limit, np.random.default_rng([seed, 0])))
    count = max(1, round(len(chosen) * share))
    if part == "last":
        return TrainSplit(chosen[:-count], chosen[-count:])
    held_out = np.zeros(len(chosen), dtype=bool)
    held_out[_stratified(labels[chosen], count, np.random.default_rng([seed, 1]))] = True
    return TrainSplit(chosen[~held_out], chosen[held_out])


def _stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw `count` positions so that each label keeps its share, exactly `count` in all.

    Each image gets its relative rank within its class at random; the lowest ranks are taken.
    """
    order = generator.permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(rank, kind="stable")[:count]


_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@lru_cache(maxsize=8)
def _open(name: str, directory: Path) -> Dataset:
    manifest = json.loads((directory / "manifest.json").read_text())
    arrays = {key: np.load(directory / f"{key}.npy", mmap_mode="r") for key in _ARRAYS}
    return Dataset(
        specification=_SOURCES[name].SPECIFICATION,
        train=Split(arrays["train_images"], arrays["train_labels"]),
        test=Split(arrays["test_images"], arrays["test_labels"]),
        fingerprint=manifest["fingerprint"],
    )


def _unpack(name: str, directory: Path) -> None:
    """Read a source and write its arrays; the folder appears whole or not at all."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(directory.with_suffix(".lock")):
        if (directory / "manifest.json").exists():
            return
        staging = directory.with_suffix(".staging")
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)
        staging.mkdir()
        digest = hashlib.sha256()
        for key, array in zip(_ARRAYS, _SOURCES[name].read(), strict=True):
            digest.update(f"{key} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
            np.save(staging / f"{key}.npy", array)
        manifest = asdict(_SOURCES[name].SPECIFICATION) | {"fingerprint": digest.hexdigest()}
        (staging / "manifest.json").write_text(json.dumps(manifest, indent=2))
        staging.replace(directory)
