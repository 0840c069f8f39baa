"""How a data set lies on disk: a folder of arrays with a manifest, which appears whole or not at all.

    with staging() as folder:
        with GrowingArray(folder / "train_images.npy", (28, 28, 1), np.uint8) as images:
            images.append(block)                      # uint8 (n, 28, 28, 1)
        ...                                           # the other three of ARRAYS
        complete(folder, specification)
        publish(folder, specification.name)           # now everybody sees data_dir()/datasets/NAME

A staging folder carries the process that fills it in its name, so `sweep` can tell what a killed
one left behind. Deleted data sets lie in `data_dir()/trash/datasets`.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike

from core.datasets.specification import Specification
from core.system.files import make_folder, move, write_json
from core.system.paths import data_dir
from core.system.processes import ProcessId
from core.system.text import quoted
from core.system.trash import Trash

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_STAGING = re.compile(r"\.staging-(\d+)-(\d+)-[0-9a-f]+")


def place() -> Path:
    """Return the folder of all data sets, made if it is not there yet."""
    return make_folder(data_dir() / "datasets")


def found() -> list[str]:
    """Return the names of the data sets that lie in `place()`, in alphabetical order."""
    return sorted(path.parent.name for path in place().glob("*/manifest.json") if _NAME.fullmatch(path.parent.name))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what `complete` has written: the specification's fields and the fingerprint."""
    return json.loads((folder / "manifest.json").read_text())


@contextmanager
def staging() -> Iterator[Path]:
    """Make a folder to prepare a data set in; whatever is still in it at the end is removed."""
    process = ProcessId.of(os.getpid())
    # Milliseconds, because a name holds no floating point.
    began = round(process.started_at * 1000)
    folder = place() / f".staging-{process.pid}-{began}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the staging folders of processes that are no more."""
    for folder in place().glob(".staging-*"):
        owner = _STAGING.fullmatch(folder.name)
        if owner and not ProcessId(int(owner[1]), int(owner[2]) / 1000).is_alive():
            shutil.rmtree(folder, ignore_errors=True)


class GrowingArray:
    """An array file that grows along its first axis, so that it never has to fit into memory."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike):
        """Begin an empty file of rows of `shape`."""
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._file = path.open("wb")
        self.rows = 0
        self._write_header()

    def append(self, rows: np.ndarray) -> None:
        """Add rows `(n, *shape)`."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the final number of rows and make sure that all of it is on the disk."""
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _write_header(self) -> None:
        # NumPy leaves room in the header for the first axis to grow, so the later one is as long as the first.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.rows, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fingerprint(folder: Path, validation_images: int = 0) -> str:
    """Return the SHA-256 of a folder's four arrays with their names, types and shapes, in hexadecimal.

    The same images are other data where some of them came to validate on: `validation_images` counts, too.
    """
    digest = hashlib.sha256(f"validation {validation_images}".encode() if validation_images else b"")
    for key in ARRAYS:
        with (folder / f"{key}.npy").open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            digest.update(f"{key} {dtype} {shape}".encode())
            while chunk := file.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def complete(folder: Path, specification: Specification) -> str:
    """Write the manifest of a folder whose arrays are there, and return their fingerprint."""
    value = fingerprint(folder, specification.validation_images)
    write_json(folder / "manifest.json", asdict(specification) | {"fingerprint": value})
    return value


def publish(folder: Path, name: str) -> None:
    """Let a complete staging folder appear as the data set `name`.

    Raises:
        ValueError: if the same images with the same class names are there already, or the name is taken.
    """
    manifest = read_manifest(folder)
    with lock():
        for other in found():
            known = read_manifest(place() / other)
            if all(known[key] == manifest[key] for key in ("fingerprint", "class_names")):
                raise ValueError(
                    f"Expected new images, received those of {known['title']} ({other}): use it, "
                    "or choose another size or colour."
                )
        if (place() / name).exists():
            raise ValueError(f"Name: expected one that is free, received {quoted(name)}: choose another.")
        appear(folder, name)


def appear(folder: Path, name: str) -> None:
    """Move a complete folder into its place, for good. The caller holds the `lock`."""
    move(folder, place() / name)


def lock() -> FileLock:
    """Return the lock under which data sets appear and disappear."""
    # Outside of the folder it guards, which may be copied or linked as a whole.
    return FileLock(data_dir() / "datasets.lock")


def to_trash(name: str) -> None:
    """Move a data set out of sight."""
    with lock():
        _trash().delete(name)


def from_trash(name: str) -> None:
    """Put the data set of this name that was deleted last back into its place.

    Raises:
        ValueError: if none of that name was deleted, or another one has the name now.
    """
    with lock():
        _trash().restore(name)


def _trash() -> Trash:
    return Trash("data set", place(), data_dir() / "trash" / "datasets")
