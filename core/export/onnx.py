"""The network as an ONNX graph, made from its description: no framework takes part.

`images`, uint8 `(N, height, width, channels)`, are normalised inside; `probabilities` are float32 `(N, classes)`. On
demand `logits` come as well, and `features`, which is what goes into the last layer that learns. Opset 17 is the
oldest that has all this graph uses as it is used here, so every runtime of the last years takes it. The metadata hold
the class names and how images are prepared.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from core.export.metadata import describe
from core.networks.layers import Layer, Shape, before_head, named
from core.training.checkpoints import Checkpoint

OPSET = 17

_IR_VERSION = 8  # the one that came with opset 17


def build(run_id: str, checkpoint: Checkpoint, *, features: bool = False) -> bytes:
    """Return the file, after `onnx.checker` has passed it.

    Args:
        features: whether it gives, after the probabilities, `logits`, float32 `(N, classes)`, which are the
            probabilities where the network ends in softmax, and `features`, float32 `(N, size)`, flattened in the order
            height, width, channel.
    """
    description, weights = checkpoint.description, checkpoint.weights
    scale, offset = (np.array(values, np.float32) for values in description.scaling)
    graph = _Graph(weights)
    values = graph.add("Cast", "images", to=TensorProto.FLOAT)
    values = graph.add("Mul", values, graph.constant("scale", scale))
    values = graph.add("Add", values, graph.constant("offset", offset))
    values = graph.add("Transpose", values, perm=[0, 3, 1, 2])
    classes = len(description.class_names)
    layers = list(named(description.architecture.for_classes(classes).layers))
    body = len(before_head(description.architecture, description.input_shape, classes))
    values, shape = _add_layers(graph, values, layers[:body], description.input_shape)
    seen = values
    values, _ = _add_layers(graph, values, layers[body:], shape)
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])]
    if features:
        graph.add("Identity", values, output="logits")
        if len(shape) == 3:
            seen = graph.add("Transpose", seen, perm=[0, 2, 3, 1])
        graph.add("Flatten", seen, output="features")
        outputs += [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", math.prod(shape)]),
        ]
    if description.architecture.gives_probabilities:
        graph.add("Identity", values, output="probabilities")
    else:
        graph.add("Softmax", values, output="probabilities", axis=1)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "duet",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *description.input_shape])],
            outputs,
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="Duet",
    )
    helper.set_model_props(model, {key: json.dumps(value) for key, value in describe(run_id, checkpoint).items()})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


@dataclass
class _Graph:
    """Nodes and constants as they gather, and the weights that layers take theirs from."""

    weights: dict[str, np.ndarray]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))
        return name

    def weight(self, name: str, axes: tuple[int, ...] | None = None) -> str:
        values = self.weights[name].astype(np.float32)  # a run in float64 exports what float32 can hold
        return self.constant(name, values if axes is None else values.transpose(axes))

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def _add_layers(graph: _Graph, values: str, layers: Iterable[tuple[str, Layer]], shape: Shape) -> tuple[str, Shape]:
    """Append named layers to what gives `values`, channels first; return the name and the shape of the last output."""
    for name, layer in layers:
        branches = layer.branches(shape)
        ends = [
            _add_layers(graph, values, named(branch.layers, f"{name}/{branch.prefix}"), shape)[0] for branch in branches
        ]
        values = layer.add_onnx(graph, name, shape, *(ends or [values]))
        shape = layer.output_shape(shape)
    return values, shape
