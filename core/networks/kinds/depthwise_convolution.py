"""A convolution with one filter for each channel, as MobileNets have before a convolution of 1×1."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call, keras_initializer
from core.networks.kinds.convolution import (
    convolved_size,
    describe_window,
    onnx_convolution,
    pytorch_convolution,
    pytorch_convolution_source,
)
from core.networks.windows import Padding, Shape


class DepthwiseConvolution(LayerKind):
    """A 2-D convolution with a filter of its own for each channel, which mixes none of them.

    Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", 2017. The
    canonical kernel is Keras's: `(height, width, channels, 1)`.
    """

    TITLE: ClassVar = "Depthwise convolution"
    IN_A_RESIDUAL: ClassVar = True
    PYTORCH_WEIGHTS: ClassVar = {"kernel": ("weight", (2, 3, 0, 1)), "bias": ("bias", (0,))}

    kind: Literal["depthwise_convolution"] = "depthwise_convolution"
    kernel: int = Field(default=3, ge=1, le=11, title="Kernel", description="The rows and columns of a filter.")
    stride: int = Field(default=1, ge=1, le=8, title="Stride", description="Pixels from one place to the next.")
    padding: Padding = Field(
        default="same", title="Padding", description="With same, black around the image keeps its size at stride 1."
    )
    dilation: int = Field(
        default=1,
        ge=1,
        le=8,
        title="Dilation",
        description="The distance of the pixels that a filter looks at; above 1 only at stride 1.",
    )
    bias: bool = Field(
        default=True, title="Bias", description="Adds a learnt number; right before a batch norm it does nothing."
    )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(kernel=4, stride=2, bias=False), cls(dilation=2), cls(stride=2, padding="valid")

    def output_shape(self, shape: Shape) -> Shape:
        return (*convolved_size(self, shape), shape[-1])

    def weights(self, shape: Shape) -> dict[str, Shape]:
        kernel = (self.kernel, self.kernel, shape[-1], 1)
        return {"kernel": kernel} | ({"bias": (shape[-1],)} if self.bias else {})

    def fans(self, shape: Shape) -> dict[str, tuple[int, int]]:
        return {"kernel": (self.kernel**2, self.kernel**2)}

    def describe(self) -> str:
        return f"a filter of {self.kernel}×{self.kernel} a channel{describe_window(self)}"

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return pytorch_convolution(self, shape, shape[-1], shape[-1], torch)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.DepthwiseConv2D(
            self.kernel, self.stride, self.padding, dilation_rate=self.dilation, use_bias=self.bias, name=name
        )

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return pytorch_convolution_source(self, shape, shape[-1], shape[-1])

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return call(
            "layers.DepthwiseConv2D",
            self.kernel,
            strides=self.stride if self.stride > 1 else None,
            padding=f'"{self.padding}"',
            dilation_rate=self.dilation if self.dilation > 1 else None,
            use_bias=None if self.bias else False,
            depthwise_initializer=keras_initializer(self.fans(shape)["kernel"], initialisation, usual=False),
        )

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return onnx_convolution(self, graph, name, shape, shape[-1], *values)
