"""Layer normalisation over the channels, as Keras's default and transformers and ConvNeXts have it."""

from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call, step
from core.networks.windows import Shape


class LayerNorm(LayerKind):
    """Layer normalisation over the last axis: each pixel over its channels, a row over its values.

    Ba, Kiros and Hinton, "Layer normalization", 2016. That is Keras's default; PyTorch's `LayerNorm` wants to be told
    the shape, and is told the channels.
    """

    TITLE: ClassVar = "Layer norm"
    IN_A_RESIDUAL: ClassVar = True
    INITIAL_VALUES: ClassVar = {"gamma": 1.0}
    PYTORCH_WEIGHTS: ClassVar = {"gamma": ("weight", (0,)), "beta": ("bias", (0,))}
    FEATURE_AXES: ClassVar = {"gamma": 0, "beta": 0}
    PYTORCH_CLASS: ClassVar = (
        "ChannelNorm",
        '''class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of images (N, C, H, W)."""

    def forward(self, images):
        return super().forward(images.movedim(1, -1)).movedim(-1, 1)
''',
    )

    kind: Literal["layer_norm"] = "layer_norm"
    epsilon: float = Field(
        default=1e-5,
        gt=0,
        le=0.1,
        title="Epsilon",
        description="Added to the variance, so that nothing is divided by zero.",
        json_schema_extra=step(1e-5),
    )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(epsilon=1e-3)

    def output_shape(self, shape: Shape) -> Shape:
        if shape[-1] == 1:
            raise ValueError(
                f"A layer norm over one value leaves nothing of it, received {shape}: put a layer with more channels "
                "before it."
            )
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"gamma": (shape[-1],), "beta": (shape[-1],)}

    def describe(self) -> str:
        return f"over the channels, ε {self.epsilon:g}"

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        norm = _channel_norm(torch) if len(shape) == 3 else torch.nn.LayerNorm
        return norm(shape[-1], self.epsilon)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.LayerNormalization(epsilon=self.epsilon, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return [call("ChannelNorm" if len(shape) == 3 else "nn.LayerNorm", shape[-1], eps=self.epsilon)]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return call("layers.LayerNormalization", epsilon=self.epsilon)

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        weights = [graph.weight(f"{name}/{key}") for key in self.PYTORCH_WEIGHTS]
        if len(shape) == 1:
            return graph.add("LayerNormalization", *values, *weights, axis=-1, epsilon=self.epsilon)
        last = graph.add("Transpose", *values, perm=[0, 2, 3, 1])
        last = graph.add("LayerNormalization", last, *weights, axis=-1, epsilon=self.epsilon)
        return graph.add("Transpose", last, perm=[0, 3, 1, 2])


@cache
def _channel_norm(torch: Any) -> Any:
    class ChannelNorm(torch.nn.LayerNorm):
        """Layer norm over the channels of channels-first images; those that lie channels-last are not copied."""

        def forward(self, images: Any) -> Any:
            return super().forward(images.movedim(1, -1)).movedim(-1, 1)

    return ChannelNorm
