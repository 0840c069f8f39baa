"""Image data sets in one shape, read from memory-mapped arrays.

    dataset = load("mnist")
    dataset.train.images        # uint8 (60000, 28, 28, 1)
    split = split_train(dataset, share=0.1, seed=42, part="stratified", limit=None)

Every data set is the same `Dataset`, whether it is bundled, was imported (`core.datasets.importing`)
or fetched (`core.datasets.fetching`). A new bundled source is one module with a `SPECIFICATION` and
a `read`, and its entry in `_BUNDLED`; it is unpacked once into `data_dir()/datasets/NAME`, so that later
loads only map files, and once more if these are damaged. A new format to import is one module
of `core.datasets.formats`.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from itertools import chain, count
from pathlib import Path

import numpy as np

from core.config import RunConfig, ValidationPart
from core.datasets import mnist, storage
from core.datasets.dataset import Dataset, Split
from core.datasets.specification import FORMER_PREPARATIONS, Specification
from core.datasets.splitting import TrainSplit, split_train, usual_part
from core.system.files import explain_refusal, write_json
from core.system.text import quoted, shortened

__all__ = [
    "Dataset",
    "Specification",
    "Split",
    "TrainSplit",
    "delete",
    "get_specification",
    "load",
    "names",
    "original_sizes",
    "rename",
    "restore",
    "split_train",
    "usual_validation_part",
]

_BUNDLED = {source.SPECIFICATION.name: source for source in (mnist,)}


def names() -> list[str]:
    """Return the names of the data sets there are: the bundled ones first."""
    return [*_BUNDLED, *(name for name in storage.found() if name not in _BUNDLED)]


def get_specification(name: str) -> Specification:
    """Return what is known about the data set `name` without opening its images.

    Raises:
        ValueError: if there is none of that name; the message lists those there are.
    """
    if name in _BUNDLED:
        return _BUNDLED[name].SPECIFICATION
    if name not in storage.found():
        raise ValueError(f"Data set (--dataset): expected one of {', '.join(names())}, received {quoted(name)}.")
    folder = storage.place() / name
    return _specification(folder, _version(folder))


def usual_validation_part(name: str) -> ValidationPart:
    """Return how runs take validation images from the data set `name` where nothing is chosen.

    Where there is none of that name, whoever loads it says so; till then it is as for any other.
    """
    return usual_part(get_specification(name)) if name in names() else RunConfig().validation_part


def load(name: str) -> Dataset:
    """Open the data set `name`; the arrays are read-only maps of files, shared between processes.

    Raises:
        ValueError: if there is none of that name, its files are damaged and do not come with Duet, or there is no room
            to unpack those that do.
    """
    get_specification(name)
    folder = storage.place() / name
    if name in _BUNDLED and not _is_whole(folder):
        try:
            _unpack(name)
        except OSError as error:
            if (refusal := explain_refusal(error)) is None:
                raise
            title = get_specification(name).title
            raise ValueError(f"{title} cannot be unpacked in {storage.place()}: {refusal}") from error
    return _open(folder, _version(folder))


def original_sizes(name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the heights and widths that the images had before they were imported.

    Returns:
        For the train and the test split int32 `(N, 2)`, in pixels; None if all came in the size they have.

    Raises:
        ValueError: if there is no data set of that name.
    """
    get_specification(name)
    train, test = (storage.place() / name / f"{split}_sizes.npy" for split in ("train", "test"))
    return (np.load(train), np.load(test)) if train.exists() else None


def rename(name: str, title: str) -> None:
    """Change what people read for a data set. Its name stays, because runs refer to it.

    Raises:
        ValueError: if there is none of that name, it is bundled, or the title is not one.
    """
    _reject_bundled(name, "renamed")
    folder = storage.place() / name
    with storage.lock():
        write_json(folder / "manifest.json", storage.read_manifest(folder) | {"title": check_title(title)})


def check_title(title: str) -> str:
    """Return a title without the space around it.

    Raises:
        ValueError: if it is empty, longer than 80 characters, or holds what cannot be printed.
    """
    stripped = title.strip()
    if not (0 < len(stripped) <= 80 and stripped.isprintable()):
        raise ValueError(f"Name: expected 1 to 80 printable characters, received {quoted(title[:100])}.")
    return stripped


def free_title(title: str) -> str:
    """Return a title whose name no data set has: as it is, or else with a number, such as "pets 2"."""
    taken = names()
    titles = chain([title], (f"{title[:75]} {number}" for number in count(2)))
    return next(each for each in titles if name_of(each) not in taken)


def check_free_title(title: str) -> str:
    """Return a title without the space around it, for a data set that is to be made.

    Raises:
        ValueError: if it is none, as in `check_title`, or another data set has the name that it would give.
    """
    title = check_title(title)
    if name_of(title) in names():
        raise ValueError(f"Name: expected one that is free, received {quoted(title)}: choose another.")
    return title


def name_of(title: str) -> str:
    """Return the name that runs record for a title: its small letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "images"


def delete(name: str, used_by: Callable[[str], list[str]]) -> None:
    """Take a data set away; `restore` brings it back.

    Args:
        used_by: gives the names of the runs that use a data set.

    Raises:
        ValueError: if there is none of that name, it is bundled, or runs use it.
    """
    specification = _reject_bundled(name, "deleted")
    if runs := used_by(name):
        raise ValueError(f"{specification.title} cannot be deleted while runs use it: delete {shortened(runs)} first.")
    storage.to_trash(name)


def restore(name: str) -> None:
    """Bring back the data set of this name that was deleted last.

    Raises:
        ValueError: if none of that name was deleted, or another one has the name now.
    """
    storage.from_trash(name)


def _reject_bundled(name: str, done: str) -> Specification:
    specification = get_specification(name)
    if specification.bundled:
        raise ValueError(f"{specification.title} comes with Duet and cannot be {done}.")
    return specification


def _version(folder: Path) -> tuple[int, int]:
    """Tell a data set from an earlier one of the same name, or from itself under an earlier title."""
    written = (folder / "manifest.json").stat()
    return written.st_ino, written.st_mtime_ns


@lru_cache(maxsize=64)
def _specification(folder: Path, _written: tuple[int, int]) -> Specification:
    manifest = storage.read_manifest(folder)
    # An earlier version of Duet has written fewer fields.
    values = {field.name: manifest[field.name] for field in fields(Specification) if field.name in manifest}
    values["preparation"] = FORMER_PREPARATIONS.get(values["preparation"], values["preparation"])
    return Specification(**values | {"class_names": tuple(values["class_names"])})


def _is_whole(folder: Path) -> bool:
    try:
        _open(folder, _version(folder))
    except (OSError, ValueError, KeyError):  # there is no manifest, or it or an array is damaged
        return False
    return True


@lru_cache(maxsize=8)
def _open(folder: Path, _written: tuple[int, int]) -> Dataset:
    try:
        arrays = {key: np.load(folder / f"{key}.npy", mmap_mode="r") for key in storage.ARRAYS}
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"Data set {folder.name}: expected four whole arrays in {folder}, but one is damaged or gone ({error}). "
            "Remove that folder and bring the data set in again."
        ) from error
    return Dataset(
        specification=get_specification(folder.name),
        train=Split(arrays["train_images"], arrays["train_labels"]),
        test=Split(arrays["test_images"], arrays["test_labels"]),
        fingerprint=storage.read_manifest(folder)["fingerprint"],
    )


def _unpack(name: str) -> None:
    """Read a bundled source and write its arrays; of processes that ask at once, one does it."""
    with storage.lock(), storage.staging() as folder:
        if _is_whole(storage.place() / name):
            return
        storage.sweep()
        shutil.rmtree(storage.place() / name, ignore_errors=True)
        for key, array in zip(storage.ARRAYS, _BUNDLED[name].read(), strict=True):
            with storage.GrowingArray(folder / f"{key}.npy", array.shape[1:], array.dtype) as file:
                file.append(array)
        storage.complete(folder, _BUNDLED[name].SPECIFICATION)
        storage.appear(folder, name)
