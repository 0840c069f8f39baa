"""A fully connected layer."""

from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call, keras_initializer
from core.networks.windows import Shape

CLASSES: Literal["classes"] = "classes"
"""The units of a dense layer that has one for each class of the data."""


class Dense(LayerKind):
    """A fully connected layer; `units="classes"` takes the number of classes of the data."""

    TITLE: ClassVar = "Dense"
    IN_A_RESIDUAL: ClassVar = True
    PYTORCH_WEIGHTS: ClassVar = {"kernel": ("weight", (1, 0)), "bias": ("bias", (0,))}
    FEATURE_AXES: ClassVar = {"kernel": 0}
    KEEPS_ORDER: ClassVar = False

    kind: Literal["dense"] = "dense"
    units: (
        Annotated[int, Field(ge=1, le=8192, title="Units", description="How many values come out.")]
        | Literal["classes"]
    )
    bias: bool = Field(
        default=True, title="Bias", description="Adds a learnt number; right before a batch norm it does nothing."
    )

    @classmethod
    def begin(cls, channels: int) -> Self:
        return cls(units=64)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(units=6), cls(units=6, bias=False)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ValueError(f"A dense layer needs one row of numbers, received {shape}: put a flatten before it.")
        return (self._width,)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"kernel": (shape[0], self._width)} | ({"bias": (self._width,)} if self.bias else {})

    def fans(self, shape: Shape) -> dict[str, tuple[int, int]]:
        return {"kernel": (shape[0], self._width)}

    def describe(self) -> str:
        return f"{self.units} units{'' if self.bias else ', no bias'}"

    @property
    def _width(self) -> int:
        """The units as a number: a network gets its classes before anything is asked of its layers."""
        return cast(int, self.units)

    def for_classes(self, classes: int) -> Self:
        return self.model_copy(update={"units": classes}) if self.units == CLASSES else self

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return torch.nn.Linear(shape[0], self.units, self.bias)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.Dense(self.units, use_bias=self.bias, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return [call("nn.Linear", shape[0], self.units, bias=None if self.bias else False)]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return call(
            "layers.Dense",
            self.units,
            use_bias=None if self.bias else False,
            kernel_initializer=keras_initializer(self.fans(shape)["kernel"], initialisation, usual=True),
        )

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return graph.add("Gemm", *values, *(graph.weight(f"{name}/{key}") for key in self.weights(shape)))
