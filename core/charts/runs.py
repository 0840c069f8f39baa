"""Figures of runs: what steps measure, and probabilities. Colours are fixed here.

    step_curves(curve_frame({run_id: points}, {run_id: run.config.framework}), "gradient_norm")

The curves of loss and accuracy are in `core.charts.curves`.

They are Altair, since Streamlit updates those in place. A figure's specification never depends on its data, or it
would be drawn anew at each tick.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import altair as alt
import numpy as np
import pandas as pd

from core.config import FRAMEWORK_TITLES, Framework
from core.training.records import StepMetrics

FRAMEWORK_COLOURS: dict[Framework, str] = {"pytorch": "#d55e00", "keras": "#0072b2"}
"""Vermilion and blue of Okabe and Ito, "Color universal design", 2008: told apart by everyone."""

_SPLIT_TITLES = {"train": "training", "validation": "validation"}
_MOST_POINTS = 400

Metric = Literal["loss", "accuracy"]
METRICS: tuple[Metric, ...] = get_args(Metric)
StepMetric = Literal["learning_rate", "gradient_norm"]
STEP_METRICS: tuple[StepMetric, ...] = get_args(StepMetric)

_STEP_METRIC_TITLES: dict[StepMetric, str] = {"learning_rate": "learning rate", "gradient_norm": "gradient norm"}


def curve_frame(points: Mapping[str, Sequence[StepMetrics]], frameworks: Mapping[str, Framework]) -> pd.DataFrame:
    """Gather the measurements of some runs as one table, thinned to what a screen can show.

    Returns:
        Columns `run`, `framework`, `part` and those of `_MEASURED`, a row a measurement.
    """
    rows = [
        (
            *(run_id, FRAMEWORK_TITLES[frameworks[run_id]], _SPLIT_TITLES[split]),
            *(getattr(point, name) for name in _MEASURED),
        )
        for run_id, measured in points.items()
        for split in _SPLIT_TITLES
        for point in downsample([point for point in measured if point.split == split])
    ]
    return pd.DataFrame(rows, columns=["run", "framework", "part", *_MEASURED])


_MEASURED = ("epoch", "loss", "accuracy", "learning_rate", "gradient_norm")


def downsample(points: Sequence[StepMetrics], limit: int = _MOST_POINTS) -> Sequence[StepMetrics]:
    """Reduce a curve to about `limit` points, keeping the lowest and the highest loss of each stretch.

    So no spike is lost, and neither is the best epoch.
    """
    if len(points) <= limit:
        return points
    kept = set()
    for stretch in np.array_split(np.arange(len(points)), limit // 2):
        losses = [points[i].loss for i in stretch]
        kept |= {int(stretch[np.argmin(losses)]), int(stretch[np.argmax(losses)])}
    return [points[i] for i in sorted(kept | {0, len(points) - 1})]


def schedule_curve(epochs: np.ndarray, rates: np.ndarray) -> alt.Chart:
    """Draw how the learning rate will change over the epochs of a run, see `core.training.schedules.preview`."""
    return (
        alt.Chart(pd.DataFrame({"epoch": epochs, "rate": rates}))
        .mark_line(strokeWidth=2, color="#009e73")
        .encode(
            x=alt.X("epoch:Q", title="epoch", scale=alt.Scale(nice=False), axis=_EPOCH_AXIS),
            y=alt.Y("rate:Q", title="learning rate", axis=alt.Axis(format="~g", tickCount=3)),
            tooltip=[alt.Tooltip("epoch:Q", format=".2f"), alt.Tooltip("rate:Q", title="learning rate", format=".3g")],
        )
        .properties(height=180)
    )


def step_curves(frame: pd.DataFrame, metric: StepMetric) -> alt.Chart:
    """Draw what was measured at the steps of training over the epochs, the framework as colour.

    Args:
        frame: of `curve_frame`.
    """
    title = _STEP_METRIC_TITLES[metric]
    return (
        alt.Chart(frame)
        .transform_filter(f"isValid(datum.{metric})")
        .mark_line(strokeWidth=1.5, opacity=0.8)
        .encode(
            x=alt.X("epoch:Q", title="epoch", scale=alt.Scale(zero=True, nice=False, padding=6), axis=_EPOCH_AXIS),
            y=alt.Y(f"{metric}:Q", title=title, axis=alt.Axis(format="~g", tickCount=4)),
            color=_FRAMEWORK_COLOUR,
            detail="run:N",
            tooltip=[
                alt.Tooltip("framework:N"),
                alt.Tooltip("epoch:Q", format=".2f"),
                alt.Tooltip(f"{metric}:Q", title=title, format=".3g"),
            ],
        )
        .properties(height=260)
    )


_FRAMEWORK_COLOUR = alt.Color(
    "framework:N",
    title=None,
    scale=alt.Scale(
        domain=[FRAMEWORK_TITLES[name] for name in FRAMEWORK_COLOURS], range=list(FRAMEWORK_COLOURS.values())
    ),
    legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3),
)

_EPOCH_AXIS = alt.Axis(format=".6~g", grid=False)


def probability_bars(probabilities: np.ndarray, class_names: Sequence[str], framework: Framework) -> alt.LayerChart:
    """Draw the probability of each class as a bar with its figure."""
    frame = pd.DataFrame({"class": list(class_names), "probability": probabilities})
    base = alt.Chart(frame).encode(
        y=alt.Y("class:N", title=None, sort=None),
        x=alt.X("probability:Q", title=None, scale=alt.Scale(domain=[0, 1.3]), axis=None),
        tooltip=[alt.Tooltip("class:N"), alt.Tooltip("probability:Q", format=".4%")],
    )
    bars = base.mark_bar(color=FRAMEWORK_COLOURS[framework], cornerRadiusEnd=3)
    figures = base.mark_text(align="left", dx=5, color="gray").encode(text=alt.Text("probability:Q", format=".1%"))
    return alt.LayerChart(layer=[bars, figures]).properties(height=alt.Step(22))
