"""The curves of any number of runs over one another, the seeds of a setting as a band.

    frame = overlay_frame({group.label: [points, ...]}, "accuracy", "validation")
    colours = colours_of(groups, "architecture")          # or "label", a colour each
    overlay(frame, "accuracy", "last 80 %", colours, epochs=12)

Training is a running mean over the images, validation is joined dots. The two frameworks have their colours where these
tell the frameworks apart, and nothing else ever has them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from core.charts.curves import Scale, merge_short, running_mean
from core.charts.runs import FRAMEWORK_COLOURS, Metric
from core.config import FRAMEWORK_TITLES
from core.studies.comparison import settings_in_words, value_of_setting
from core.studies.groups import SeedGroup
from core.training.records import StepMetrics

Split = Literal["train", "validation"]
SPLITS: Mapping[Split, str] = {"validation": "Validation", "train": "Training"}

_POINTS = 200
_MOST_DOTS = 40
_HEIGHT = 320
_MOST_NAMED = 6
"""Of more lines the names at their ends would not find room beside one another: these have a legend."""
_NAME_HEIGHT, _NAME_WIDTH = 15, 120
_COLOURS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8f7400", "#7b61c9")
"""Four of Okabe and Ito's and two more, all told apart from each other and from the frameworks' two by everyone."""
_DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
"""Where there are more lines than colours, a colour comes again with another dash."""


def overlay_frame(points: Mapping[str, Sequence[Sequence[StepMetrics]]], metric: Metric, split: Split) -> pd.DataFrame:
    """Return what `overlay` draws: a row a point of a line, the mean over its runs and a standard deviation around it.

    A line goes as far as all its runs have come.

    Args:
        points: the measurements of each run of a line, by the line's label.

    Returns:
        Columns `label`, `epoch`, `mean`, `low`, `high`, `seeds`.
    """
    rows: list[tuple[Any, ...]] = []
    for label, runs in points.items():
        lines = [line for measured in runs if len((line := _line(measured, metric, split))[0])]
        if not lines:
            continue
        start, end = max(epochs[0] for epochs, _ in lines), min(epochs[-1] for epochs, _ in lines)
        at = np.linspace(start, end, _POINTS) if split == "train" else lines[0][0]
        at = at[(at >= start) & (at <= end)]
        values = np.array([np.interp(at, epochs, values) for epochs, values in lines])
        mean = values.mean(axis=0)
        deviation = values.std(axis=0, ddof=1) if len(lines) > 1 else np.zeros_like(mean)
        rows += [(label, *row, len(lines)) for row in zip(at, mean, mean - deviation, mean + deviation, strict=True)]
    return pd.DataFrame(rows, columns=["label", "epoch", "mean", "low", "high", "seeds"])


def colours_of(groups: Sequence[SeedGroup], setting: str | None) -> dict[str, tuple[str, str]]:
    """Return the name in the legend and the colour of each group by its label.

    Args:
        setting: a field of `RunConfig` whose values have a colour each; None for a colour a group.
    """
    if setting is None:
        names = {group.label: group.label for group in groups}
    else:
        title = str(groups[0].runs[0].config.__class__.model_fields[setting].title)
        values = settings_in_words([group.runs[0].config for group in groups])[title]
        names = {group.label: value_of_setting(value) for group, value in zip(groups, values, strict=True)}
    of_frameworks = {title: FRAMEWORK_COLOURS[name] for name, title in FRAMEWORK_TITLES.items()}
    distinct = list(dict.fromkeys(names.values()))
    if set(distinct) <= set(of_frameworks):
        colours = of_frameworks
    else:
        colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(distinct)}
    return {label: (name, colours[name]) for label, name in names.items()}


def overlay(
    frame: pd.DataFrame, metric: Metric, scale: Scale, colours: Mapping[str, tuple[str, str]], *, epochs: int
) -> alt.LayerChart:
    """Draw `overlay_frame`, with the names and colours of `colours_of`.

    Args:
        epochs: where the axis ends.
    """
    legend = dict(colours.values())
    dashes = {name: list(_DASHES[number // len(_COLOURS) % len(_DASHES)]) for number, name in enumerate(legend)}
    if set(legend) <= set(FRAMEWORK_TITLES.values()):  # as everywhere: both are seen where they coincide
        dashes = {name: [1, 0] if name == FRAMEWORK_TITLES["pytorch"] else [6, 4] for name in legend}
    errors = metric == "accuracy" and scale == "log"
    names = {label: name for label, (name, _) in colours.items()}
    shown = _drawn(frame, errors=errors).assign(name=frame["label"].map(names))
    form = ".2%" if metric == "accuracy" else ".4f"
    vertical = _vertical(shown, scale)
    named = len(legend) == len(names) <= _MOST_NAMED
    key = alt.Legend(orient="top", columns=2, labelLimit=320, symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "epoch:Q",
            title="epoch",
            scale=alt.Scale(domain=[0, epochs], nice=False),
            axis=alt.Axis(format=".6~g", grid=False, tickMinStep=1),
        ),
        color=alt.Color(
            "name:N",
            title=None,
            scale=alt.Scale(domain=list(legend), range=list(legend.values())),
            legend=None if named else key,
        ),
        detail="label:N",
        tooltip=[
            alt.Tooltip("label:N", title="run"),
            alt.Tooltip("epoch:Q", format=".2f"),
            alt.Tooltip("mean:Q", title="error rate" if errors else metric, format=form),
            alt.Tooltip("seeds:Q"),
        ],
    )
    values: dict[str, Any] = {
        "scale": vertical,
        "axis": alt.Axis(format="~%" if metric == "accuracy" else "~g", tickCount=6),
    }
    title = "error rate (1 − accuracy)" if errors else metric
    band = base.mark_area(clip=True, opacity=0.2).encode(y=alt.Y("low:Q", title=title, **values), y2="high:Q")
    dots = len(shown) and int(shown.groupby("label")["epoch"].count().max()) <= _MOST_DOTS
    line = base.mark_line(clip=True, strokeWidth=2, point={"filled": True, "size": 30} if dots else False).encode(
        y=alt.Y("mean:Q", title=title, **values),
        strokeDash=alt.StrokeDash(
            "name:N", scale=alt.Scale(domain=list(legend), range=[dashes[name] for name in legend]), legend=None
        ),
    )
    names_at_ends = [
        base.transform_filter((alt.datum.label == label) & (alt.datum.epoch == epoch))
        .mark_text(align="left", dx=6, dy=dy, fontSize=12, fontWeight=600, limit=_NAME_WIDTH)
        .encode(y=alt.Y("mean:Q", title=title, **values), text="name:N")
        for label, epoch, dy in (_ends(shown, scale) if named else [])
    ]
    return alt.LayerChart(layer=[band, line, *names_at_ends]).properties(height=_HEIGHT)


def _ends(frame: pd.DataFrame, scale: Scale) -> list[tuple[str, float, float]]:
    """Return the label of each line, the epoch where it ends, and how many pixels lower than that its name fits."""
    last = frame.loc[frame.groupby("label", sort=False)["epoch"].idxmax()]
    low, high = _domain(frame, scale) or (float(frame["low"].min()), float(frame["high"].max()))
    values = last["mean"].clip(low, high).to_numpy()
    if scale == "log":
        low, high, values = np.log(low), np.log(high), np.log(values)
    at = _HEIGHT * (1 - (values - low) / ((high - low) or 1))
    order = np.argsort(at, kind="stable")
    # From the top down each as near to its line as the one above leaves room for; all together no lower than they need.
    spread = at[order].astype(float)
    for place in range(1, len(spread)):
        spread[place] = max(spread[place], spread[place - 1] + _NAME_HEIGHT)
    spread -= max(0.0, float((spread - at[order]).mean())) if len(spread) else 0.0
    return [
        (str(last["label"].iloc[place]), float(last["epoch"].iloc[place]), round(float(height - at[place]), 1))
        for place, height in zip(order, spread, strict=True)
    ]


def _line(points: Sequence[StepMetrics], metric: Metric, split: Split) -> tuple[np.ndarray, np.ndarray]:
    measured = [point for point in points if point.split == split]
    if split == "validation":
        return np.array([point.epoch for point in measured]), np.array([getattr(point, metric) for point in measured])
    merged = merge_short(measured)
    window = max(0.25, merged[-1].epoch / 40) if merged else 1.0
    found = running_mean(merged, metric, window)
    return found.epochs, found.values


def _drawn(frame: pd.DataFrame, *, errors: bool) -> pd.DataFrame:
    """Return the values that are drawn: the error rate in place of the accuracy where the scale is logarithmic."""
    if not errors:
        return frame
    return frame.assign(mean=1 - frame["mean"], low=1 - frame["high"], high=1 - frame["low"])


def _vertical(frame: pd.DataFrame, scale: Scale) -> alt.Scale:
    domain = _domain(frame, scale)
    if scale == "log":
        return alt.Scale(type="log", nice=False, domain=domain or alt.Undefined, clamp=True)
    return alt.Scale(zero=False) if domain is None else alt.Scale(domain=domain, nice=False)


def _domain(frame: pd.DataFrame, scale: Scale) -> tuple[float, float] | None:
    """Return where the vertical axis begins and ends; None where that is left to Vega-Lite."""
    if scale == "log":
        positive = frame.loc[frame["mean"] > 0, "mean"]
        return (float(positive.min()) / 1.1, float(positive.max()) * 1.1) if len(positive) else None
    if scale == "full" or frame.empty:
        return None
    late = frame[frame["epoch"] >= 0.2 * frame["epoch"].max()]
    low, high = float(late["low"].min()), float(late["high"].max())
    margin = 0.04 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin
