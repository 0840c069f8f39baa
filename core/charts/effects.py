"""A setting against its effect, and accuracy against cost.

effect_chart(effect_frame(family, "batch_size", "test_accuracy"), "Batch size", "Test accuracy", form=".2%")
pareto_chart(pareto_frame(points), "Training, seconds")
"""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.charts.runs import FRAMEWORK_COLOURS
from core.config import FRAMEWORK_TITLES
from core.studies.comparison import mean_std, value_of_setting
from core.studies.effects import Family, pareto_front
from core.studies.groups import setting_in_label

_GREEN, _GREY = "#009e73", "#888888"
_WIDE = 8
"""Numbers of which the greatest is so many times the least are drawn on a logarithmic scale."""

_THOUSAND = 1000

_COLOUR = alt.Color(
    "framework:N",
    title=None,
    scale=alt.Scale(domain=list(FRAMEWORK_TITLES.values()), range=list(FRAMEWORK_COLOURS.values())),
    legend=alt.Legend(orient="top", symbolType="circle", symbolDash=[1, 0], symbolOpacity=1),
)


def effect_frame(family: Family, setting: str, metric: str) -> pd.DataFrame:
    """Return a row a framework and value of the setting: the mean of a metric over the seeds, and its deviation.

    Returns:
        Columns `framework`, `value`, the number, or where it is none `words`, `mean`, `low`, `high`, `seeds`.
    """
    rows = []
    for framework, title in FRAMEWORK_TITLES.items():
        for value in family.values:
            figures = [
                figure
                for run in family.runs
                if run.settings["framework"] == framework and run.settings[setting] == value
                if (figure := run.figures[metric]) is not None
            ]
            if figures:
                spread = mean_std(figures)
                words = value_of_setting(value) if type(value) in (int, float) else _in_words(setting, value, family)
                deviation = spread.deviation or 0.0
                bounds = spread.mean - deviation, spread.mean + deviation
                rows.append((title, value, words, spread.mean, *bounds, spread.count))
    return pd.DataFrame(rows, columns=["framework", "value", "words", "mean", "low", "high", "seeds"])


def _in_words(setting: str, value: object, family: Family) -> str:
    return setting_in_label(setting, {**family.shared, setting: value}) or value_of_setting(value)


def effect_chart(frame: pd.DataFrame, setting_title: str, metric_title: str, *, form: str) -> alt.LayerChart:
    """Draw `effect_frame`: the mean as joined dots, one standard deviation as a bar, the framework as colour."""
    numbers = all(type(value) in (int, float) for value in frame["value"])
    if numbers:
        low, high = frame["value"].min(), frame["value"].max()
        scale = alt.Scale(
            type="log" if low > 0 and high / low >= _WIDE else "linear", nice=False, padding=20, zero=False
        )
        # Each value has its tick, so that 32, 64 and 256 stand there and not 100.
        axis = alt.Axis(values=sorted(set(frame["value"])), format="~g", grid=False, labelOverlap=True)
        x: alt.X = alt.X("value:Q", title=setting_title, scale=scale, axis=axis)
    else:
        x = alt.X("words:N", title=setting_title, sort=list(dict.fromkeys(frame["words"])), axis=alt.Axis(labelAngle=0))
    shown = frame.assign(value=frame["value"] if numbers else frame["words"])
    base = alt.Chart(shown).encode(
        x=x,
        color=_COLOUR,
        tooltip=[
            alt.Tooltip("framework:N"),
            alt.Tooltip("words:N", title=setting_title),
            alt.Tooltip("mean:Q", title=metric_title, format=form),
            alt.Tooltip("low:Q", title="mean − deviation", format=form),
            alt.Tooltip("high:Q", title="mean + deviation", format=form),
            alt.Tooltip("seeds:Q"),
        ],
    )
    axis = alt.Axis(format=".2~%" if form.endswith("%") else "~s", tickCount=6)
    bars = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        y=alt.Y("low:Q", title=metric_title, scale=alt.Scale(zero=False), axis=axis), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=2, point={"filled": True, "size": 60}).encode(
        y=alt.Y("mean:Q", title=metric_title, scale=alt.Scale(zero=False), axis=axis),
        strokeDash=alt.StrokeDash(
            "framework:N",
            legend=None,
            scale=alt.Scale(domain=list(FRAMEWORK_TITLES.values()), range=[[1, 0], [6, 4]]),
        ),
    )
    return alt.LayerChart(layer=[bars, line]).properties(height=340)


def pareto_frame(points: Sequence[tuple[str, str, float, float, int]]) -> pd.DataFrame:
    """Return points, (label, framework's title, cost, accuracy, seeds), with whether each is on the Pareto front."""
    frame = pd.DataFrame(points, columns=["label", "framework", "cost", "accuracy", "seeds"])
    front = set(pareto_front(list(zip(frame["cost"], frame["accuracy"], strict=True))))
    return frame.assign(front=[place in front for place in range(len(frame))])


def pareto_chart(frame: pd.DataFrame, cost_title: str) -> alt.LayerChart:
    """Draw `pareto_frame`: a dot each, the front as a line of steps with its labels."""
    wide = len(frame) and frame["cost"].min() > 0 and frame["cost"].max() / frame["cost"].min() >= _WIDE
    x = alt.X(
        "cost:Q",
        title=cost_title,
        scale=alt.Scale(type="log" if wide else "linear", zero=False, padding=20),
        axis=alt.Axis(
            format="~s" if len(frame) and frame["cost"].min() >= _THOUSAND else "~g", tickCount=6, grid=False
        ),
    )
    y = alt.Y(
        "accuracy:Q", title="test accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".2~%", tickCount=6)
    )
    tooltip = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("framework:N"),
        alt.Tooltip("cost:Q", title=cost_title, format=",.4~g"),
        alt.Tooltip("accuracy:Q", format=".2%"),
        alt.Tooltip("seeds:Q"),
        alt.Tooltip("front:N", title="on the front"),
    ]
    front = frame[frame["front"]]
    steps = alt.Chart(front).mark_line(interpolate="step-after", color=_GREY, strokeDash=[4, 3]).encode(x=x, y=y)
    dots = (
        alt.Chart(frame)
        .mark_point(filled=True)
        .encode(
            x=x,
            y=y,
            color=_COLOUR,
            opacity=alt.condition("datum.front", alt.value(1), alt.value(0.45)),
            size=alt.condition("datum.front", alt.value(110), alt.value(45)),
            tooltip=tooltip,
        )
    )
    rings = (
        alt.Chart(front)
        .mark_point(filled=False, size=220, color=_GREEN, strokeWidth=2)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    return alt.LayerChart(layer=[steps, rings, dots]).properties(height=340)
