"""What the kept weights of a run answered on the images that it was not trained on, as its folder holds it.

    tested = read_predictions(run.id, "test")
    tested.probabilities.argmax(axis=1) == tested.labels
    dataset.train.images[read_predictions(run.id, "validation").rows]

No logits are kept: the logarithm of the probabilities is the logits up to a number an image, which no softmax sees.
"""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from core.system.paths import run_directory
from core.training.checkpoints import read_arrays, write_arrays

Part = Literal["test", "validation"]


class Predictions(NamedTuple):
    """Probabilities, float32 `(N, classes)`, of images, their labels, int64 `(N,)`, and their rows, int64 `(N,)`.

    The rows are those of the data set's test split, or for validation images of its train split.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


def write_predictions(directory: Path, part: Part, predictions: Predictions) -> None:
    """Keep predictions in a run's folder."""
    write_arrays(_file(directory, part), predictions._asdict())


def read_predictions(run_id: str, part: Part) -> Predictions | None:
    """Return what a run answered on a part; None where that was not kept.

    Not kept are the validation images of a run that validates on the test images, and of one that an earlier version
    of Duet has trained.
    """
    path = _file(run_directory(run_id), part)
    if not path.exists():
        return None
    arrays = read_arrays(path)
    rows = arrays.get("rows", np.arange(len(arrays["labels"])))  # an earlier version of Duet wrote none
    return Predictions(arrays["probabilities"], arrays["labels"], rows)


def _file(directory: Path, part: Part) -> Path:
    return directory / f"{part}.safetensors"
