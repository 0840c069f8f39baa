"""A 2-D convolution, whole or in groups of channels, dense or dilated."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, Self

from pydantic import Field

from core.networks.kind import Axes, LayerKind, OnnxGraph, call, keras_initializer
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


class Convolution(LayerKind):
    """A 2-D convolution.

    In groups, each part of the filters sees its part of the channels only: Krizhevsky, Sutskever and Hinton, 2012.
    """

    TITLE: ClassVar = "Convolution"
    IN_A_RESIDUAL: ClassVar = True
    PYTORCH_WEIGHTS: ClassVar = {"kernel": ("weight", (3, 2, 0, 1)), "bias": ("bias", (0,))}

    kind: Literal["convolution"] = "convolution"
    filters: int = Field(ge=1, le=4096, title="Filters", description="How many channels come out.")
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
        description="The distance of the pixels that a filter looks at; above 1 only at stride 1 and in one group.",
    )
    groups: int = Field(
        default=1,
        ge=1,
        le=1024,
        title="Groups",
        description="Into so many parts channels and filters are divided; each filter sees the channels of its part.",
    )
    bias: bool = Field(
        default=True, title="Bias", description="Adds a learnt number; right before a batch norm it does nothing."
    )

    @classmethod
    def begin(cls, channels: int) -> Self:
        return cls(filters=32)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (
            cls(filters=6),
            cls(filters=6, kernel=4, stride=2, bias=False),
            cls(filters=6, stride=2, padding="valid"),
            cls(filters=6, groups=2),
            cls(filters=8, stride=2, groups=4, bias=False),
            cls(filters=6, dilation=2),
            cls(filters=6, kernel=2, dilation=3),
            cls(filters=6, dilation=2, padding="valid"),
        )

    def output_shape(self, shape: Shape) -> Shape:
        size = convolved_size(self, shape)
        if shape[-1] % self.groups or self.filters % self.groups:
            raise ValueError(
                f"A convolution in {self.groups} groups needs channels and filters that {self.groups} divides, "
                f"received {shape[-1]} channels and {self.filters} filters."
            )
        if self.groups > 1 and self.dilation > 1:
            # It reads memory that nobody has written: seen with TensorFlow 2.21, a kernel of 2 and a dilation of 3.
            raise ValueError(
                "A convolution in groups needs dilation 1, as TensorFlow's gradients of both together are wrong on a "
                f"CPU, received dilation {self.dilation}."
            )
        return (*size, self.filters)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        kernel = (self.kernel, self.kernel, shape[-1] // self.groups, self.filters)
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.bias else {})

    def fans(self, shape: Shape) -> dict[str, tuple[int, int]]:
        field = self.kernel**2
        return {"kernel": (field * shape[-1] // self.groups, field * self.filters // self.groups)}

    def describe(self) -> str:
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        return f"{self.filters} filters of {self.kernel}×{self.kernel}{groups}{describe_window(self)}"

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return pytorch_convolution(self, shape, self.filters, self.groups, torch)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.Conv2D(
            self.filters,
            self.kernel,
            self.stride,
            self.padding,
            dilation_rate=self.dilation,
            groups=self.groups,
            use_bias=self.bias,
            name=name,
        )

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return pytorch_convolution_source(self, shape, self.filters, self.groups)

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return call(
            "layers.Conv2D",
            self.filters,
            self.kernel,
            strides=self.stride if self.stride > 1 else None,
            padding=f'"{self.padding}"',
            dilation_rate=self.dilation if self.dilation > 1 else None,
            groups=self.groups if self.groups > 1 else None,
            use_bias=None if self.bias else False,
            kernel_initializer=keras_initializer(
                self.fans(shape)["kernel"], initialisation, usual=self.groups == 1 or initialisation == "he"
            ),
        )

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return onnx_convolution(self, graph, name, shape, self.groups, *values)


class Convolving(Protocol):
    """What all kinds of convolutions have."""

    @property
    def kernel(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def padding(self) -> Padding: ...
    @property
    def dilation(self) -> int: ...
    @property
    def bias(self) -> bool: ...
    @property
    def PYTORCH_WEIGHTS(self) -> Mapping[str, tuple[str, Axes]]: ...  # noqa: N802
    def weights(self, shape: Shape) -> dict[str, Shape]: ...


def reach(layer: Convolving) -> int:
    """Return the rows from the first to the last that a filter looks at."""
    return (layer.kernel - 1) * layer.dilation + 1


def convolved_size(layer: Convolving, shape: Shape) -> tuple[int, int]:
    """Return the height and the width that come out.

    Raises:
        ValueError: if the input is no image, the filter does not fit, or no framework could do both.
    """
    if layer.stride > 1 and layer.dilation > 1:
        raise ValueError(
            f"A convolution with a dilation needs stride 1, as Keras has no other, received stride {layer.stride}."
        )
    return slide(shape, reach(layer), layer.stride, layer.padding, "convolution")


def describe_window(layer: Convolving) -> str:
    """Return stride, dilation, padding and a missing bias, each after a comma."""
    stride = f", stride {layer.stride}" if layer.stride > 1 else ""
    dilation = f", dilation {layer.dilation}" if layer.dilation > 1 else ""
    return f"{stride}{dilation}, {layer.padding} padding{'' if layer.bias else ', no bias'}"


def pytorch_convolution(layer: Convolving, shape: Shape, filters: int, groups: int, torch: Any) -> Any:
    """Return a `Conv2d`, which pads as TensorFlow does."""
    rows, columns = margins(shape, reach(layer), layer.stride, layer.padding)
    given = {"dilation": layer.dilation, "groups": groups, "bias": layer.bias}
    if are_even(rows, columns):
        padding = (rows[0], columns[0])
        return torch.nn.Conv2d(shape[-1], filters, layer.kernel, layer.stride, padding, **given)
    convolution = _padded_convolution(torch)(shape[-1], filters, layer.kernel, layer.stride, **given)
    convolution.margins = pytorch_sides(rows, columns)
    return convolution


@cache
def _padded_convolution(torch: Any) -> Any:
    class PaddedConvolution(torch.nn.Conv2d):
        """A convolution padded by different amounts before and after, as TensorFlow's 'same' does."""

        margins: tuple[int, int, int, int]

        def forward(self, images: Any) -> Any:
            return super().forward(torch.nn.functional.pad(images, self.margins))

    return PaddedConvolution


def pytorch_convolution_source(layer: Convolving, shape: Shape, filters: int, groups: int) -> list[str]:
    """Return a `nn.Conv2d` as source, after a module that pads where the sides differ."""
    rows, columns = margins(shape, reach(layer), layer.stride, layer.padding)
    even = are_even(rows, columns)
    stride = f", stride={layer.stride}" if layer.stride > 1 else ""
    dilation = f", dilation={layer.dilation}" if layer.dilation > 1 else ""
    in_groups = f", groups={groups}" if groups > 1 else ""
    bias = "" if layer.bias else ", bias=False"
    padding = pytorch_argument(rows, columns) if even else ""
    convolution = f"nn.Conv2d({shape[-1]}, {filters}, {layer.kernel}{stride}{padding}{dilation}{in_groups}{bias})"
    return [convolution] if even else [f"nn.ZeroPad2d({pytorch_sides(rows, columns)})", convolution]


def onnx_convolution(layer: Convolving, graph: OnnxGraph, name: str, shape: Shape, groups: int, *values: str) -> str:
    """Append a `Conv`, whose kernels lie as PyTorch's do."""
    keys = [key for key in ("kernel", "bias") if key in layer.weights(shape)]
    return graph.add(
        "Conv",
        *values,
        *(graph.weight(f"{name}/{key}", layer.PYTORCH_WEIGHTS[key][1]) for key in keys),
        strides=[layer.stride] * 2,
        pads=onnx_pads(*margins(shape, reach(layer), layer.stride, layer.padding)),
        dilations=[layer.dilation] * 2,
        group=groups,
    )
