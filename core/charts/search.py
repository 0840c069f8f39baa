"""Figures of a search: how the best grew, and which settings do well.

frame = trial_frame(specification.space, trials)
history(frame)
parallel_coordinates(frame, specification.space)
slices(frame, specification.space[0])
contour(frame, *specification.space[:2])
importance_bars({"Learning rate": 0.8, "Batch size": 0.2})
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import plotly.graph_objects as go

from core.runs import Trial
from core.studies.search.space import Dimension, value_in_words

# Of Okabe and Ito's, none of which is a framework's (core/charts/runs.py).
_GREEN, _PINK, _GREY = "#009e73", "#cc79a7", "#888888"
_COLOURS = "Viridis"
_PARALLEL_AXIS = alt.Axis(labelAngle=0, labelLimit=140, orient="top", grid=True, domain=False)
_ACCURACY = "validation accuracy"


def trial_frame(space: Sequence[Dimension], trials: Sequence[Trial]) -> pd.DataFrame:
    """Return a row a trial that has an accuracy: its `trial`, counted from 1, `state`, `accuracy`, the best so far.

    A column a setting follows, called by its name.
    """
    rows: list[dict[str, Any]] = []
    best: float | None = None
    for trial in trials:
        if trial.val_accuracy is None:
            continue
        if trial.state == "done":
            best = trial.val_accuracy if best is None else max(best, trial.val_accuracy)
        settings = {dimension.name: trial.settings[dimension.name] for dimension in space}
        known = {"trial": trial.number + 1, "state": trial.state, "accuracy": trial.val_accuracy, "best": best}
        rows.append({**known, **settings})
    columns = ["trial", "state", "accuracy", "best", *(dimension.name for dimension in space)]
    return pd.DataFrame(rows, columns=columns)


def history(frame: pd.DataFrame) -> alt.LayerChart:
    """Draw each trial's accuracy, and the best so far as a line."""
    x = alt.X("trial:Q", title="trial", axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    axis = alt.Axis(format=".3~%", tickCount=6)
    states = alt.Scale(domain=["done", "pruned", "stopped"], range=[_GREEN, _PINK, _GREY])
    dots = (
        alt.Chart(frame)
        .mark_point(filled=True, size=45)
        .encode(
            x=x,
            y=alt.Y("accuracy:Q", title=_ACCURACY, scale=alt.Scale(zero=False), axis=axis),
            color=alt.Color("state:N", title=None, scale=states, legend=alt.Legend(orient="top")),
            tooltip=["trial:Q", alt.Tooltip("accuracy:Q", format=".2%"), "state:N"],
        )
    )
    line = alt.Chart(frame).mark_line(interpolate="step-after", color=_GREY).encode(x=x, y="best:Q")
    return alt.LayerChart(layer=[line, dots]).properties(height=260)


def parallel_coordinates(frame: pd.DataFrame, space: Sequence[Dimension]) -> alt.LayerChart:
    """Draw a line a finished trial through its settings to its accuracy, the brighter the better.

    Plotly's own needs WebGL, which not every browser has.
    """
    done = frame[frame["state"] == "done"]
    axes = [*(_axis(done, dimension) for dimension in space), _accuracy_axis(done["accuracy"])]
    titles = [axis.title for axis in axes]
    lines = pd.concat(
        [done[["trial", "accuracy"]].assign(axis=axis.title, place=axis.places, value=axis.words) for axis in axes]
    )
    ticks = pd.DataFrame(
        [(axis.title, place, text) for axis in axes for place, text in axis.ticks.items()],
        columns=["axis", "place", "text"],
    )
    x = alt.X("axis:N", title=None, sort=titles, axis=_PARALLEL_AXIS)
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[-0.05, 1.05], nice=False))
    drawn = (
        alt.Chart(lines)
        .mark_line(strokeWidth=2, opacity=0.8)
        .encode(
            x=x,
            y=y,
            detail="trial:N",
            color=alt.Color("accuracy:Q", scale=alt.Scale(scheme="viridis"), legend=None),  # the last axis tells it
            tooltip=["trial:Q", "axis:N", "value:N", alt.Tooltip("accuracy:Q", format=".2%")],
        )
    )
    labels = alt.Chart(ticks).mark_text(align="left", dx=6, dy=-7, color=_GREY).encode(x=x, y=y, text="text:N")
    return alt.LayerChart(layer=[drawn, labels]).properties(height=340)


def slices(frame: pd.DataFrame, dimension: Dimension) -> alt.Chart:
    """Draw the accuracy of trials over one setting."""
    done = frame[frame["state"] == "done"]
    if dimension.values:
        order = [value_in_words(value) for value in dimension.values]
        shown = done.assign(value=[value_in_words(value) for value in done[dimension.name]])
        x = alt.X("value:N", title=dimension.title, sort=order, axis=alt.Axis(labelAngle=0))
    else:
        shown = done.assign(value=done[dimension.name])
        scale = alt.Scale(type="log" if dimension.log else "linear", zero=False)
        x = alt.X("value:Q", title=dimension.title, scale=scale, axis=alt.Axis(format="~g", tickCount=5, grid=False))
    return (
        alt.Chart(shown)
        .mark_point(filled=True, size=45)
        .encode(
            x=x,
            y=alt.Y(
                "accuracy:Q", title=_ACCURACY, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3~%", tickCount=6)
            ),
            color=alt.Color("trial:Q", title="trial", scale=alt.Scale(scheme="greys")),
            tooltip=["trial:Q", alt.Tooltip("value", title=dimension.title), alt.Tooltip("accuracy:Q", format=".2%")],
        )
        .properties(height=240)
    )


def contour(frame: pd.DataFrame, first: Dimension, second: Dimension) -> go.Figure:
    """Draw the accuracy over two settings: colours between the trials, which are dots."""
    done = frame[frame["state"] == "done"]
    (x, x_axis), (y, y_axis) = (_positions(done, dimension) for dimension in (first, second))
    means = done.assign(x=x, y=y).groupby(["y", "x"])["accuracy"].mean().unstack()
    figure = go.Figure()
    if means.shape[0] > 1 and means.shape[1] > 1:
        figure.add_contour(
            x=means.columns,
            y=means.index,
            z=means.to_numpy(),
            connectgaps=True,
            colorscale=_COLOURS,
            contours_coloring="heatmap",
            line_width=0.5,
            colorbar={"title": "", "tickformat": ".1%"},
            hoverinfo="skip",
        )
    words = [f"trial {trial}: {accuracy:.2%}" for trial, accuracy in zip(done["trial"], done["accuracy"], strict=True)]
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        text=words,
        hoverinfo="text",
        marker={"color": "white", "line": {"width": 1}, "size": 8},
    )
    figure.update_xaxes(title=_plain(first.title), **x_axis)
    figure.update_yaxes(title=_plain(second.title), **y_axis)
    return _compact(figure, margin={"l": 60, "r": 20, "t": 20, "b": 50})


def importance_bars(importances: Mapping[str, float]) -> alt.Chart:
    """Draw how much each setting matters, by its title, the greatest first."""
    frame = pd.DataFrame({"setting": list(importances), "importance": list(importances.values())})
    return (
        alt.Chart(frame)
        .mark_bar(color=_GREEN)
        .encode(
            x=alt.X("importance:Q", title="importance", axis=alt.Axis(format="%", tickCount=5)),
            y=alt.Y("setting:N", title=None, sort="-x", axis=alt.Axis(labelLimit=200)),
            tooltip=["setting:N", alt.Tooltip("importance:Q", format=".1%")],
        )
        .properties(height=60 + 28 * len(frame))
    )


class _Axis(NamedTuple):
    """An axis of parallel coordinates: where each trial lies on it, 0 to 1, in words too, and what is written on it."""

    title: str
    places: pd.Series
    words: list[str]
    ticks: dict[float, str]


def _axis(done: pd.DataFrame, dimension: Dimension) -> _Axis:
    if dimension.values:
        last = max(len(dimension.values) - 1, 1)
        words = [value_in_words(value) for value in dimension.values]
        places, _ = _positions(done, dimension)
        ticks = {place / last: text for place, text in enumerate(words)}
        return _Axis(dimension.title, places / last, [words[int(place)] for place in places], ticks)
    values = done[dimension.name].astype(float)
    low, high = dimension.low, dimension.high
    if dimension.log:
        values, low, high = values.map(math.log10), math.log10(low), math.log10(high)
    words = [f"{value:.3g}" for value in done[dimension.name]]
    ticks = {0.0: f"{dimension.low:g}", 1.0: f"{dimension.high:g}"}
    return _Axis(dimension.title, (values - low) / (high - low), words, ticks)


def _accuracy_axis(accuracies: pd.Series) -> _Axis:
    low, high = accuracies.min(), accuracies.max()
    ticks = {0.0: f"{low:.1%}", 1.0: f"{high:.1%}"}
    words = [f"{accuracy:.2%}" for accuracy in accuracies]
    return _Axis(_ACCURACY, (accuracies - low) / ((high - low) or 1.0), words, ticks)


def _positions(done: pd.DataFrame, dimension: Dimension) -> tuple[pd.Series, dict[str, Any]]:
    """Return where values lie on an axis, and how it is drawn: values of a list lie side by side."""
    if not dimension.values:
        return done[dimension.name].astype(float), {"type": "log"} if dimension.log else {}
    order = list(dimension.values)
    places = pd.Series([float(order.index(value)) for value in done[dimension.name]], index=done.index, dtype=float)
    texts = [_plain(value_in_words(value)) for value in order]
    return places, {"tickvals": list(range(len(order))), "ticktext": texts}


def _plain(text: str) -> str:
    """Return a text as Plotly shows it as it is: unescaped, it would make links and line ends of what is in it."""
    return html.escape(text, quote=False)


def _compact(figure: go.Figure, margin: Mapping[str, int]) -> go.Figure:
    return figure.update_layout(height=360, margin=dict(margin), showlegend=False)
