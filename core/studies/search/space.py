"""What a search varies: settings of a run and of its network's layers, each as a list of values or as a range.

    space = [parse_dimension("batch_size", "32,64,128"), parse_dimension("learning-rate", "0.001..1:log")]
    check_dimension(space[0], RunConfig())
    grid_size(space)                                # 15: a range is taken at five places
    grid_point(space, 0)                            # {"batch_size": 32, "learning_rate": 0.001}
    config = apply_settings(RunConfig(), {"batch_size": 64, "dropout": 0.25})

The settings of layers are `filters`, `units` and `dropout` of all convolutions, all dense layers but the last, and all
dropouts of the network; or those of one layer by its name in the table of layers, such as `convolution_2.filters`.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from core.config import RunConfig, configure, expected, option
from core.networks.editing import changed, places
from core.networks.layers import CLASSES, KINDS, Architecture
from core.networks.registry import get_architecture, save_variant
from core.system.text import quoted

Value = bool | int | float | str | None

GRID_POINTS = 5
"""At so many places, evenly apart, a grid takes a range."""

LAYER_SETTINGS = {"filters": ("convolution", "filters"), "units": ("dense", "units"), "dropout": ("dropout", "rate")}
"""Settings of all layers of a kind at once: the kind and its field."""

NOT_VARIED = {
    "seed": "give the number of seeds for each setting (--seeds) instead, as the best of several seeds is luck",
    "validation_part": "validation accuracies on other images cannot be compared",
    "dataset": "validation accuracies on other images cannot be compared",
}

_RANGE = re.compile(r"(?P<low>.+?)\.\.(?P<high>.+?)(?::(?P<scale>.*))?")


class Dimension(BaseModel):
    """A setting that is varied: over `values`, or from `low` to `high`, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """A field of `RunConfig`, one of `LAYER_SETTINGS`, or a layer and its field, such as `convolution_2.filters`."""
    values: tuple[Value, ...] = ()
    """In the order in which they were given; empty for a range."""
    low: float = 0
    high: float = 0
    log: bool = False
    """Whether a range is divided by ratios rather than by differences."""
    whole: bool = False
    """Whether a range is of whole numbers."""

    @property
    def is_ordered(self) -> bool:
        """Whether the values are numbers, of which neighbours are likely to do about as well."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @property
    def points(self) -> tuple[Value, ...]:
        """The values that a grid takes."""
        if self.values:
            return self.values
        shares = [place / (GRID_POINTS - 1) for place in range(GRID_POINTS)]
        if self.log:
            found = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        found[-1] = self.high
        rounded = [round(value) if self.whole else float(f"{value:.6g}") for value in found]
        return tuple(dict.fromkeys(rounded))

    @property
    def count(self) -> int | None:
        """How many values there are; None where they cannot be counted."""
        if self.values:
            return len(self.values)
        return int(self.high - self.low) + 1 if self.whole else None

    @property
    def title(self) -> str:
        """What people call the setting."""
        return title_of(self.name)

    def in_words(self) -> str:
        """Return the values or the range, as a user would type them."""
        if self.values:
            return ", ".join(value_in_words(value) for value in self.values)
        return f"{self.low:g}..{self.high:g}{':log' if self.log else ''}"


def title_of(name: str) -> str:
    """Return what people call a setting that a search varies."""
    if name in RunConfig.model_fields:
        return str(RunConfig.model_fields[name].title)
    if name in LAYER_SETTINGS:
        kind, field = LAYER_SETTINGS[name]
        return f"{'Dropout' if name == 'dropout' else str(_layer_title(kind, field))}, all layers"
    layer, _, field = name.rpartition(".")
    return f"{layer}, {_layer_title(_kind_of(layer), field).lower()}"


def value_in_words(value: Value) -> str:
    """Return a value as a user would type it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else f"{value}"


def parse_dimension(name: str, text: str) -> Dimension:
    """Return what `NAME=VALUES` of a user says, VALUES being `32,64,128` or `0.001..1`, or `0.001..1:log`.

    Raises:
        ValueError: with one sentence that names the setting, what was expected and what came.
    """
    name = name.strip().replace("-", "_")
    _check_name(name)
    if name in NOT_VARIED:
        raise ValueError(f"{_label(name)} cannot be varied: {NOT_VARIED[name]}.")
    given = text.strip()
    if found := _RANGE.fullmatch(given):
        return _parse_range(name, given, **found.groupdict())
    parts = [part.strip() for part in given.split(",")]
    if not all(parts):
        raise ValueError(
            f"{_label(name)}: expected values such as 32,64,128, or a range such as 0.001..1:log, "
            f"received {quoted(text)}."
        )
    return Dimension(name=name, values=tuple(dict.fromkeys(_typed(name, part) for part in parts)))


def _parse_range(name: str, text: str, low: str, high: str, scale: str | None) -> Dimension:
    form = "a range of two numbers, the smaller first, such as 0.001..1 or 0.001..1:log"
    try:
        ends = [float(low), float(high)]
    except ValueError:
        raise ValueError(f"{_label(name)}: expected {form}, received {quoted(text)}.") from None
    kind = _number_kind(name)
    if kind is None:
        raise ValueError(f"{_label(name)}: a range needs numbers: give {_expected(name)}, received {quoted(text)}.")
    if scale not in (None, "linear", "log"):
        raise ValueError(f"{_label(name)}: expected :log or :linear after a range, received {quoted(text)}.")
    if not all(map(math.isfinite, ends)) or ends[0] >= ends[1]:
        raise ValueError(f"{_label(name)}: the range is empty: expected {form}, received {quoted(text)}.")
    if scale == "log" and ends[0] <= 0:
        raise ValueError(f"{_label(name)}: a logarithmic range lies above 0, received {quoted(text)}.")
    for end, written in zip(ends, (low, high), strict=True):
        _typed(name, written.strip() if kind is float else f"{end:g}")
    return Dimension(name=name, low=ends[0], high=ends[1], log=scale == "log", whole=kind is int)


def check_dimension(dimension: Dimension, config: RunConfig) -> None:
    """Refuse a setting of layers that the network does not have.

    Raises:
        ValueError: if a layer or its setting is not there.
    """
    if dimension.name not in RunConfig.model_fields:
        value = dimension.values[0] if dimension.values else dimension.points[0]
        _change(get_architecture(config.architecture), {dimension.name: value})


def grid_size(space: Sequence[Dimension]) -> int:
    """Return the number of points of a grid."""
    return math.prod(len(dimension.points) for dimension in space)


def grid_point(space: Sequence[Dimension], number: int) -> dict[str, Value]:
    """Return one point of a grid, the last setting varying first; the first point is number 0."""
    settings: dict[str, Value] = {}
    for dimension in reversed(space):
        number, place = divmod(number, len(dimension.points))
        settings[dimension.name] = dimension.points[place]
    return dict(reversed(settings.items()))


def apply_settings(config: RunConfig, settings: Mapping[str, Value]) -> RunConfig:
    """Return the run of a trial. What it changes of layers is a network of its own, which is kept.

    Raises:
        ValueError: if a setting is refused, the settings do not fit together, or a layer is not there.
    """
    own = {name: value for name, value in settings.items() if name in RunConfig.model_fields}
    of_layers = {name: value for name, value in settings.items() if name not in own}
    changed_config = configure(**{**config.model_dump(), **own})
    if not of_layers:
        return changed_config
    base = get_architecture(changed_config.architecture)
    words = ", ".join(f"{name}={value_in_words(value)}" for name, value in of_layers.items())
    return changed_config.model_copy(update={"architecture": save_variant(_change(base, of_layers), base, words)})


def _change(architecture: Architecture, settings: Mapping[str, Value]) -> tuple[Any, ...]:
    layers = architecture.layers
    for name, value in settings.items():
        wanted, field = (None, LAYER_SETTINGS[name][1]) if name in LAYER_SETTINGS else _split(name)
        found = [
            path
            for path, layer_name, layer in places(layers)
            if (layer_name == wanted or (wanted is None and layer.kind == LAYER_SETTINGS[name][0]))
            and getattr(layer, field, CLASSES) != CLASSES
        ]
        if not found:
            known = [each for _, each, layer in places(layers) if type(layer).model_fields.keys() - {"kind"}]
            raise ValueError(
                f"{_label(name)}: {architecture.name} has no such layer to vary: its layers are {', '.join(known)}."
            )
        for path in found:
            try:
                layers = changed(layers, path, field, value)
            except ValueError:
                raise _refusal(name, value) from None
    return layers


def _check_name(name: str) -> None:
    if name in RunConfig.model_fields or name in LAYER_SETTINGS:
        return
    layer, _, field = name.rpartition(".")
    if layer and field in getattr(KINDS.get(_kind_of(layer)), "model_fields", {}) and field != "kind":
        return
    raise ValueError(
        f"Unknown setting {quoted(name)}: expected one of {', '.join(RunConfig.model_fields)}, "
        f"{', '.join(LAYER_SETTINGS)}, or a layer's, such as convolution_1.filters."
    )


def _split(name: str) -> tuple[str, str]:
    layer, _, field = name.rpartition(".")
    return layer, field


def _kind_of(layer: str) -> str:
    """Return the kind of a layer by its name, such as convolution for residual_1/convolution_2."""
    return layer.rpartition("/")[2].rpartition("_")[0]


def _layer_field(name: str) -> Any:
    """Return the field of a setting of layers."""
    kind, field = LAYER_SETTINGS[name] if name in LAYER_SETTINGS else (_kind_of(_split(name)[0]), _split(name)[1])
    return KINDS[kind].model_fields[field]


def _layer_title(kind: str, field: str) -> str:
    annotated = KINDS[kind].model_fields[field]
    inner = next(
        (each for option in get_args(annotated.annotation) for each in getattr(option, "__metadata__", ())), None
    )
    return str(annotated.title or getattr(inner, "title", None) or field)


def _kinds(name: str) -> set[Any]:
    """Return the types that a setting takes."""
    annotation = (
        RunConfig.model_fields[name].annotation if name in RunConfig.model_fields else _layer_field(name).annotation
    )

    def leaves(kind: Any) -> Iterable[Any]:
        inner = get_args(kind)
        return [leaf for each in inner for leaf in leaves(each)] if inner else [kind]

    return set(leaves(annotation))


def _number_kind(name: str) -> type[int] | type[float] | None:
    """Return the type of the numbers that a setting takes; None if it takes none."""
    kinds = _kinds(name)
    return float if float in kinds else int if int in kinds else None


def _typed(name: str, text: str) -> Value:
    """Return a value of a setting, from what a user has typed.

    Raises:
        ValueError: if the setting refuses it.
    """
    if name in RunConfig.model_fields:
        # So many epochs that what is refused is the value, not what it would mean beside another one.
        checked: Value = getattr(configure(**{"epochs": 1000, name: text}), name)
        if name == "architecture":
            get_architecture(text)
        return checked
    kind = _number_kind(name)
    try:
        value: Value = int(text) if kind is int else float(text) if kind is float else text
    except ValueError:
        raise _refusal(name, text) from None
    layer = "kind" if name in LAYER_SETTINGS else _split(name)[0]
    kind_name, field = LAYER_SETTINGS[name] if name in LAYER_SETTINGS else (_kind_of(layer), _split(name)[1])
    try:
        read: Value = getattr(
            KINDS[kind_name].model_validate({**KINDS[kind_name].begin(32).model_dump(), field: value}), field
        )
    except ValueError:
        raise _refusal(name, text) from None
    return read


def _refusal(name: str, value: Any) -> ValueError:
    return ValueError(f"{_label(name)}: expected {_expected(name)}, received {quoted(value)}.")


def _expected(name: str) -> str:
    if name in RunConfig.model_fields:
        return expected(name)
    field = _layer_field(name)
    metadata = list(field.metadata)
    for each in get_args(field.annotation):
        for inner in getattr(each, "__metadata__", ()):
            metadata += getattr(inner, "metadata", [])
    bounds = {type(each).__name__: getattr(each, type(each).__name__.lower(), None) for each in metadata}
    noun = {int: "a whole number", float: "a number"}.get(_number_kind(name), "a value of that layer")  # type: ignore[arg-type]
    match bounds:
        case {"Ge": low, "Le": high}:
            return f"{noun} from {low:,} to {high:,}"
        case {"Ge": low, "Lt": high}:
            return f"{noun} from {low:,} to below {high:,}"
    return noun


def _label(name: str) -> str:
    return f"{title_of(name)} ({option(name)})" if name in RunConfig.model_fields else f"{title_of(name)} ({name})"
