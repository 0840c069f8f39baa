"""What a user of an exported network has to know about its inputs and outputs, as JSON.

json.dumps(describe(run_id, checkpoint))
"""

from typing import Any

from core.training.checkpoints import Checkpoint


def describe(run_id: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything that a prediction needs besides the weights, and where they come from."""
    description = checkpoint.description
    return {
        "run": run_id,
        "epoch": checkpoint.epoch,
        "architecture": description.architecture.name,
        "class_names": description.class_names,
        "image_shape": description.input_shape,
        "image_values": "uint8, 0 to 255; height, width, channels",
        "normalization": description.scaling._asdict(),
        "preparation": description.preparation,
        "data_fingerprint": description.fingerprint,
        "config": description.config.model_dump(mode="json"),
    }
