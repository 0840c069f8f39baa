"""What the kept weights of a run answered on the images that it was not trained on, as its folder holds it.

    tested = read_predictions(run.id, "test")
    tested.probabilities.argmax(axis=1) == tested.labels
    dataset.train.images[read_predictions(run.id, "validation").rows]

No logits are kept: the logarithm of the probabilities is the logits up to a number an image, which no softmax sees.
A file says which run it is of and has a hash of what it holds, so that one which is not what was written is refused.
Earlier versions of Duet wrote neither; of their files only what cannot be is refused.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from core.system.files import write_bytes
from core.system.paths import run_directory
from core.system.tensors import Arrays, Tensors, digest, pack, read_bounded, unpack
from core.training.metrics import confusion

Part = Literal["test", "validation"]

_MOST_BYTES = 4 * 2**30
_TOLERANCE = 1e-2
"""How far from 1 the probabilities of an image may add up: those of a run in bfloat16 are rounded."""

_WORTH_A_DOUBT = 0.01
"""The share of test images that may be counted otherwise than when they were tested, as probabilities that round to the
same number have no order."""


class Predictions(NamedTuple):
    """Probabilities, float32 `(N, classes)`, of images, their labels, int64 `(N,)`, and their rows, int64 `(N,)`.

    The rows are those of the data set's test split, or for validation images of its train split.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


class DamagedPredictionsError(ValueError):
    """What a run has kept of its predictions is gone, or not what was written; the message says so with the run."""


def write_predictions(directory: Path, part: Part, predictions: Predictions) -> None:
    """Keep predictions in a run's folder."""
    arrays = predictions._asdict()
    metadata = {"run": directory.name, "part": part, "sha256": digest(arrays)}
    write_bytes(_file(directory, part), pack(arrays, metadata))


def read_predictions(run_id: str, part: Part) -> Predictions | None:
    """Return what a run answered on a part; None where that was not kept.

    Not kept are the validation images of a run that validates on the test images, and of one that an earlier version
    of Duet has trained.

    Raises:
        DamagedPredictionsError: if what is there is not what was written.
    """
    path = _file(run_directory(run_id), part)
    try:
        content = read_bounded(path, _MOST_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(run_id, part, f"cannot be read ({_reason(error)})") from error
    try:
        stored = unpack(content)
        _check_origin(stored, run_id, part)
        return _checked(stored.arrays)
    except ValueError as error:
        raise _damaged(run_id, part, f"is damaged ({error})") from error


def read_test_predictions(run_id: str, counted: Sequence[Sequence[int]] | None) -> Predictions:
    """Return what a finished run answered on the test images.

    Args:
        counted: its confusion matrix as the store has it, which what is read is to agree with.

    Raises:
        DamagedPredictionsError: if nothing is there, or it is not what was written or what was counted.
    """
    tested = read_predictions(run_id, "test")
    if tested is None:
        raise _damaged(run_id, "test", "is missing")
    if counted is not None and not _agree(tested, np.array(counted)):
        raise _damaged(run_id, "test", "is damaged (expected what this run was tested with, received other images)")
    return tested


def _file(directory: Path, part: Part) -> Path:
    return directory / f"{part}.safetensors"


def _damaged(run_id: str, part: Part, what: str) -> DamagedPredictionsError:
    return DamagedPredictionsError(
        f"Run {run_id}: {_file(Path(), part)}, which holds its predictions of the {part} images, {what}. Put that file "
        "back from a backup, or train the run again; its weights and figures are not concerned."
    )


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


def _check_origin(stored: Tensors, run_id: str, part: Part) -> None:
    """Refuse what was written for another run or part, or is not what was written.

    Raises:
        ValueError: if it is so.
    """
    if not stored.metadata:  # an earlier version of Duet wrote none
        return
    told = (stored.metadata.get("run"), stored.metadata.get("part"))
    if told != (run_id, part):
        raise ValueError(f"expected the {part} images of run {run_id}, received the {told[1]} images of run {told[0]}")
    if stored.metadata.get("sha256") != digest(stored.arrays):
        raise ValueError("its content is not what was written")


def _checked(arrays: Arrays) -> Predictions:
    """Return arrays as the predictions that they are.

    Raises:
        ValueError: if they cannot be any.
    """
    if not {"probabilities", "labels"} <= arrays.keys() <= {*Predictions._fields}:
        raise ValueError(f"expected {', '.join(Predictions._fields)}, received {', '.join(sorted(arrays))[:200]}")
    probabilities, labels = arrays["probabilities"], arrays["labels"]
    rows = arrays.get("rows", np.arange(len(labels)))  # an earlier version of Duet wrote none
    if probabilities.ndim != 2 or not np.issubdtype(probabilities.dtype, np.floating) or not probabilities.size:
        raise ValueError(f"expected probabilities of images, received {probabilities.dtype} {probabilities.shape}")
    images, classes = probabilities.shape
    for name, values in (("labels", labels), ("rows", rows)):
        if values.shape != (images,) or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"expected {name} of {images:,} images, received {values.dtype} {values.shape}")
    if labels.min() < 0 or labels.max() >= classes or rows.min() < 0:
        raise ValueError(f"expected labels from 0 to {classes - 1}, received others")
    # What is not a number is not close to 1 either.
    if not (probabilities.min() >= 0 and np.allclose(probabilities.sum(axis=1), 1, rtol=0, atol=_TOLERANCE)):
        raise ValueError("expected probabilities that add up to 1, received others")
    return Predictions(probabilities, labels, rows)


def _agree(tested: Predictions, counted: np.ndarray) -> bool:
    """Return whether predictions are those that a confusion matrix counts."""
    classes = tested.probabilities.shape[1]
    if counted.shape != (classes, classes):
        return False
    found = confusion(tested.labels, tested.probabilities.argmax(axis=1), classes)
    if (found.sum(axis=1) != counted.sum(axis=1)).any():
        return False
    return bool(np.abs(found - counted).sum() <= 2 * _WORTH_A_DOUBT * counted.sum())
