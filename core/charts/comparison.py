"""Figures that hold runs and frameworks against each other.

run_curves(curve_frame(points, frameworks), run_labels(runs), "loss")
seed_bands(seed_frame(epochs, frameworks), "accuracy")
parity_curves(parity_frame(parities))
"""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.charts.runs import FRAMEWORK_COLOURS, Metric
from core.config import FRAMEWORK_TITLES, Framework
from core.studies.comparison import mean_std
from core.studies.parity import Parity
from core.training.records import Epoch

# Okabe and Ito's colours, those of the two frameworks first: told apart by everyone.
# Not beside the legend of colours, where names of networks would leave it no room.
_DASHES = alt.Legend(orient="bottom", symbolType="stroke", symbolStrokeColor="#888888")

_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MOST_RUNS = len(_COLOURS)
"""More curves than this cannot be told apart by their colours."""

_QUANTITIES = ("loss", "gradients", "weights")
_MOST_DOTS = 40
_SMALLEST = 1e-17
"""Drawn in place of no difference at all, which a logarithm cannot show."""


def run_curves(frame: pd.DataFrame, labels: Mapping[str, str], metric: Metric) -> alt.Chart:
    """Draw a metric of several runs over the epochs: the run as colour, training dashed, validation solid.

    Args:
        frame: of `core.charts.runs.curve_frame`.
        labels: the name of each run by its id.
    """
    named = frame.assign(name=frame["run"].map(labels))
    colours = alt.Scale(domain=list(labels.values()), range=list(_COLOURS[: len(labels)]))
    legend = alt.Legend(orient="top", columns=2, labelLimit=320, symbolType="stroke", symbolStrokeWidth=3)
    return (
        alt.Chart(named)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X(
                "epoch:Q",
                title="epoch",
                scale=alt.Scale(zero=True, nice=False, padding=6),
                axis=alt.Axis(format=".6~g", grid=False),
            ),
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
                legend=_DASHES,
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


def seed_frame(epochs: Mapping[str, Sequence[Epoch]], frameworks: Mapping[str, Framework]) -> pd.DataFrame:
    """Gather the validation figures of runs that differ by their seed, for `seed_bands`.

    Args:
        epochs: the records of each run by its id.
        frameworks: the framework of each run by its id.

    Returns:
        Columns `framework`, `epoch`, `seeds`, and for each metric its `mean`, `low` and `high`, such as `loss_low`:
        one standard deviation from the mean. A row an epoch that every run of a framework has validated.
    """
    rows = []
    for framework, title in FRAMEWORK_TITLES.items():
        runs = [
            {epoch.epoch: epoch for epoch in epochs[run_id] if epoch.val_loss is not None}
            for run_id, name in frameworks.items()
            if name == framework
        ]
        for number in sorted(set.intersection(*map(set, runs))) if runs else []:
            spreads = {
                "loss": mean_std([loss for run in runs if (loss := run[number].val_loss) is not None]),
                "accuracy": mean_std([share for run in runs if (share := run[number].val_accuracy) is not None]),
            }
            bands = [
                figure
                for each in spreads.values()
                for figure in (each.mean, each.mean - (each.deviation or 0), each.mean + (each.deviation or 0))
            ]
            rows.append((title, number, len(runs), *bands))
    columns = [f"{metric}_{end}" for metric in ("loss", "accuracy") for end in ("mean", "low", "high")]
    return pd.DataFrame(rows, columns=["framework", "epoch", "seeds", *columns])


def seed_bands(frame: pd.DataFrame, metric: Metric) -> alt.LayerChart:
    """Draw the mean of a validation metric over seeds and a standard deviation around it, the framework as colour.

    Args:
        frame: of `seed_frame`.
    """
    form = "%" if metric == "accuracy" else "~g"
    base = alt.Chart(frame).encode(
        x=alt.X(
            "epoch:Q",
            title="epoch",
            scale=alt.Scale(zero=True, nice=False, padding=6),
            axis=alt.Axis(format=".6~g", grid=False),
        ),
        color=alt.Color(
            "framework:N",
            title=None,
            scale=alt.Scale(
                domain=[FRAMEWORK_TITLES[name] for name in FRAMEWORK_COLOURS], range=list(FRAMEWORK_COLOURS.values())
            ),
            legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1),
        ),
        tooltip=[
            alt.Tooltip("framework:N"),
            alt.Tooltip("epoch:Q"),
            alt.Tooltip("seeds:Q"),
            *(
                alt.Tooltip(f"{metric}_{end}:Q", title=title, format=".2%" if metric == "accuracy" else ".4f")
                for end, title in (("mean", "mean"), ("low", "mean − deviation"), ("high", "mean + deviation"))
            ),
        ],
    )
    values = alt.Y(
        f"{metric}_low:Q",
        title=f"validation {metric}",
        scale=alt.Scale(zero=False),
        axis=alt.Axis(format=form, tickCount=6),
    )
    bands = base.mark_area(opacity=0.2).encode(y=values, y2=f"{metric}_high:Q")
    lines = base.mark_line(strokeWidth=2, point=len(frame) < _MOST_DOTS).encode(y=f"{metric}_mean:Q")
    return alt.LayerChart(layer=[bands, lines]).properties(height=320)


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
                legend=_DASHES,
            ),
            tooltip=["quantity:N", "precision:N", "step:Q", alt.Tooltip("difference:Q", format=".2e")],
        )
        .properties(height=340)
    )
