"""Activations, with the same constants in both frameworks.

A new function is one entry of `FUNCTIONS`, and its name in the field `function`.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph
from core.networks.windows import Shape

NEGATIVE_SLOPE = 0.01
"""What leaky relu multiplies negative values with: Maas, Hannun and Ng, 2013, and PyTorch's default; Keras's is 0.3."""


class Activation(LayerKind):
    """An activation; `softmax` only where a network wants it before the loss."""

    TITLE: ClassVar = "Activation"
    IN_A_RESIDUAL: ClassVar = True

    kind: Literal["activation"] = "activation"
    function: Literal["relu", "leaky_relu", "relu6", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax"] = Field(
        default="relu",
        title="Function",
        description=(
            f"leaky_relu multiplies negative values with {NEGATIVE_SLOPE:g}; relu6 is cut off at 6; elu has α = 1; "
            "gelu is the exact one, by the error function; silu is x · sigmoid(x), also called swish; softmax belongs "
            "before the loss only where a network wants probabilities there."
        ),
    )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return tuple(cls.model_validate({"function": name}) for name in FUNCTIONS)

    def describe(self) -> str:
        return self.function

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return FUNCTIONS[self.function].pytorch(torch.nn)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        function = FUNCTIONS[self.function].keras
        return keras.layers.Activation(function if isinstance(function, str) else function(keras.ops), name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return [FUNCTIONS[self.function].pytorch_source]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return FUNCTIONS[self.function].keras_source

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return FUNCTIONS[self.function].onnx(graph, name, *values)


class _Function(NamedTuple):
    """A module of `torch.nn`, what Keras's `Activation` takes, both as source, and the nodes of ONNX.

    Where Keras's own function does not compute in the precision of its inputs, `keras` makes one of `keras.ops`.
    """

    pytorch: Callable[[Any], Any]
    keras: str | Callable[[Any], Callable[[Any], Any]]
    pytorch_source: str
    keras_source: str
    onnx: Callable[[OnnxGraph, str, str], str]


def _node(operator: str, **attributes: object) -> Callable[[OnnxGraph, str, str], str]:
    return lambda graph, _name, values: graph.add(operator, values, **attributes)


def _leaky_relu(ops: Any) -> Callable[[Any], Any]:
    # TensorFlow's own operation keeps the slope in float32, which float64 would show.
    return lambda values: ops.where(values > 0, values, values * NEGATIVE_SLOPE)


def _gelu(ops: Any) -> Callable[[Any], Any]:
    # TensorFlow's own function rounds the root of 2 to float32.
    return lambda values: values * 0.5 * (1 + ops.erf(values * math.sqrt(0.5)))


def _add_gelu(graph: OnnxGraph, name: str, values: str) -> str:
    def number(key: str, value: float) -> str:
        return graph.constant(f"{name}/{key}", np.array(value, np.float32))

    # Opset 17 has no operator for it.
    scaled = graph.add("Mul", values, number("root", math.sqrt(0.5)))
    share = graph.add("Add", graph.add("Erf", scaled), number("one", 1.0))
    return graph.add("Mul", graph.add("Mul", values, number("half", 0.5)), share)


def _add_relu6(graph: OnnxGraph, name: str, values: str) -> str:
    bounds = {"low": 0, "high": 6}
    constants = [graph.constant(f"{name}/{key}", np.array(value, np.float32)) for key, value in bounds.items()]
    return graph.add("Clip", values, *constants)


def _add_silu(graph: OnnxGraph, _name: str, values: str) -> str:
    return graph.add("Mul", values, graph.add("Sigmoid", values))


FUNCTIONS = {
    "relu": _Function(lambda nn: nn.ReLU(), "relu", "nn.ReLU()", "layers.ReLU()", _node("Relu")),
    "leaky_relu": _Function(
        lambda nn: nn.LeakyReLU(NEGATIVE_SLOPE),
        _leaky_relu,
        f"nn.LeakyReLU({NEGATIVE_SLOPE})",
        f"layers.LeakyReLU({NEGATIVE_SLOPE})",
        _node("LeakyRelu", alpha=NEGATIVE_SLOPE),
    ),
    "relu6": _Function(lambda nn: nn.ReLU6(), "relu6", "nn.ReLU6()", "layers.ReLU(6)", _add_relu6),
    "elu": _Function(lambda nn: nn.ELU(), "elu", "nn.ELU()", "layers.ELU()", _node("Elu")),
    "gelu": _Function(lambda nn: nn.GELU(), _gelu, "nn.GELU()", 'layers.Activation("gelu")', _add_gelu),
    "silu": _Function(lambda nn: nn.SiLU(), "silu", "nn.SiLU()", 'layers.Activation("silu")', _add_silu),
    "tanh": _Function(lambda nn: nn.Tanh(), "tanh", "nn.Tanh()", 'layers.Activation("tanh")', _node("Tanh")),
    "sigmoid": _Function(
        lambda nn: nn.Sigmoid(), "sigmoid", "nn.Sigmoid()", 'layers.Activation("sigmoid")', _node("Sigmoid")
    ),
    "softmax": _Function(
        lambda nn: nn.Softmax(dim=1), "softmax", "nn.Softmax(dim=1)", "layers.Softmax()", _node("Softmax", axis=1)
    ),
}
"""Each function in both frameworks and in every export."""
