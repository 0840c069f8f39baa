"""Which class a run predicted of each validation image after its epochs: a small file an epoch in the run's folder.

    write_epoch_predictions(directory, epoch, predicted, classes=10, fingerprint=dataset.fingerprint)
    read_epoch_predictions(run.id, epoch).predicted         # int64 (N,), None where that was not kept

A byte an image does, or two for more than 256 classes. All epochs of a run take `MOST_BYTES` at the most: of a training
that would need more, every second epoch is kept, or every third, and so on, and the last.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.runs.predictions import DamagedPredictionsError
from core.system.files import make_folder, write_bytes
from core.system.paths import run_directory
from core.system.tensors import digest, pack, read_bounded, unpack

MOST_BYTES = 32 * 2**20

_BYTE = 256
_MOST_BYTES_OF_FILE = 2**30


class EpochPredictions(NamedTuple):
    """The predicted class of each validation image, int64 `(N,)`, and the fingerprint of the data set they are of."""

    predicted: np.ndarray
    fingerprint: str


def is_kept(epoch: int, epochs: int, *, images: int, classes: int) -> bool:
    """Return whether the predictions after an epoch, from 1, are among those that there is room for.

    Args:
        epochs: how many are asked for.
        images: those that each validation looks at.
    """
    step = max(1, math.ceil(epochs * images * _type_for(classes).itemsize / MOST_BYTES))
    return epoch % step == 0 or epoch == epochs


def write_epoch_predictions(
    directory: Path, epoch: int, predicted: np.ndarray, *, classes: int, fingerprint: str
) -> None:
    """Keep what was predicted after an epoch in a run's folder, in place of what an earlier attempt kept of it."""
    arrays = {"predicted": np.asarray(predicted, _type_for(classes))}
    metadata = {"run": directory.name, "epoch": str(epoch), "fingerprint": fingerprint, "sha256": digest(arrays)}
    make_folder(_folder(directory))
    # It need not outlive a crash of the machine, and short epochs are not to wait for the disk.
    write_bytes(_file(directory, epoch), pack(arrays, metadata), durable=False)


def read_epoch_predictions(run_id: str, epoch: int) -> EpochPredictions | None:
    """Return what a run predicted after an epoch; None where that was not kept, as by earlier versions of Duet.

    Raises:
        DamagedPredictionsError: if what is there is not what was written.
    """
    path = _file(run_directory(run_id), epoch)
    try:
        stored = unpack(read_bounded(path, _MOST_BYTES_OF_FILE))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(run_id, epoch) from error
    told = stored.metadata
    predicted = stored.arrays.get("predicted")
    if (
        predicted is None
        or (told.get("run"), told.get("epoch")) != (run_id, str(epoch))
        or told.get("sha256") != digest(stored.arrays)
    ):
        raise _damaged(run_id, epoch)
    return EpochPredictions(predicted.astype(np.int64), told.get("fingerprint", ""))


def kept_epochs(run_id: str) -> list[int]:
    """Return the epochs of which a run has kept what it predicted, in order."""
    names = (path.stem for path in _folder(run_directory(run_id)).glob("*.safetensors"))
    return sorted(int(name) for name in names if name.isdecimal())


def _type_for(classes: int) -> np.dtype:
    return np.dtype(np.uint8 if classes <= _BYTE else np.uint16)


def _folder(directory: Path) -> Path:
    return directory / "epochs"


def _file(directory: Path, epoch: int) -> Path:
    return _folder(directory) / f"{epoch}.safetensors"


def _damaged(run_id: str, epoch: int) -> DamagedPredictionsError:
    return DamagedPredictionsError(
        f"Run {run_id}: {_file(Path(), epoch)}, which holds its predictions after epoch {epoch}, is damaged. Put that "
        "file back from a backup, or train the run again; its weights and figures are not concerned."
    )
