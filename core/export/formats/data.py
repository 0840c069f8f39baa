"""A run's data set as one `.npz` that both exported scripts read: `x_train`, `y_train`, `x_test`, `y_test`.

Images are uint8 `(N, H, W, C)`, labels int64 `(N,)`: the names and the order that Keras uses.
"""

import io

import numpy as np

from core.datasets import load
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
    dataset = load(checkpoint.description.config.dataset)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        x_train=dataset.train.images,
        y_train=dataset.train.labels,
        x_test=dataset.test.images,
        y_test=dataset.test.labels,
    )
    return file.getvalue()
