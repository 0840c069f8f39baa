"""A file of PyTorch's weights as safetensors: `python -m core.engines.state_dict WEIGHTS.pth OUT.safetensors`.

It is a process of its own, as it imports PyTorch, which a training with Keras does not have.
"""

import sys
from pathlib import Path

import torch

from core.system.tensors import pack


def main() -> None:
    """Read and write; nothing but tensors is unpickled."""
    source, target = map(Path, sys.argv[1:])
    state = torch.load(source, map_location="cpu", weights_only=True)
    # safetensors lists names in no order that means anything; ours is that of the layers.
    numbered = {f"{number:06}/{name}": tensor.numpy() for number, (name, tensor) in enumerate(state.items())}
    target.write_bytes(pack(numbered))


if __name__ == "__main__":
    main()
