"""What a user of an exported network has to know about its inputs and outputs, as JSON.

json.dumps(describe(run_id, checkpoint))
"""

from typing import Any

from core.checkpoints import Checkpoint
from core.config import Normalization

SCALES: dict[Normalization, tuple[float, float]] = {"unit": (1 / 255, 0.0), "symmetric": (2 / 255, -1.0)}
"""For each normalisation what a pixel from 0 to 255 is multiplied by, and what is added then."""


def describe(run_id: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything that a prediction needs besides the weights, and where they come from."""
    _, description, _ = checkpoint
    scale, offset = SCALES[description.config.normalization]
    return {
        "run": run_id,
        "epoch": checkpoint.epoch,
        "architecture": description.architecture.name,
        "class_names": description.class_names,
        "image_shape": description.input_shape,
        "image_values": "uint8, 0 to 255; height, width, channels",
        "normalization": {"multiply": scale, "then_add": offset},
        "preparation": description.preparation,
        "data_fingerprint": description.fingerprint,
        "config": description.config.model_dump(mode="json"),
    }
