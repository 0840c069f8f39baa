"""The form of all runtimes."""

from core.export.format import Format

FORMAT = Format(
    name="onnx",
    module="core.export.onnx",
    title="ONNX graph",
    ending=".onnx",
    description="One file for any runtime, without PyTorch or TensorFlow: uint8 pixels in, probabilities out.",
    position=2,
)
