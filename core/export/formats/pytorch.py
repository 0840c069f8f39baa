"""PyTorch's own form."""

from core.export.format import Format

FORMAT = Format(
    name="pytorch",
    module="core.export.pytorch",
    title="PyTorch weights",
    ending="-pytorch.zip",
    description="The network as a plain PyTorch module (model.py) with its weights as weights.pt, which "
    "torch.load(weights_only=True) opens, and as safetensors.",
    position=0,
)
