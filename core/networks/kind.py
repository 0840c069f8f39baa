"""What a layer kind is: the base class of the records in `core.networks.kinds`, a file each.

    class Dropout(LayerKind):
        \"\"\"Sets a share of the inputs to zero while training.\"\"\"

        TITLE: ClassVar = "Dropout"
        kind: Literal["dropout"] = "dropout"
        rate: float = Field(default=0.5, ge=0, lt=1, title="Share dropped")

        def build_pytorch(self, shape, torch): ...

A kind is a frozen record of settings and all that Duet does with them: its shapes and weights, its layer in both
frameworks, its lines in both exported scripts, and its ONNX nodes. The builders get the framework as an argument,
so this room imports none. `tests/networks/test_kinds.py`, `tests/engines/test_kinds.py` and
`tests/export/test_kinds.py` try every kind that there is, in the variants that its `examples` give.

Shapes are channels-last and without the batch: `(height, width, channels)`, or `(values,)` once flattened. The fields
are what users set: a title, bounds, and a description, which the editor shows as help.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from core.networks.windows import Shape

Axes = tuple[int, ...]


class OnnxGraph(Protocol):
    """The ONNX graph that a layer appends its nodes to; outputs and constants are known by name."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; return the name of its output."""

    def constant(self, name: str, values: np.ndarray) -> str:
        """Append a constant, whose name must be a new one; return the name."""

    def weight(self, name: str, axes: Axes | None = None) -> str:
        """Append a weight by its canonical name, with its axes in another order if told; return the name."""


class Branch(NamedTuple):
    """Layers that a kind sends its input through; none of them stand for the input itself.

    The canonical names of its layers begin with the layer's name, a slash, and `prefix`.
    """

    name: str
    prefix: str
    layers: tuple["LayerKind", ...]


class LayerKind(BaseModel):
    """A layer as data, and everything that Duet does with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    TITLE: ClassVar[str]
    """What users read, such as "Max pooling"."""
    ROW_TITLE: ClassVar[str] = ""
    """What its own row in a table of layers is called, where that is not the title."""
    IN_A_RESIDUAL: ClassVar[bool] = False
    """Whether it may stand in a residual."""

    STATISTICS: ClassVar[tuple[str, ...]] = ()
    """Those of its weights that are gathered while training, not learnt."""
    INITIAL_VALUES: ClassVar[Mapping[str, float]] = {}
    """The value that a weight begins with, where it is neither drawn (see `fans`) nor zero."""
    PYTORCH_WEIGHTS: ClassVar[Mapping[str, tuple[str, Axes]]] = {}
    """For each weight PyTorch's name and the order of axes that turns the canonical array into PyTorch's."""
    PYTORCH_BUFFERS: ClassVar[Mapping[str, int]] = {}
    """What PyTorch's `state_dict` has beside the weights, with the value that it gets in an export."""
    KERAS_WEIGHTS: ClassVar[Mapping[str, str]] = {}
    """Keras's name for each weight that it calls otherwise; its arrays are the canonical ones."""
    FEATURE_AXES: ClassVar[Mapping[str, int]] = {}
    """For each weight the axis along the values of a flattened input, if it has one."""
    KEEPS_ORDER: ClassVar[bool] = True
    """Whether flattened values come out in the order in which they went in."""
    PYTORCH_CLASS: ClassVar[tuple[str, str] | None] = None
    """The name and the source of a class that `pytorch_source` may call, which nobody else has."""

    kind: str

    @classmethod
    def begin(cls, channels: int) -> Self:
        """Return a layer as the editor adds it, where what comes in has so many channels."""
        return cls.model_validate({})

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Return layers for an image of 4 channels, 9×7 and larger, that together use every path of the kind."""
        return (cls.begin(channels=4),)

    # What goes in and out, and what is learnt

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one output, without the batch, for inputs of `shape`.

        Raises:
            ValueError: if the layer cannot take such inputs, with what to do.
        """
        return shape

    def branches(self, shape: Shape) -> tuple[Branch, ...]:
        """Return the branches that the input goes through before this layer, which takes what they give."""
        return ()

    def weights(self, shape: Shape) -> dict[str, Shape]:
        """Return the canonical shape of each weight for inputs of `shape`."""
        return {}

    def fans(self, shape: Shape) -> dict[str, tuple[int, int]]:
        """Return fan in and fan out of each weight that is drawn at random.

        They are how many inputs an output is the sum of, and how many outputs an input goes into.
        """
        return {}

    def parameters(self, shape: Shape) -> int:
        """Return how many numbers are learnt."""
        return sum(math.prod(size) for key, size in self.weights(shape).items() if key not in self.STATISTICS)

    def multiplications(self, shape: Shape) -> int:
        """Return the multiplications of one image on its way forward, those of kernels only."""
        return math.prod(self.weights(shape).get("kernel", (0,))) * math.prod(self.output_shape(shape)[:-1])

    def explain_parameters(self, shape: Shape) -> str:
        """Say how the count comes about, such as "3 × 3 × 1 × 64 weights + 64 biases = 640"."""
        weights = self.weights(shape)
        terms = []
        for key, size in weights.items():
            factors = " × ".join(f"{length:,}" for length in size)
            terms.append(f"{factors} {_PLURALS.get(key, key)}")
        return f"{' + '.join(terms)} = {self.parameters(shape):,}" if terms else "nothing to learn"

    def describe(self) -> str:
        """Return the settings as a table of layers shows them, such as "2×2, stride 2, valid padding"."""
        return ""

    def needs_batches(self, shape: Shape) -> bool:
        """Return whether nothing is left of an image that is alone in its batch."""
        return False

    def for_classes(self, classes: int) -> Self:
        """Return the layer for data of so many classes."""
        return self

    def without_randomness(self) -> Self:
        """Return the layer as it is where nothing is drawn while training."""
        return self

    # Both frameworks

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        """Return a `torch.nn.Module` for channels-first inputs, with the weights that `PYTORCH_WEIGHTS` names.

        It takes what the branches give, in their order, if there are any.
        """
        raise NotImplementedError

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        """Return a `keras.Layer` of that name for channels-last inputs.

        It takes a list of what the branches give, in their order, if there are any.

        Args:
            aligned: whether it computes as PyTorch does where Keras would not, see `core.engines.framework_defaults`.
        """
        raise NotImplementedError

    # Exports

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        """Return the modules of a `nn.Sequential` that the layer is, as source; the last one has the weights.

        Args:
            branches: the source of a module for each branch.
        """
        raise NotImplementedError

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        """Return the call of `layers.…` that makes the Keras layer, as source without its name.

        Args:
            initialisation: how the run drew its weights; `framework` is what Keras does unless told otherwise.
        """
        raise NotImplementedError

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        """Append nodes for channels-first inputs to a graph; return the name of their output.

        Args:
            values: what comes in, or what each branch gives, in their order.
        """
        raise NotImplementedError


_PLURALS = {"kernel": "weights", "bias": "biases", "gamma": "scales", "beta": "shifts"}


def call(function: str, *arguments: object, **named: object) -> str:
    """Return the source of a call; a named argument that is None is left out."""
    given = [str(argument) for argument in arguments]
    given += [f"{name}={value}" for name, value in named.items() if value is not None]
    return f"{function}({', '.join(given)})"


def keras_initializer(fans: tuple[int, int], initialisation: str, *, usual: bool) -> str | None:
    """Return the source of a Keras initialiser for a kernel as a run drew it, or None where Keras does so unasked.

    Args:
        usual: whether Keras's own count of the fans is right, as it is not where channels are kept apart.
    """
    fan_in, fan_out = fans
    match initialisation:
        case "he":
            return '"he_normal"' if usual else f"keras.initializers.RandomNormal(stddev={math.sqrt(2 / fan_in)!r})"
        case "shared" if not usual:
            limit = math.sqrt(6 / (fan_in + fan_out))
            return f"keras.initializers.RandomUniform({-limit!r}, {limit!r})"
    return None


def step(size: float) -> JsonDict:
    """Return what tells the editor by how much a click changes a field: `Field(json_schema_extra=step(0.05))`."""
    return {"step": size}


def in_lines(modules: Sequence[str]) -> str:
    """Return the source of a `nn.Sequential` with a line a module, or of an identity where there are none."""
    if not modules:
        return "nn.Identity()"
    inner = "".join(f"\n    {line}" for module in modules for line in f"{module},".splitlines())
    return f"nn.Sequential({inner}\n)"
