"""How far PyTorch and Keras part when they train one network from the same weights on the same batches.

    python -m core parity --architecture cnn-64-32-32 --optimizer adam --steps 200
    python -m core parity --json
    python -m core parity --markdown > docs/parity.md       # the whole registry: the table in the docs
    python -m core parity --markdown --read sgd.json adam.json   # the same from what --json has written

Without a name every network, or every optimizer, is measured, in float32 and in float64. Dropout is
off, as no two frameworks draw the same masks, and images are not augmented. Both engines train in this process.

    parity = measure("cnn-quick", "adam", "float64", steps=200)
    parity.logits, parity.loss, parity.passed

All differences are relative: the greatest difference of two arrays over the greatest value of the first.
A layer's arrays are taken together, so that a weight that should stay at zero is measured by its neighbours.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from core.config import FRAMEWORK_TITLES, LEARNING_RATES, OPTIMIZER_TITLES, Defaults, Optimizer, Precision, configure
from core.datasets import load
from core.engines import get_engine
from core.engines.framework_defaults import DECIDED_BY_TITLES, FRAMEWORK_DEFAULTS
from core.engines.initialisation import initial_weights
from core.networks.layers import Architecture, check_network
from core.networks.registry import get_architecture
from core.system.text import duration

STEPS = 200
BATCH_SIZE = 8
"""Small, since float64 is slow and a small batch is no easier: its gradients vary more."""

LOGITS_BAR = 1e-6
"""Within this the logits before the first step shall agree in float32."""

LOSS_BAR = 1e-9
"""Within this the losses of an aligned pair shall agree in float64 at every step."""

TOLERANCES: Mapping[Precision, float] = {"float32": 1e-4, "float64": 1e-9}
"""Where a layer's weights count as parted, unless the user says otherwise."""

_GRADIENTS_EVERY = 10
_PREDICTED = 256


class Step(NamedTuple):
    """How far the two are apart at a step, from 1: its loss, its gradients if measured, the weights after it."""

    step: int
    loss: float
    gradients: float | None
    weights: float


class Divergence(NamedTuple):
    """The first layer, in the network's order, whose weights are further apart than tolerated, and after which step."""

    layer: str
    step: int
    difference: float


@dataclass(frozen=True)
class Parity:
    """What was measured of one network, optimizer and precision. `losses` are the first and last in PyTorch."""

    architecture: str
    optimizer: Optimizer
    precision: Precision
    defaults: Defaults
    without_dropout: bool
    tolerance: float
    logits: float
    steps: tuple[Step, ...]
    divergence: Divergence | None
    losses: tuple[float, float]
    seconds: float

    @property
    def loss(self) -> float:
        """The greatest difference of the losses over all steps."""
        return max(step.loss for step in self.steps)

    @property
    def gradients(self) -> float:
        """The greatest difference of the gradients over the steps at which they were measured."""
        return max(step.gradients for step in self.steps if step.gradients is not None)

    @property
    def weights(self) -> float:
        """The greatest difference of the weights over all steps."""
        return max(step.weights for step in self.steps)

    @property
    def passed(self) -> bool:
        """Whether it keeps within what Duet promises: `LOGITS_BAR` in float32, `LOSS_BAR` in float64."""
        return self.logits <= LOGITS_BAR if self.precision == "float32" else self.loss <= LOSS_BAR

    @property
    def reason(self) -> str:
        """Why it did not pass, as far as the figures tell; nothing if it did."""
        if self.passed:
            return ""
        if self.precision == "float32":
            return (
                f"The logits before the first step differ by {self.logits:.1e}: the sums are rounded in other orders."
            )
        first, last = self.steps[0], next(step for step in self.steps if step.loss > LOSS_BAR)
        if self.defaults == "framework":
            return f"Step {last.step}: the defaults of the frameworks differ, see the table."
        return (
            f"Step {last.step}: the first gradients differ by {first.gradients:.0e} only, so both compute the same, "
            f"and rounding has grown by training to {last.loss:.0e}."
        )


def measure(
    architecture: str,
    optimizer: Optimizer,
    precision: Precision,
    *,
    steps: int = STEPS,
    defaults: Defaults = "aligned",
    tolerance: float | None = None,
    on_step: Callable[[int], None] = lambda _step: None,
) -> Parity:
    """Train a network in both frameworks side by side on MNIST and compare them at every step.

    Args:
        defaults: "aligned", or "framework" to see what the frameworks' own defaults do.
        tolerance: where a layer counts as parted; by default that of `TOLERANCES`.
        on_step: called with the number of each step that was taken.

    Raises:
        ValueError: if there is no such network, or it cannot learn MNIST.
    """
    began = time.perf_counter()
    tolerance = TOLERANCES[precision] if tolerance is None else tolerance
    dataset = load("mnist")
    described = get_architecture(architecture)
    check_network(described, dataset.image_shape, len(dataset.class_names))
    tried = without_dropout(described)
    start = initial_weights(tried, dataset.image_shape, len(dataset.class_names), seed=42)
    batches = np.random.default_rng(42).permutation(len(dataset.train.images))
    batches = np.resize(batches, (steps, BATCH_SIZE))
    # Only the images that are seen go to the engines, which copy what they get.
    seen, indices = np.unique(batches, return_inverse=True)
    indices = indices.reshape(batches.shape)
    engines = []
    for framework in FRAMEWORK_TITLES:
        config = configure(
            framework=framework,
            optimizer=optimizer,
            learning_rate=LEARNING_RATES[optimizer],
            precision=precision,
            defaults=defaults,
            threads=1,  # more are no quicker on so few images
        )
        engine = get_engine(framework).Engine(config, tried, dataset.image_shape, len(dataset.class_names))
        engine.load_weights(start)
        engine.load_data(dataset.train.images[seen], dataset.train.labels[seen])
        engines.append(engine)
    logits = _apart(*(engine.predict(dataset.test.images[:_PREDICTED]) for engine in engines))
    measured, divergence, losses = [], None, []
    for number, batch in enumerate(indices, start=1):
        gradients = None
        if number % _GRADIENTS_EVERY == 1:
            gradients = max(_by_layer(*(engine.gradients(batch) for engine in engines)).values())
        first, second = (float(engine.train(batch[np.newaxis]).losses[0]) for engine in engines)
        layers = _by_layer(*(engine.weights() for engine in engines))
        if divergence is None:
            apart = ((layer, difference) for layer, difference in layers.items() if difference > tolerance)
            divergence = next((Divergence(layer, number, difference) for layer, difference in apart), None)
        losses.append(first)
        measured.append(Step(number, abs(first - second) / abs(first), gradients, max(layers.values())))
        on_step(number)
    return Parity(
        architecture=architecture,
        optimizer=optimizer,
        precision=precision,
        defaults=defaults,
        without_dropout=tried != described,
        tolerance=tolerance,
        logits=logits,
        steps=tuple(measured),
        divergence=divergence,
        losses=(losses[0], losses[-1]),
        seconds=time.perf_counter() - began,
    )


def without_dropout(architecture: Architecture) -> Architecture:
    """Return a network whose dropout layers drop nothing."""
    return architecture.model_copy(
        update={"layers": tuple(layer.without_randomness() for layer in architecture.layers)}
    )


def _by_layer(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> dict[str, float]:
    """Return how far each layer's arrays are apart, in the order of the layers."""
    apart: dict[str, float] = {}
    scale: dict[str, float] = {}
    for key, values in first.items():
        layer = key.rpartition("/")[0]
        apart[layer] = max(apart.get(layer, 0.0), float(np.abs(values - second[key]).max()))
        scale[layer] = max(scale.get(layer, 0.0), float(np.abs(values).max()))
    return {layer: difference / scale[layer] if scale[layer] else difference for layer, difference in apart.items()}


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max() / np.abs(first).max())


def to_json(parities: Sequence[Parity]) -> dict[str, Any]:
    """Return measurements, with where they were made and the table of defaults, as values that JSON has."""
    summary = ("logits", "loss", "gradients", "weights", "passed", "reason")
    return {
        "machine": machine(),
        "versions": versions(),
        "batch_size": BATCH_SIZE,
        "measured": [
            asdict(parity) | {name: getattr(parity, name) for name in summary} | _rows(parity) for parity in parities
        ],
        "defaults": [row._asdict() for row in FRAMEWORK_DEFAULTS],
    }


_PARITY = TypeAdapter(Parity)


def from_json(values: Mapping[str, Any]) -> list[Parity]:
    """Return the measurements that `to_json` has written.

    Raises:
        ValueError, KeyError or TypeError: if there are none, or something else stands in their places.
    """
    found = []
    for each in values["measured"]:
        given = {name: each[name] for name in Parity.__dataclass_fields__} | {
            "steps": tuple(Step(**step) for step in each["steps"]),
            "divergence": Divergence(**each["divergence"]) if each["divergence"] else None,
        }
        try:
            found.append(_PARITY.validate_python(given))
        except ValidationError as error:
            wrong = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
        if not found[-1].steps:
            raise ValueError("no steps")
    return found


def _rows(parity: Parity) -> dict[str, Any]:
    return {
        "steps": [step._asdict() for step in parity.steps],
        "divergence": parity.divergence._asdict() if parity.divergence else None,
    }


def machine() -> str:
    """Return the processor, its cores and the system, in words."""
    model = platform.processor() or platform.machine()
    table = Path("/proc/cpuinfo")
    if table.exists():
        names = [line.partition(":")[2].strip() for line in table.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """Return the versions of both frameworks and NumPy."""
    found = {"numpy": np.__version__}
    for framework in FRAMEWORK_TITLES:
        found |= get_engine(framework).versions()
    return found


def to_markdown(parities: Sequence[Parity]) -> str:
    """Return a page with all figures, where they were measured, and the table of defaults."""
    single, double = (
        {(each.architecture, each.optimizer): each for each in parities if each.precision == precision}
        for precision in TOLERANCES
    )
    steps = len(parities[0].steps)
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Parity",
        "`python -m core parity --markdown > docs/parity.md` writes this page. The measurements took "
        f"{duration(sum(parity.seconds for parity in parities))}.",
        "",
        f"Machine: {machine()}. Versions: {found}.",
        "",
        f"Both frameworks train each network from the same weights on the same {steps} batches of {BATCH_SIZE} MNIST "
        "images, with aligned defaults. A figure is the greatest difference over all steps, relative to the greatest "
        "value. Networks marked * have dropout, which is off here, as its masks cannot be aligned.",
        "",
        f"Tolerance: logits in float32 within {LOGITS_BAR:g}, losses in float64 within {LOSS_BAR:g}.",
        "",
        "| network | optimizer | logits before step 1, float32 | loss, first 10 steps, float32 | "
        f"loss, {steps} steps, float32 | **loss, {steps} steps, float64** | gradients, float64 | weights, float64 | "
        "kept |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, exact in double.items():
        rough = single[key]
        early = max(step.loss for step in rough.steps[:10])
        lines.append(
            f"| {exact.architecture}{'*' if exact.without_dropout else ''} | {OPTIMIZER_TITLES[exact.optimizer]} | "
            f"{rough.logits:.1e} | {early:.1e} | {rough.loss:.1e} | **{exact.loss:.1e}** | {exact.gradients:.1e} | "
            f"{exact.weights:.1e} | {'yes' if rough.passed and exact.passed else 'no'} |"
        )
    missed = [parity for parity in parities if not parity.passed]
    if missed:
        lines += [
            "",
            "## What is not kept, and why",
            "| network | optimizer | precision | reason |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {each.architecture} | {OPTIMIZER_TITLES[each.optimizer]} | {each.precision} | {each.reason} |"
            for each in missed
        ]
    lines += [
        "",
        "In float32 the two part all the same: each rounds its sums in another order, and training amplifies that. "
        "Where many pixels are equal, as the black of MNIST is, one relu or pooling decides for all of them at once, "
        "so a single decision at the last digit moves a whole channel. In float64 the same runs stay together, "
        "which shows that both compute the same algorithm. Right before a batch norm a bias has no effect, so its "
        "gradient is nothing but rounding; Adam and RMSprop stretch that, and in such networks the weights differ "
        "more than the losses.",
        "",
        "## Defaults that differ",
        "| default | PyTorch | Keras | aligned | what it changes | decided by |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.name} | {row.pytorch} | {row.keras} | {row.aligned} | {row.changes} | "
            f"{DECIDED_BY_TITLES[row.decided_by]} |"
            for row in FRAMEWORK_DEFAULTS
        ),
    ]
    return "\n".join(lines)
