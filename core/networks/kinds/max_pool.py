"""Max pooling."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call
from core.networks.windows import (
    Padding,
    Shape,
    are_even,
    margins,
    onnx_pads,
    pytorch_argument,
    pytorch_sides,
    slide,
)


class MaxPool(LayerKind):
    """Max pooling over square windows."""

    TITLE: ClassVar = "Max pooling"

    kind: Literal["max_pool"] = "max_pool"
    size: int = Field(default=2, ge=1, le=8, title="Window", description="The rows and columns of a window.")
    stride: int = Field(default=2, ge=1, le=8, title="Stride", description="Pixels from one window to the next.")
    padding: Padding = Field(
        default="valid", title="Padding", description="With same, windows reach over the edge of the image."
    )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (
            cls(),
            cls(padding="same"),
            cls(size=3, padding="same"),
            cls(size=4, stride=1, padding="same"),
            cls(size=2, stride=3, padding="same"),
        )

    def output_shape(self, shape: Shape) -> Shape:
        return (*slide(shape, self.size, self.stride, self.padding, "pooling"), shape[-1])

    def describe(self) -> str:
        return f"{self.size}×{self.size}, stride {self.stride}, {self.padding} padding"

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        nn = torch.nn
        rows, columns = margins(shape, self.size, self.stride, self.padding)
        before = (rows[0], columns[0])
        if are_even(rows, columns):
            return nn.MaxPool2d(self.size, self.stride, before)
        if self.size <= self.stride:  # windows don't overlap: a cut-off last window is all that 'same' adds
            return nn.MaxPool2d(self.size, self.stride, before, ceil_mode=True)
        padding = nn.ConstantPad2d(pytorch_sides(rows, columns), -torch.inf)
        return nn.Sequential(padding, nn.MaxPool2d(self.size, self.stride))

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.MaxPooling2D(self.size, self.stride, self.padding, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        rows, columns = margins(shape, self.size, self.stride, self.padding)
        even = are_even(rows, columns)
        stride = f", stride={self.stride}" if self.stride != self.size else ""
        pooling = f"nn.MaxPool2d({self.size}{stride}{pytorch_argument(rows, columns) if even else ''})"
        return [pooling] if even else [f'nn.ConstantPad2d({pytorch_sides(rows, columns)}, -float("inf"))', pooling]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        stride = self.stride if self.stride != self.size else None
        return call("layers.MaxPooling2D", self.size, strides=stride, padding=f'"{self.padding}"')

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return graph.add(
            "MaxPool",
            *values,
            kernel_shape=[self.size] * 2,
            strides=[self.stride] * 2,
            pads=onnx_pads(*margins(shape, self.size, self.stride, self.padding)),
        )
