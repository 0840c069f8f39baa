"""The run in plain PyTorch."""

from core.export.format import Format

FORMAT = Format(
    name="pytorch-script",
    module="core.export.pytorch_script",
    title="PyTorch script",
    ending="-pytorch.py",
    description="Plain PyTorch that repeats the run without Duet; needs torch and numpy, and the images.",
    position=3,
)
