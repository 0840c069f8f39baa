"""PyTorch's own form, zipped: `model.py`, its weights as `weights.pt` and `weights.safetensors`, `description.json`.

    from model import build_model, preprocess
    network = build_model()
    network.load_state_dict(torch.load("weights.pt", weights_only=True))

Imports torch, as only PyTorch writes its own files; `core.export` runs this in a process of its own.
"""

import io
import json
import zipfile

import numpy as np
import torch
from safetensors.numpy import save as save_tensors

from core.export.metadata import describe
from core.export.pytorch_script import model_source, state
from core.training.checkpoints import Checkpoint


def build(run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the zip file."""
    arrays = {name: np.array(array, order="C") for name, array in state(checkpoint).items()}
    weights = io.BytesIO()
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, weights)
    description = json.dumps(describe(run_id, checkpoint), indent=2)
    outputs = "probabilities" if checkpoint.description.architecture.gives_probabilities else "logits"
    source = _MODEL.format(run=run_id, outputs=outputs) + model_source(checkpoint.description)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.py", source)
        archive.writestr("weights.pt", weights.getvalue())
        archive.writestr("weights.safetensors", save_tensors(arrays, {"description": description}))
        archive.writestr("description.json", description)
    return file.getvalue()


_MODEL = '''"""The network of run {run} of Duet.

    network = build_model()
    network.load_state_dict(torch.load("weights.pt", weights_only=True))
    network.eval()
    outputs = network(preprocess(images))  # {outputs}; images are (N, C, H, W) with values from 0 to 255

description.json names the classes and says how images are prepared.
"""

from torch import nn

'''
