"""The curves of loss and accuracy over the epochs, as they grow, and by how much those of a pair differ.

    frame = metric_frame(points, frameworks, "accuracy", "last 80 %", epochs=12)
    st.vega_lite_chart(frame, curves("accuracy", "last 80 %", epochs=12))
    st.vega_lite_chart(difference_frame(frame), difference_strip("accuracy", epochs=12))

Training is drawn as a running mean over the images, its measurements faint behind it, and validation as joined dots.
Keras is dashed and drawn over PyTorch, so that both are seen where they coincide. A specification knows
nothing of its data, or the chart would be built anew at each tick: what is cut off at the edge of a scale is cut off of
the data. So it is made once, as making it takes Altair longer than all else that is done at a tick.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from core.charts.runs import FRAMEWORK_COLOURS, Metric, downsample
from core.config import FRAMEWORK_TITLES, Framework
from core.training.records import StepMetrics

Scale = Literal["last 80 %", "full", "log"]

KINDS = ("measured", "training", "validation")
"""What a row of `metric_frame` is: a measurement of some steps, the running mean of these, or a validation."""

_COLUMNS = ["run", "framework", "kind", "epoch", "value", "end"]
_TITLES = {("accuracy", "log"): "error rate (1 − accuracy)"}
_WINDOW = 1 / 40
"""The running mean's window as a share of all epochs, but no less than the next."""
_LEAST_WINDOW = 0.25
_MOST_POINTS = 400
_MOST_DOTS = 40
_MARGIN = 0.01
_END_LABEL_WIDTH = 64
"""How many pixels are left beyond the last epoch for the names at the lines' ends."""
_END_LABEL_HEIGHT = 16
"""How many the axis goes beyond the highest and lowest value, for the same names."""
_AXIS_WIDTH = 52


class _Line(NamedTuple):
    """A curve: epochs and values, float64 of one length, in order."""

    epochs: np.ndarray
    values: np.ndarray


def metric_frame(
    points: Mapping[str, Sequence[StepMetrics]],
    frameworks: Mapping[str, Framework],
    metric: Metric,
    scale: Scale,
    *,
    epochs: int,
) -> pd.DataFrame:
    """Return what `curves` draws of some runs.

    Args:
        points: the measurements of each run by its id.
        frameworks: the framework of each run by its id.
        scale: "last 80 %" cuts off what lies outside of the running means and validations of the last 80 % so far.
        epochs: how many there will be.

    Returns:
        Columns `run`, `framework`, `kind`, of `KINDS`, `epoch`, `value`, NaN where a line is interrupted, and `end`: on
        the row at a line's end 1 or 2, whose label stands above or below it, else 0. A value is the error rate in place
        of the accuracy where the scale is logarithmic.
    """
    lines = {run_id: _lines(measured, metric, scale, epochs) for run_id, measured in points.items()}
    low, high = _bounds(lines.values()) if scale == "last 80 %" else (-np.inf, np.inf)
    rows: list[tuple[Any, ...]] = []
    ends: list[tuple[float, int]] = []
    for run_id, kinds in lines.items():
        for kind, line in kinds.items():
            # A dot on the edge would be a validation that never was.
            cut = _cut(line, low, high, crossings=kind != "validation")
            title = FRAMEWORK_TITLES[frameworks[run_id]]
            rows += [(run_id, title, kind, *point, 0) for point in zip(*cut, strict=True)]
            if kind == "training" and len(cut.values) and np.isfinite(cut.values[-1]):
                ends.append((float(cut.values[-1]), len(rows) - 1))
    for place, (_, row) in enumerate(sorted(ends, reverse=True)):
        rows[row] = (*rows[row][:-1], min(place, 1) + 1)
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    return frame.astype({"run": str, "framework": str, "kind": str, "epoch": float, "value": float, "end": int})


def running_mean(points: Sequence[StepMetrics], metric: Metric, window: float) -> _Line:
    """Return the mean of a metric over the images of the last `window` epochs before each training measurement.

    A measurement counts as many images as it has more epochs than the one before it. So neither the last, smaller batch
    of an epoch nor the chunk that happens to be short pulls the curve.
    """
    epochs = np.array([point.epoch for point in points])
    values = np.array([getattr(point, metric) for point in points], float)
    if not len(epochs):
        return _Line(epochs, values)
    weights = np.diff(epochs, prepend=0.0)
    weights[0] = weights[0] or 1e-9
    totals = np.concatenate([[0.0], np.cumsum(weights)])
    sums = np.concatenate([[0.0], np.cumsum(weights * values)])
    first = np.minimum(np.searchsorted(epochs, epochs - window, side="right"), np.arange(len(epochs)))
    after = np.arange(1, len(epochs) + 1)
    shares = totals[after] - totals[first]
    means = (sums[after] - sums[first]) / np.where(shares > 0, shares, 1)
    return _Line(epochs, np.where(shares > 0, means, values))


def merge_short(points: Sequence[StepMetrics]) -> list[StepMetrics]:
    """Merge each measurement of far fewer images than is usual into the one before it, weighted by the images.

    The last batch of an epoch is often one of a few images alone, whose loss says little.
    """
    if len(points) < 3:
        return list(points)
    weights = np.diff([point.epoch for point in points], prepend=0.0)
    usual = float(np.median(weights))
    merged, total = [points[0]], weights[0]
    for point, weight in zip(points[1:], weights[1:], strict=True):
        if weight >= usual / 4:
            merged.append(point)
            total = weight
            continue
        before, share = merged[-1], weight / (total + weight) if total + weight else 0.5
        merged[-1] = point._replace(
            loss=before.loss + share * (point.loss - before.loss),
            accuracy=before.accuracy + share * (point.accuracy - before.accuracy),
        )
        total += weight
    return merged


@cache
def curves(metric: Metric, scale: Scale, *, epochs: int) -> dict[str, Any]:
    """Return how Vega-Lite draws `metric_frame`: the framework as colour, Keras dashed, its name at the line's end."""
    percent = metric == "accuracy"
    base = alt.Chart().encode(
        x=_epoch_axis(epochs),
        y=alt.Y(
            "value:Q",
            title=None,
            scale=alt.Scale(
                type="log" if scale == "log" else "linear", zero=False, nice=False, padding=_END_LABEL_HEIGHT
            ),
            axis=alt.Axis(format="~%" if percent else "~g", tickCount=5, minExtent=_AXIS_WIDTH, maxExtent=_AXIS_WIDTH),
        ),
        color=_colour(),
        detail="run:N",
        tooltip=[
            alt.Tooltip("framework:N"),
            alt.Tooltip("kind:N"),
            alt.Tooltip("epoch:Q", format=".2f"),
            alt.Tooltip("value:Q", title=_TITLES.get((metric, scale), metric), format=".2%" if percent else ".4f"),
        ],
    )
    measured, training, validation = (base.transform_filter(alt.datum.kind == kind) for kind in KINDS)
    faint = measured.mark_line(clip=True, strokeWidth=1, opacity=0.25)
    means = training.mark_line(clip=True, strokeWidth=2).encode(strokeDash=_DASHES)
    joined = validation.mark_line(clip=True, strokeWidth=1.2, opacity=0.7).encode(strokeDash=_DASHES)
    dots = validation.mark_point(clip=True, filled=True, size=50 if epochs <= _MOST_DOTS else 0, opacity=1).encode(
        shape=alt.Shape("framework:N", legend=None, scale=alt.Scale(domain=_FRAMEWORKS, range=["circle", "diamond"]))
    )
    labels = [
        base.transform_filter(alt.datum.end == end)
        .mark_text(align="left", dx=6, dy=dy, fontSize=12, fontWeight=600)
        .encode(text="framework:N")
        for end, dy in ((1, -7), (2, 7))
    ]
    zoom = alt.selection_interval(name="zoom", bind="scales")
    named = means.add_params(zoom).properties(name="lines")  # unnamed, they would be named after their data
    title = _title(_TITLES.get((metric, scale), metric))
    return _specification(alt.layer(faint, named, joined, dots, *labels).properties(height=290, title=title))


def difference_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the running mean of Keras is above that of PyTorch, where both have come.

    Args:
        frame: of `metric_frame`, of a pair.

    Returns:
        Columns `epoch` and `difference`.
    """
    means = frame[(frame["kind"] == "training") & frame["value"].notna()]
    first, second = (means[means["framework"] == title] for title in _FRAMEWORKS)
    if first.empty or second.empty:
        return pd.DataFrame({"epoch": [], "difference": []}, dtype=float)
    at = first["epoch"].to_numpy()
    low, high = second["epoch"].min(), second["epoch"].max()
    both = (at >= low) & (at <= high)
    other = np.interp(at[both], second["epoch"].to_numpy(), second["value"].to_numpy())
    return pd.DataFrame({"epoch": at[both], "difference": other - first["value"].to_numpy()[both]})


@cache
def difference_strip(metric: Metric, *, epochs: int) -> dict[str, Any]:
    """Return how Vega-Lite draws `difference_frame`: a strip with the axis of the curves above it."""
    form = "+~%" if metric == "accuracy" else "+~g"
    base = alt.Chart().encode(
        x=_epoch_axis(epochs, labels=False),
        y=alt.Y(
            "difference:Q",
            title=None,
            axis=alt.Axis(format=form, tickCount=3, minExtent=_AXIS_WIDTH, maxExtent=_AXIS_WIDTH),
        ),
        tooltip=[
            alt.Tooltip("epoch:Q", format=".2f"),
            alt.Tooltip("difference:Q", title="Keras − PyTorch", format="+.2%" if metric == "accuracy" else "+.4f"),
        ],
    )
    area = base.mark_area(clip=True, opacity=0.35, color="#808080", line={"color": "#808080", "strokeWidth": 1.2})
    # Of one row, whatever the data: a rule of its own data would leave the page two sources, of which it feeds one.
    zero = alt.Chart().transform_aggregate(rows="count()").mark_rule(color="#808080").encode(y=alt.datum(0))
    named = area.properties(name="difference")
    return _specification(alt.layer(named, zero).properties(height=90, title=_title("Keras − PyTorch")))


def _title(text: str) -> alt.TitleParams:
    """Return a title above a chart: one beside its axis would move a chart aside of the one below it."""
    return alt.TitleParams(text[0].upper() + text[1:], anchor="start", fontSize=13, fontWeight="normal", offset=4)


def _specification(chart: alt.LayerChart | alt.FacetChart) -> dict[str, Any]:
    with alt.theme.enable("none"):  # the page has one of its own
        told = chart.properties(padding={"top": 8, "bottom": 0, "left": 0, "right": 0}).to_dict()
    # Altair gives a chart without data an empty table of its own, which would hide the one that is drawn with it.
    del told["datasets"]
    return {
        **told,
        "layer": [{name: part for name, part in layer.items() if name != "data"} for layer in told["layer"]],
    }


_FRAMEWORKS = list(FRAMEWORK_TITLES.values())

_DASHES = alt.StrokeDash("framework:N", legend=None, scale=alt.Scale(domain=_FRAMEWORKS, range=[[1, 0], [6, 4]]))


def _colour() -> alt.Color:
    domain = [FRAMEWORK_TITLES[name] for name in FRAMEWORK_COLOURS]
    return alt.Color(
        "framework:N", title=None, legend=None, scale=alt.Scale(domain=domain, range=list(FRAMEWORK_COLOURS.values()))
    )


def _epoch_axis(epochs: int, *, labels: bool = True) -> alt.X:
    return alt.X(
        "epoch:Q",
        title="epoch" if labels else None,
        scale=alt.Scale(domain=[0, epochs], range=[0, alt.expr(f"width - {_END_LABEL_WIDTH}")], nice=False),
        axis=alt.Axis(format=".6~g", grid=False, values=_ticks(epochs), labels=labels),
    )


def _ticks(epochs: int) -> list[int]:
    """Return at most about ten whole epochs from 0 to the last one, evenly spaced."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if epochs / step <= 10)
    return list(range(0, epochs + 1, step))


def _lines(points: Sequence[StepMetrics], metric: Metric, scale: Scale, epochs: int) -> dict[str, _Line]:
    """Return the curve of each kind of a run."""
    training = merge_short([point for point in points if point.split == "train"])
    mean = running_mean(training, metric, max(_LEAST_WINDOW, epochs * _WINDOW))
    # Evenly, the last one included, so that a line grows at its end alone.
    kept = np.unique(np.linspace(0, len(mean.epochs) - 1, _MOST_POINTS).astype(int)) if len(mean.epochs) else slice(0)
    lines = {
        "measured": _line(downsample(training), metric),
        "training": _Line(mean.epochs[kept], mean.values[kept]),
        "validation": _line(downsample([point for point in points if point.split == "validation"]), metric),
    }
    if scale != "log":
        return lines
    if metric == "accuracy":
        lines = {kind: _Line(line.epochs, 1 - line.values) for kind, line in lines.items()}
    # A logarithm has no place for zero.
    return {kind: _Line(line.epochs, np.where(line.values > 0, line.values, np.nan)) for kind, line in lines.items()}


def _line(points: Sequence[StepMetrics], metric: Metric) -> _Line:
    return _Line(
        np.array([point.epoch for point in points], float),
        np.array([getattr(point, metric) for point in points], float),
    )


def _bounds(runs: Iterable[Mapping[str, _Line]]) -> tuple[float, float]:
    """Return the lowest and highest running mean or validation of the last 80 % of the epochs so far, with a margin."""
    shown = [line for kinds in runs for kind, line in kinds.items() if kind != "measured" and len(line.epochs)]
    if not shown:
        return -np.inf, np.inf
    start = 0.2 * max(line.epochs[-1] for line in shown)
    values = np.concatenate([line.values[line.epochs >= start] for line in shown])
    margin = _MARGIN * (np.ptp(values) or abs(values[0]) or 1.0)
    return float(values.min() - margin), float(values.max() + margin)


def _cut(line: _Line, low: float, high: float, *, crossings: bool) -> _Line:
    """Return a line as far as it lies between two values; NaN interrupts it.

    Args:
        crossings: whether it ends on these values where it crosses them, rather than at its last point before.
    """
    epochs: list[float] = []
    values: list[float] = []
    previous: tuple[float, float] | None = None
    for epoch, value in zip(line.epochs.tolist(), line.values.tolist(), strict=True):
        inside = low <= value <= high
        if crossings and previous is not None and np.isfinite(value) and np.isfinite(previous[1]):
            was_inside = low <= previous[1] <= high
            if inside != was_inside:
                bound = high if max(value, previous[1]) > high else low
                share = (bound - previous[1]) / (value - previous[1])
                epochs.append(previous[0] + share * (epoch - previous[0]))
                values.append(bound)
        if inside:
            epochs.append(epoch)
            values.append(value)
        elif values and np.isfinite(values[-1]):
            epochs.append(epoch)
            values.append(np.nan)
        previous = (epoch, value)
    return _Line(np.array(epochs), np.array(values))
