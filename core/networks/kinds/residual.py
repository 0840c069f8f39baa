"""A residual block: layers whose outputs are added to their input, or to a projection of it."""

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import Branch, LayerKind, OnnxGraph
from core.networks.kinds.activation import Activation
from core.networks.kinds.batch_norm import BatchNorm
from core.networks.kinds.convolution import Convolution
from core.networks.kinds.dense import Dense
from core.networks.windows import Shape

if TYPE_CHECKING:
    InnerLayer = LayerKind  # any kind that may stand in a residual, see `core.networks.kinds`


class Residual(LayerKind):
    """Adds what its layers make of their input to that input, which must have the same shape.

    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015. With a projection, their option B, an
    input of another shape goes through a convolution of 1×1 and a batch norm (a row through a dense layer) first.
    """

    TITLE: ClassVar = "Residual block"
    ROW_TITLE: ClassVar = "Sum with the block's input"
    KEEPS_ORDER: ClassVar = False
    PYTORCH_CLASS: ClassVar = (
        "Residual",
        '''class Residual(nn.Module):
    """Adds what a branch makes of the input to what a shortcut makes of it."""

    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, values):
        return self.shortcut(values) + self.branch(values)
''',
    )

    kind: Literal["residual"] = "residual"
    layers: "tuple[InnerLayer, ...]" = Field(min_length=1)
    projection: bool = Field(
        default=False,
        title="Projection",
        description="Fits the input by a convolution of 1×1 and a batch norm where its shape is not that of the sum.",
    )

    @classmethod
    def begin(cls, channels: int) -> Self:
        convolution = Convolution(filters=channels)
        return cls(layers=(convolution, BatchNorm(), Activation(), convolution, BatchNorm()))

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        block = cls.begin(channels=4)
        wider = (Convolution(filters=6, stride=2, bias=False), BatchNorm(), Activation(), Convolution(filters=6))
        return block, block.model_copy(update={"projection": True}), cls(layers=wider, projection=True)

    def output_shape(self, shape: Shape) -> Shape:
        given = _output_shape(self.layers, shape)
        added = _output_shape(self._shortcut(shape), shape)
        if added == given:
            return given
        if self.projection:
            raise ValueError(
                f"A residual adds a projection of its input, {added}, to what its layers give, {given}: give all of "
                "them padding 'same'."
            )
        raise ValueError(
            f"A residual adds its input, {shape}, to what its layers give, {given}: give its last layer as "
            "many filters, and all of them stride 1 and padding 'same', or take a projection."
        )

    def branches(self, shape: Shape) -> tuple[Branch, ...]:
        return Branch("branch", "", self.layers), Branch("shortcut", "shortcut/", self._shortcut(shape))

    def _shortcut(self, shape: Shape) -> tuple[LayerKind, ...]:
        """Return the layers that the input goes through on its way to the sum."""
        if not self.projection:
            return ()
        try:
            given = _output_shape(self.layers, shape)
        except ValueError:  # the row of the layer at fault says so
            return ()
        if given == shape:
            return ()
        if len(shape) == 1:
            return Dense(units=given[-1], bias=False), BatchNorm()
        stride = math.prod(getattr(layer, "stride", 1) for layer in self.layers)
        # A window of one pixel may leave out as many as there are.
        fit = Convolution.model_construct(filters=given[-1], kernel=1, stride=stride, bias=False)
        return fit, BatchNorm()

    def for_classes(self, classes: int) -> Self:
        return self.model_copy(update={"layers": tuple(layer.for_classes(classes) for layer in self.layers)})

    def without_randomness(self) -> Self:
        return self.model_copy(update={"layers": tuple(layer.without_randomness() for layer in self.layers)})

    def describe(self) -> str:
        return "the input projected where its shape differs" if self.projection else ""

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return _sum(torch)()

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.Add(name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        inner = "".join(f"\n    {line}" for branch in branches for line in f"{branch},".splitlines())
        return [f"Residual({inner}\n)"]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return "layers.Add()"

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return graph.add("Add", *values)


def _output_shape(layers: Sequence[LayerKind], shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.output_shape(shape)
    return shape


@cache
def _sum(torch: Any) -> Any:
    class Sum(torch.nn.Module):
        """Adds what both branches give."""

        def forward(self, branch: Any, shortcut: Any) -> Any:
            return shortcut + branch

    return Sum
