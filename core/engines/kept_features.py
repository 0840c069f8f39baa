"""What frozen layers make of images, computed once an image and kept on the disk for the next training.

    kept = KeptFeatures(name, compute)
    features = kept.of(images)          # computes those that are not known yet

Each set of frozen layers has a file in the home's `features/`. Together they take at most `MOST_BYTES`: what was not
used for the longest time is removed, and computed anew should it be asked for.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock

from core.system.files import explain_refusal, write_bytes
from core.system.paths import data_dir
from core.system.tensors import digest, pack, read_bounded, unpack

_log = logging.getLogger("duet")

MOST_BYTES = 2 * 2**30
"""Of all files together; one of them takes at most half."""


class KeptFeatures:
    """What some layers make of images, by each image's hash: in memory, and in a file for the next training."""

    def __init__(self, name: str, compute: Callable[[np.ndarray], np.ndarray]):
        """Read what is known.

        Args:
            name: of the layers with their weights and the software that computes them, fit for a file.
            compute: takes uint8 images `(N, H, W, C)` and returns float32 `(N, size)`.
        """
        self._path, self._compute = data_dir() / "features" / f"{name}.safetensors", compute
        self._known = self._read()
        self._used: set[bytes] = set()

    def of(self, images: np.ndarray) -> np.ndarray:
        """Return the features of uint8 images `(N, H, W, C)`, float32 `(N, size)`; those not known yet are computed."""
        keys = [hashlib.sha256(image.tobytes()).digest() for image in images]
        self._used.update(keys)
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        if new:
            found = self._compute(np.ascontiguousarray(images[list(new.values())]))
            self._known |= dict(zip(new, found, strict=True))
            self._write()
        return np.stack([self._known[key] for key in keys])

    def _read(self) -> dict[bytes, np.ndarray]:
        try:
            arrays, metadata = unpack(read_bounded(self._path, MOST_BYTES))
            os.utime(self._path)  # it is in use
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # they are computed anew
            _log.warning("%s cannot be read: %s", self._path, error)
            return {}
        if arrays.keys() != {"images", "features"} or metadata.get("sha256") != digest(arrays):
            _log.warning("%s is not what was written.", self._path)
            return {}
        return {key.tobytes(): row for key, row in zip(arrays["images"], arrays["features"], strict=True)}

    def _write(self) -> None:
        """Keep them, with what another training has kept meanwhile; where there is no room, only in memory."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock"):
                known = self._read() | self._known
                kept = _that_fit([*self._used, *(key for key in known if key not in self._used)], known)
                arrays = {
                    "images": np.stack([np.frombuffer(key, np.uint8) for key in kept]),
                    "features": np.stack([known[key] for key in kept]),
                }
                write_bytes(self._path, pack(arrays, {"sha256": digest(arrays)}))
            _make_room(self._path)
        except OSError as error:
            if explain_refusal(error) is None:
                raise


def _that_fit(keys: list[bytes], known: dict[bytes, np.ndarray]) -> list[bytes]:
    """Return the first keys, as many as one file has room for, at least one."""
    sizes = np.cumsum([len(key) + known[key].nbytes for key in keys])
    return keys[: max(1, int(np.searchsorted(sizes, MOST_BYTES // 2)))]


def _make_room(newest: Path) -> None:
    """Remove the files that were not used for the longest time until the others fit, but never the newest."""
    files = {path: path.stat() for path in newest.parent.glob("*.safetensors")}
    taken = sum(found.st_size for found in files.values())
    for path, found in sorted(files.items(), key=lambda item: item[1].st_mtime):
        if taken <= MOST_BYTES:
            return
        if path != newest:
            with suppress(OSError):  # another training removes it, too, or Windows still reads it
                path.unlink()
                taken -= found.st_size
