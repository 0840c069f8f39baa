"""Differences of two, class by class, as dots with their intervals.

class_difference_chart(core.studies.class_differences.class_differences(…), dataset.class_names)
"""

import math
from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.studies.class_differences import ClassDifference

# None of them is a framework's, whose difference this may be.
_SIGNIFICANT, _NOT = "#cc79a7", "#888888"


def class_difference_chart(rows: Sequence[ClassDifference], class_names: Sequence[str]) -> alt.LayerChart:
    """Draw a dot a class in the order that they come in, right of zero where the second is better."""
    frame = pd.DataFrame(
        [
            (
                class_names[row.label],
                100 * row.difference,
                100 * (row.difference if math.isnan(row.low) else row.low),
                100 * (row.difference if math.isnan(row.high) else row.high),
                row.images,
                "significant" if row.significant else "not significant",
            )
            for row in rows
        ],
        columns=["class", "difference", "low", "high", "images", "significance"],
    )
    x = alt.Axis(format="+~g", grid=True, tickCount=7)
    base = alt.Chart(frame).encode(
        y=alt.Y("class:N", title=None, sort=None),
        color=alt.Color(
            "significance:N",
            title=None,
            scale=alt.Scale(domain=["significant", "not significant"], range=[_SIGNIFICANT, _NOT]),
            legend=alt.Legend(orient="top"),
        ),
        tooltip=[
            alt.Tooltip("class:N"),
            alt.Tooltip("difference:Q", title="points", format="+.2f"),
            alt.Tooltip("low:Q", title="95% from", format="+.2f"),
            alt.Tooltip("high:Q", title="95% to", format="+.2f"),
            alt.Tooltip("images:Q"),
            alt.Tooltip("significance:N"),
        ],
    )
    title = "difference, percentage points of the class"
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title, axis=x), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("difference:Q", title=title, axis=x))
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color="#888888", strokeDash=[3, 3]).encode(x="zero:Q")
    return alt.LayerChart(layer=[zero, bars, dots]).properties(height=alt.Step(22))
