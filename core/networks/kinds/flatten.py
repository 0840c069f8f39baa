"""Flatten, in the canonical order of the values."""

import math
from functools import cache
from typing import Any, ClassVar, Literal

from core.networks.kind import LayerKind, OnnxGraph
from core.networks.windows import Shape


class Flatten(LayerKind):
    """Turns `(height, width, channel)` into one row, in that order.

    An exported PyTorch script flattens channels first, as is usual there; `core.export.pytorch_script` reorders the
    weights that follow.
    """

    TITLE: ClassVar = "Flatten"

    kind: Literal["flatten"] = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return _flatten(torch)() if len(shape) == 3 else torch.nn.Identity()

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.Flatten(name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return ["nn.Flatten()"]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return "layers.Flatten()"

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        last = graph.add("Transpose", *values, perm=[0, 2, 3, 1]) if len(shape) == 3 else values[0]
        return graph.add("Flatten", last)


@cache
def _flatten(torch: Any) -> Any:
    class Flatten(torch.nn.Module):
        """Flattens in the canonical order: height, width, channel."""

        def forward(self, images: Any) -> Any:
            return images.permute(0, 2, 3, 1).flatten(1)

    return Flatten
