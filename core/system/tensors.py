"""Arrays as a safetensors file, and the reading of one that may be damaged, which never unpickles anything.

    content = pack({"labels": labels}, {"run": run_id})
    arrays, metadata = unpack(read_bounded(path, most_bytes))
    digest(arrays)                  # the same for the same arrays, however a file lays them out

A header says how large the file is to be. It is believed only as far as the file itself goes, so one that promises
gigabytes takes none.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

Arrays = dict[str, np.ndarray]

_LENGTH_BYTES = 8


class Tensors(NamedTuple):
    """What a file holds: arrays by name, and words about them by name."""

    arrays: Arrays
    metadata: dict[str, str]


def pack(arrays: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    """Return the content of a safetensors file."""
    # safetensors writes memory as it lies, so a transposed view would come back with its values mixed up.
    return save({name: np.asarray(values, order="C") for name, values in arrays.items()}, metadata)


def unpack(content: bytes) -> Tensors:
    """Return what a safetensors file holds.

    Raises:
        ValueError: if it is none, is cut off, or holds what NumPy has no type for.
    """
    try:
        arrays = load(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected whole arrays, received something else: {error}") from error
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    return Tensors(arrays, json.loads(content[_LENGTH_BYTES:][:length]).get("__metadata__") or {})


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file that is to be no larger than `most_bytes`.

    Raises:
        OSError: if it is not there, or cannot be read.
        ValueError: if it is no plain file, or larger.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("expected a file, received something else")
    if found.st_size > most_bytes:
        raise ValueError(f"expected at most {most_bytes:,} bytes, received {found.st_size:,}")
    return path.read_bytes()


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays, with their names, types and shapes, as hexadecimal digits."""
    found = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        found.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()
