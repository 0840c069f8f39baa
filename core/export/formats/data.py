"""A run's data set as one `.npz` that both exported scripts read: `x_train`, `y_train`, `x_test`, `y_test`.

Where the run validated on images that came with the data, these are `x_val` and `y_val`, and not among `x_train`.
Images are uint8 `(N, H, W, C)`, labels int64 `(N,)`: the names and the order that Keras uses.
"""

import io
from typing import Any

import numpy as np

from core.datasets import Split, load
from core.export.format import Format
from core.training.checkpoints import Checkpoint

FORMAT = Format(
    name="data",
    module=__name__,
    title="Images for the scripts",
    ending="-images.npz",
    description="The data set's images and labels in the form that both scripts read.",
    position=5,
)


def build(_run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the file.

    Raises:
        ValueError: if the data set is no longer there.
    """
    config = checkpoint.description.config
    dataset = load(config.dataset)
    splits = {"train": dataset.train, "test": dataset.test}
    if config.validation_part == "given":
        learnt = len(dataset.train.labels) - dataset.specification.validation_images
        splits["train"] = Split(dataset.train.images[:learnt], dataset.train.labels[:learnt])
        splits["val"] = Split(dataset.train.images[learnt:], dataset.train.labels[learnt:])
    arrays: dict[str, Any] = {}
    for name, (images, labels) in splits.items():
        arrays |= {f"x_{name}": images, f"y_{name}": labels}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
