"""Average pooling, which counts no padding in either framework."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call
from core.networks.windows import Padding, Shape, are_even, margins, onnx_pads, pytorch_argument, slide


class AveragePool(LayerKind):
    """Average pooling over square windows.

    A window that reaches over the edge is the mean of its pixels within the image, as in TensorFlow; PyTorch does so
    with `count_include_pad=False`.
    """

    TITLE: ClassVar = "Average pooling"

    kind: Literal["average_pool"] = "average_pool"
    size: int = Field(default=2, ge=1, le=8, title="Window", description="The rows and columns of a window.")
    stride: int = Field(default=2, ge=1, le=8, title="Stride", description="Pixels from one window to the next.")
    padding: Padding = Field(
        default="valid",
        title="Padding",
        description="With same, windows reach over the edge of the image; what lies outside does not count.",
    )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (
            cls(),
            cls(padding="same"),
            cls(size=3, padding="same"),
            cls(size=3, stride=1, padding="same"),
            cls(size=4, stride=1, padding="same"),
            cls(size=2, stride=3, padding="same"),
            cls(size=5, stride=4, padding="same"),
        )

    def output_shape(self, shape: Shape) -> Shape:
        return (*slide(shape, self.size, self.stride, self.padding, "pooling"), shape[-1])

    def describe(self) -> str:
        return f"{self.size}×{self.size}, stride {self.stride}, {self.padding} padding"

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        nn = torch.nn
        rows, columns = margins(shape, self.size, self.stride, self.padding)
        given = {"count_include_pad": False}
        if are_even(rows, columns):
            return nn.AvgPool2d(self.size, self.stride, (rows[0], columns[0]), **given)
        if self.stride > 1:  # of an odd margin the rest is after, where a cut-off last window does as well
            return nn.AvgPool2d(self.size, self.stride, (rows[0], columns[0]), ceil_mode=True, **given)
        # The larger margin on both sides makes one window too many, the first one.
        return nn.Sequential(nn.AvgPool2d(self.size, 1, self.size // 2, **given), nn.ZeroPad2d((-1, 0, -1, 0)))

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.AveragePooling2D(self.size, self.stride, self.padding, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        rows, columns = margins(shape, self.size, self.stride, self.padding)
        stride = f", stride={self.stride}" if self.stride != self.size else ""
        ignored = ", count_include_pad=False"
        if are_even(rows, columns):
            padding = pytorch_argument(rows, columns)
            return [f"nn.AvgPool2d({self.size}{stride}{padding}{ignored if padding else ''})"]
        if self.stride > 1:
            padding = pytorch_argument(rows, columns)
            return [f"nn.AvgPool2d({self.size}{stride}{padding}, ceil_mode=True{ignored})"]
        return [f"nn.AvgPool2d({self.size}{stride}, padding={self.size // 2}{ignored})", "nn.ZeroPad2d((-1, 0, -1, 0))"]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        stride = self.stride if self.stride != self.size else None
        return call("layers.AveragePooling2D", self.size, strides=stride, padding=f'"{self.padding}"')

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return graph.add(
            "AveragePool",
            *values,
            kernel_shape=[self.size] * 2,
            strides=[self.stride] * 2,
            pads=onnx_pads(*margins(shape, self.size, self.stride, self.padding)),
        )
