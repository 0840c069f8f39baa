"""Runs, or groups of seeds, held against each other: their curves, the settings that differ, what they reached.

show_curves(groups)
show_figures(groups)
show_differing_settings(groups)
"""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.curves import Scale
from core.charts.overlay import SPLITS, Split, colours_of, overlay, overlay_frame
from core.charts.runs import METRICS, downsample
from core.config import RunConfig
from core.runs import open_store
from core.studies.comparison import differing_settings, value_of_setting
from core.studies.groups import SeedGroup
from core.training.metrics import wilson_interval
from core.training.records import StepMetrics
from ui.shared.data_table import show_data_table
from ui.shared.formatting import column_names

_FIGURES: Mapping[str, tuple[str, str]] = {
    "Test accuracy": ("test_accuracy", ".2%"),
    "Test loss": ("test_loss", ".4f"),
    "Validation accuracy": ("val_accuracy", ".2%"),
    "Training, seconds": ("train_seconds", ".1f"),
    "Images per second": ("images_per_second", ",.0f"),
}
_EACH = "Each its own"


def show_curves(groups: Sequence[SeedGroup]) -> None:
    """Draw loss and accuracy of all over one another, coloured by what the user chooses."""
    epochs = max(run.config.epochs for group in groups for run in group.runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split: Split = st.segmented_control(
            "Curves",
            list(SPLITS),
            default="train" if epochs < 3 else "validation",
            required=True,
            format_func=SPLITS.__getitem__,
            key="curves-of",
        )
        scale = st.segmented_control(
            "Vertical axis",
            get_args(Scale),
            default="last 80 %",
            required=True,
            format_func=str.capitalize,
            key="compared-scale",
        )
        colour = _choose_colour(groups)
    points = {group.label: [_points(run.id, run.ended_at) for run in group.runs] for group in groups}
    colours = colours_of(groups, colour)
    for column, metric in zip(st.columns(2, gap="medium"), METRICS, strict=True):
        frame = overlay_frame(points, metric, split)
        column.altair_chart(overlay(frame, metric, scale, colours, epochs=epochs), key=f"compared-{metric}")
    if any(len(group.runs) > 1 for group in groups):
        st.caption("Lines are the mean over the seeds; bands are one standard deviation of single runs around it.")


def _choose_colour(groups: Sequence[SeedGroup]) -> str | None:
    """Offer the settings that differ, and return the field whose values have a colour each; None for each its own."""
    titles = {str(field.title): name for name, field in RunConfig.model_fields.items()}
    differing = [titles[title] for title in differing_settings([group.runs[0].config for group in groups])]
    if len(differing) < 2 and differing != ["framework"]:
        return None
    named = {name: str(RunConfig.model_fields[name].title) for name in differing}
    options = {_EACH: None, **{title: name for name, title in named.items()}}
    if len(differing) == 1:
        return "framework"
    return options[st.selectbox("Colour by", list(options), key="coloured-by", width=200)]


@st.cache_data(max_entries=256, show_spinner=False)
def _points(run_id: str, ended_at: float) -> list[StepMetrics]:  # noqa: ARG001, the cache's key
    """Return the curves of a finished run as far as a screen can show them."""
    measured = [point for _, point in open_store().curves(run_id)]
    return [point for split in SPLITS for point in downsample([point for point in measured if point.split == split])]


def show_differing_settings(groups: Sequence[SeedGroup]) -> None:
    """Show a row a setting in which they differ, a column each."""
    st.subheader("Settings that differ")
    differing = differing_settings([group.runs[0].config for group in groups])
    if all(len(group.runs) > 1 for group in groups):
        differing.pop("Seed", None)
    if not differing:
        st.caption("None: all settings are the same.")
        return
    values = [[value_of_setting(value) for value in each] for each in differing.values()]
    columns = column_names((group.label for group in groups), beside=["Setting"])
    table = pd.DataFrame(values, columns=columns)
    table.insert(0, "Setting", list(differing))
    show_data_table(table, hide_index=True, width="content", key="differing")


def show_figures(groups: Sequence[SeedGroup]) -> None:
    """Show what each reached on the test images, the most accurate first, the best by validation marked."""
    st.subheader("On test images")
    best = max(groups, key=lambda group: group.spread("val_accuracy").mean)
    rows = []
    for group in sorted(groups, key=lambda group: -group.spread("test_accuracy").mean):
        row = {"Run": group.label, "Best by validation": "★" if group is best else "", "Seeds": len(group.runs)}
        row |= {title: group.spread(name).in_words(form) for title, (name, form) in _FIGURES.items()}
        row["Parameters"] = f"{group.runs[0].results.parameters:,}"
        if len(group.runs) == 1:
            results = group.runs[0].results
            low, high = wilson_interval(results.test_accuracy, int(np.sum(results.confusion)))
            row["95% interval"] = f"{low:.2%} to {high:.2%}"
        rows.append(row)
    show_data_table(pd.DataFrame(rows), hide_index=True, width="content", key="figures", placeholder="")
    if max(len(group.runs) for group in groups) > 1:
        st.caption(_what_the_spread_is(min(len(group.runs) for group in groups)))


def _what_the_spread_is(seeds: int) -> str:
    told = "Figures after ± are one standard deviation of single runs around the mean of the seeds."
    return told if seeds >= 5 else f"{told} From {seeds} seed{'' if seeds == 1 else 's'} it is known only roughly."
