"""Whether a network is as often right as it is sure, as figures to look at.

reliability_diagram(reliability(probabilities, labels), "pytorch")
coverage_curve(coverage(probabilities, labels), images=len(labels), framework="pytorch")

They are Plotly's: they stand still, so they may be built anew, and tell all they count under the pointer.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.runs import FRAMEWORK_COLOURS
from core.config import Framework
from core.training.calibration import Coverage, ReliabilityBin
from core.training.metrics import wilson_interval

_HEIGHT = 320
_MOST_POINTS = 400


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


def coverage_curve(curve: Coverage, *, images: int, framework: Framework) -> go.Figure:
    """Draw the accuracy of the surest predictions over their share of all, with its 95 % interval.

    Args:
        curve: of `core.training.calibration.coverage`.
        images: of which 1 is the share.
    """
    places = np.unique(np.linspace(0, len(curve.coverage) - 1, _MOST_POINTS).astype(int))
    shares, accuracies, thresholds = (values[places] for values in curve)
    bounds = [
        wilson_interval(accuracy, round(share * images)) for share, accuracy in zip(shares, accuracies, strict=True)
    ]
    low, high = (list(values) for values in zip(*bounds, strict=True))
    colour = FRAMEWORK_COLOURS[framework]
    figure = go.Figure(
        [
            go.Scatter(x=shares, y=low, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False),
            go.Scatter(
                x=shares,
                y=high,
                mode="lines",
                line={"width": 0},
                fill="tonexty",
                fillcolor="rgba(128,128,128,.25)",
                hoverinfo="skip",
                name="95% interval",
            ),
            go.Scatter(
                x=shares,
                y=accuracies,
                mode="lines",
                line={"color": colour},
                customdata=thresholds,
                hovertemplate=(
                    "the surest %{x:.1%}<br>accuracy %{y:.2%}<br>confidence from %{customdata:.1%}<extra></extra>"
                ),
                name="Accuracy",
            ),
        ]
    )
    # The interval of a handful of predictions is wide, and says nothing of the others.
    lowest = min(accuracies[shares >= 0.05].min(initial=1.0), low[-1])
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.12},
        xaxis={"range": [0, 1], "tickformat": ".0%", "fixedrange": True, "title": "coverage, the surest first"},
        yaxis={
            "range": [lowest - 0.1 * (1 - lowest) - 1e-4, 1 + 0.02 * (1 - lowest) + 1e-4],
            "tickformat": ".1%",
            "fixedrange": True,
            "title": "accuracy",
        },
    )
    return figure
