"""What was found out about a data set, kept on disk by the fingerprint of its data, so that it is computed once.

    found = get_or_compute(dataset.fingerprint, "health-1", lambda: {"twins": search(dataset)})
    found["twins"]              # the array, computed now or read back

A name ends with a number that changes with the method, so that an older answer is not taken for the
new one. Results lie in `data_dir()/insights/FINGERPRINT/NAME.npz` and may be deleted at any time.
"""

import logging
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from core.system.files import make_folder, replacing
from core.system.paths import data_dir
from core.system.text import quoted

_log = logging.getLogger("duet")

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")

Arrays = dict[str, np.ndarray]


def cache_folder(fingerprint: str) -> Path:
    """Return the folder of what is known about the data of this fingerprint, made if it is not there yet.

    Raises:
        ValueError: if `fingerprint` is no SHA-256 in hexadecimal.
    """
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"Fingerprint: expected 64 hexadecimal digits, received {quoted(fingerprint[:100])}.")
    return make_folder(data_dir() / "insights" / fingerprint)


def get_or_compute(fingerprint: str, name: str, compute: Callable[[], Arrays]) -> Arrays:
    """Return what is kept as `name`; where nothing is, compute it and keep it."""
    found = read_cached(fingerprint, name)
    if found is None:
        found = compute()
        try:
            write_cached(fingerprint, name, found)
        except OSError as error:  # on a full or read-only disk it is computed again the next time
            _log.warning("%s could not be kept: %s", name, error)
    return found


def read_cached(fingerprint: str, name: str) -> Arrays | None:
    """Return what is kept as `name`; None if nothing is, or nothing that can be read."""
    try:
        with np.load(cache_folder(fingerprint) / f"{name}.npz") as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def write_cached(fingerprint: str, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep arrays as `name`; whoever reads meanwhile gets all of the old ones or all of the new."""
    with replacing(cache_folder(fingerprint) / f"{name}.npz") as unfinished:
        np.savez(unfinished, allow_pickle=False, **arrays)
