"""Two against each other on the test images: who is right on which, by what their errors differ, and class by class.

show_two(first, second)
"""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.charts.class_differences import class_difference_chart
from core.datasets import Dataset
from core.runs import FinishedRun
from core.studies.class_differences import ClassDifference, class_differences, paired_class_differences
from core.studies.groups import SeedGroup
from ui.shared.data_table import show_data_table
from ui.shared.error_explorer import show_differences
from ui.shared.formatting import column_names, escape_markdown
from ui.shared.open_dataset import open_dataset_of
from ui.shared.test_predictions import network_of, test_answers, with_test_predictions

_MOST_CLASSES = 30
_COLUMNS = ("Class", "Test images", "Difference, points", "95% interval", "p", "Significant")
"""Of the table of classes, besides those of the two."""


def show_two(first: SeedGroup, second: SeedGroup) -> None:
    """Show the images of one run of each, and the classes of all."""
    if first.fingerprint != second.fingerprint:
        return
    runs = _choose_seed(first, second)
    if runs is None:
        return
    whole = with_test_predictions(runs)
    dataset = open_dataset_of(runs[0])
    if dataset is None or len(whole) < 2:
        return
    labels = first.label, second.label
    _, truth = test_answers(whole[0].id, whole[0].ended_at)
    show_differences(
        *("differences", dataset, truth),
        *(network_of(run, label) for run, label in zip(whole, labels, strict=True)),
    )
    _show_classes(first, second, dataset)


def _choose_seed(first: SeedGroup, second: SeedGroup) -> tuple[FinishedRun, FinishedRun] | None:
    """Let the seed be chosen whose runs are looked at; where they share none, the first ones are."""
    st.subheader("Image by image")
    ones, others = ({run.config.seed: run for run in group.runs} for group in (first, second))
    seeds = sorted(ones.keys() & others.keys())
    if not seeds:
        return first.runs[0], second.runs[0]
    seed = seeds[0]
    if len(seeds) > 1:
        seed = st.segmented_control("Seed", seeds, default=seeds[0], required=True, key="seed-of-two")
    return ones[seed], others[seed]


def _show_classes(first: SeedGroup, second: SeedGroup, dataset: Dataset) -> None:
    """Show by how much more of each class the second predicts correctly, the classes that differ most first."""
    st.subheader("Class by class")
    rows = _differences(first, second, len(dataset.class_names))
    names = dataset.class_names
    shown = sorted(rows, key=lambda row: -abs(row.difference))[:_MOST_CLASSES]
    st.altair_chart(class_difference_chart(shown, names), key="class-differences")
    st.caption(_in_words(rows, first, second, names))
    with st.expander("As a table", icon=":material/table:"):
        show_data_table(_table(rows, first, second, names), hide_index=True, key="class-table", placeholder="–")


def _differences(first: SeedGroup, second: SeedGroup, classes: int) -> list[ClassDifference]:
    if len(first.runs) > 1 or len(second.runs) > 1:
        matrices = [[run.results.confusion for run in group.runs] for group in (first, second)]
        return class_differences(*matrices)
    (ones, truth), (others, _) = (test_answers(group.runs[0].id, group.runs[0].ended_at) for group in (first, second))
    return paired_class_differences(ones.argmax(axis=1) == truth, others.argmax(axis=1) == truth, truth, classes)


def _in_words(rows: Sequence[ClassDifference], first: SeedGroup, second: SeedGroup, names: Sequence[str]) -> str:
    one, other = (escape_markdown(group.label) for group in (first, second))
    told = f"Share of each class that {other} predicts correctly, less that of {one}, with 95% intervals"
    told += " over the seeds. " if len(first.runs) > 1 and len(second.runs) > 1 else ". "
    if all(math.isnan(row.low) for row in rows):
        return f"{told}With one seed of either there is no interval."
    significant = [escape_markdown(names[row.label]) for row in rows if row.significant]
    if significant:
        return f"{told}Significant at 5% among all {len(rows)} classes (Holm): {', '.join(significant)}."
    return f"{told}None is significant at 5% among all {len(rows)} classes (Holm)."


def _table(rows: Sequence[ClassDifference], first: SeedGroup, second: SeedGroup, names: Sequence[str]) -> pd.DataFrame:
    one, other = column_names((first.label, second.label), beside=_COLUMNS)
    return pd.DataFrame(
        {
            "Class": names[row.label],
            "Test images": row.images,
            one: f"{row.first:.2%}",
            other: f"{row.second:.2%}",
            "Difference, points": f"{100 * row.difference:+z.2f}",
            "95% interval": "–" if math.isnan(row.low) else f"{100 * row.low:+z.2f} to {100 * row.high:+z.2f}",
            "p": row.p_value,
            "Significant": "yes" if row.significant else "",
        }
        for row in rows
    )
