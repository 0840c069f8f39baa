"""Global average pooling, which turns an image into one row without a flatten."""

from typing import Any, ClassVar, Literal

from core.networks.kind import LayerKind, OnnxGraph
from core.networks.windows import Shape


class GlobalAveragePool(LayerKind):
    """Turns an image into the mean of each of its channels.

    Lin, Chen and Yan, "Network in network", 2013.
    """

    TITLE: ClassVar = "Global average pooling"

    kind: Literal["global_average_pool"] = "global_average_pool"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise ValueError(f"A global average pooling needs an image (height, width, channels), received {shape}.")
        return (shape[-1],)

    def describe(self) -> str:
        return "the mean of each channel"

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.GlobalAveragePooling2D(name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return ["nn.AdaptiveAvgPool2d(1)", "nn.Flatten()"]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return "layers.GlobalAveragePooling2D()"

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return graph.add("Flatten", graph.add("GlobalAveragePool", *values))
