"""How far the frameworks are apart, step by step.

parity_curves(parity_frame(parities))
"""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.studies.parity import Parity

# Of Okabe and Ito's, none of which is a framework's: told apart by everyone.
_COLOURS = ("#009e73", "#cc79a7", "#e69f00")

_QUANTITIES = ("loss", "gradients", "weights")
_SMALLEST = 1e-17
"""Drawn in place of no difference at all, which a logarithm cannot show."""


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
                scale=alt.Scale(domain=list(_QUANTITIES), range=list(_COLOURS)),
                legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3),
            ),
            strokeDash=alt.StrokeDash(
                "precision:N",
                title=None,
                scale=alt.Scale(domain=["float32", "float64"], range=[[4, 3], [1, 0]]),
                legend=alt.Legend(orient="bottom", symbolType="stroke", symbolStrokeColor="#888888"),
            ),
            tooltip=["quantity:N", "precision:N", "step:Q", alt.Tooltip("difference:Q", format=".2e")],
        )
        .properties(height=340)
    )
