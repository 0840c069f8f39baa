"""Dropout."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call, step
from core.networks.windows import Shape


class Dropout(LayerKind):
    """Sets a share of the inputs to zero while training."""

    TITLE: ClassVar = "Dropout"
    IN_A_RESIDUAL: ClassVar = True

    kind: Literal["dropout"] = "dropout"
    rate: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        title="Share dropped",
        description="The share of values that each training step sets to zero.",
        json_schema_extra=step(0.05),
    )

    @classmethod
    def begin(cls, channels: int) -> Self:
        return cls(rate=0.25)

    def describe(self) -> str:
        return f"{self.rate:.0%} set to zero while training"

    def without_randomness(self) -> Self:
        return self.model_copy(update={"rate": 0.0})

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return torch.nn.Dropout(self.rate)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.Dropout(self.rate, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return [call("nn.Dropout", self.rate)]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return call("layers.Dropout", self.rate)

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return values[0]
