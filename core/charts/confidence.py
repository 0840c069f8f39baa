"""Whether a network is as often right as it is sure, as a figure to look at.

reliability_diagram(reliability(probabilities, labels), "pytorch")

It is Plotly's: it stands still, so it may be built anew, and its bars tell all they count under the pointer.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.charts.runs import FRAMEWORK_COLOURS
from core.config import Framework
from core.studies.calibration import ReliabilityBin

_HEIGHT = 320


def reliability_diagram(bins: Sequence[ReliabilityBin], framework: Framework) -> go.Figure:
    """Draw the accuracy of each bin of confidence as a bar, where there are predictions, against the diagonal."""
    filled = [each for each in bins if each.accuracy is not None]
    figure = go.Figure(
        [
            go.Bar(
                x=[(each.low + each.high) / 2 for each in filled],
                y=[each.accuracy for each in filled],
                width=[each.high - each.low for each in filled],
                customdata=[(each.count, each.confidence) for each in filled],
                hovertemplate=(
                    "confidence %{customdata[1]:.1%}<br>accuracy %{y:.1%}<br>%{customdata[0]:,} images<extra></extra>"
                ),
                marker={"color": FRAMEWORK_COLOURS[framework], "line": {"width": 1, "color": "rgba(128,128,128,.6)"}},
                name="Accuracy",
            ),
            go.Scatter(
                x=[0, 1],
                y=[0, 1],
                mode="lines",
                line={"dash": "dash", "color": "gray"},
                hoverinfo="skip",
                name="As sure as right",
            ),
        ]
    )
    share = {"range": [0, 1], "tickformat": ".0%", "fixedrange": True}
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.12},
        xaxis={**share, "title": "confidence"},
        yaxis={**share, "title": "accuracy"},
    )
    return figure
