"""Figures that hold runs and frameworks against each other.

run_curves(curve_frame(points, frameworks), run_labels(runs), "loss")
parity_curves(parity_frame(parities))
"""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.charts import Metric
from core.parity import Parity

# Okabe and Ito's colours, those of the two frameworks first: told apart by everyone.
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MOST_RUNS = len(_COLOURS)
"""More curves than this cannot be told apart by their colours."""

_QUANTITIES = ("loss", "gradients", "weights")
_SMALLEST = 1e-17
"""Drawn in place of no difference at all, which a logarithm cannot show."""


def run_curves(frame: pd.DataFrame, labels: Mapping[str, str], metric: Metric) -> alt.Chart:
    """Draw a metric of several runs over the epochs: the run as colour, training dashed, validation solid.

    Args:
        frame: of `core.charts.curve_frame`.
        labels: the name of each run by its id.
    """
    named = frame.assign(name=frame["run"].map(labels))
    colours = alt.Scale(domain=list(labels.values()), range=list(_COLOURS[: len(labels)]))
    legend = alt.Legend(orient="top", columns=2, labelLimit=320, symbolType="stroke", symbolStrokeWidth=3)
    return (
        alt.Chart(named)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch", scale=alt.Scale(nice=False), axis=alt.Axis(format=".6~g", grid=False)),
            y=alt.Y(
                f"{metric}:Q",
                title=metric,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(format="%" if metric == "accuracy" else "~g", tickCount=6),
            ),
            color=alt.Color("name:N", title=None, scale=colours, legend=legend),
            strokeDash=alt.StrokeDash(
                "part:N",
                title=None,
                scale=alt.Scale(domain=["training", "validation"], range=[[4, 3], [1, 0]]),
                legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeColor="#888888"),
            ),
            detail="run:N",
            tooltip=[
                alt.Tooltip("name:N", title="run"),
                alt.Tooltip("part:N"),
                alt.Tooltip("epoch:Q", format=".2f"),
                alt.Tooltip("loss:Q", format=".4f"),
                alt.Tooltip("accuracy:Q", format=".2%"),
            ],
        )
        .properties(height=320)
    )


def parity_frame(parities: Sequence[Parity]) -> pd.DataFrame:
    """Gather measurements for `parity_curves`: columns `step`, `quantity`, `precision`, `difference`."""
    rows = [
        (step.step, name, parity.precision, max(difference, _SMALLEST))
        for parity in parities
        for step in parity.steps
        for name in _QUANTITIES
        if (difference := getattr(step, name)) is not None
    ]
    return pd.DataFrame(rows, columns=["step", "quantity", "precision", "difference"])


def parity_curves(frame: pd.DataFrame) -> alt.Chart:
    """Draw how far the frameworks are apart at each step, on a logarithmic scale."""
    return (
        alt.Chart(frame)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("step:Q", title="step", scale=alt.Scale(nice=False), axis=alt.Axis(format="d", grid=False)),
            y=alt.Y(
                "difference:Q",
                title="relative difference",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format=".0e", tickCount=8),
            ),
            color=alt.Color(
                "quantity:N",
                title=None,
                scale=alt.Scale(domain=list(_QUANTITIES), range=list(_COLOURS[: len(_QUANTITIES)])),
                legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3),
            ),
            strokeDash=alt.StrokeDash(
                "precision:N",
                title=None,
                scale=alt.Scale(domain=["float32", "float64"], range=[[4, 3], [1, 0]]),
                legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeColor="#888888"),
            ),
            tooltip=["quantity:N", "precision:N", "step:Q", alt.Tooltip("difference:Q", format=".2e")],
        )
        .properties(height=340)
    )
