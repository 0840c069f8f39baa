"""Finished runs held against each other: curves, settings that differ, test figures, images only one gets right.

show_curves(runs)
show_differing_settings(runs)
show_test_figures(runs)
show_disagreements(runs)
show_images_of_two(runs)
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.comparison import run_curves
from core.charts.runs import METRICS, curve_frame
from core.runs import FinishedRun, Run, open_store
from core.studies.comparison import differing_settings, run_labels
from core.studies.verdicts import compare_predictions
from core.training.metrics import wilson_interval
from ui.shared.error_explorer import show_differences
from ui.shared.open_dataset import open_dataset
from ui.shared.test_predictions import network_of, test_answers


def show_curves(runs: Sequence[Run]) -> None:
    """Draw loss and accuracy of all runs over one another."""
    points = {run.id: [point for _, point in open_store().curves(run.id)] for run in runs}
    frame = curve_frame(points, {run.id: run.config.framework for run in runs})
    labels = run_labels(runs)
    for column, metric in zip(st.columns(2, gap="medium"), METRICS, strict=True):
        column.altair_chart(run_curves(frame, labels, metric), key=f"compared-{metric}")


def show_differing_settings(runs: Sequence[Run]) -> None:
    """Show a row a setting in which the runs differ, a column a run."""
    st.subheader("Settings that differ")
    differing = differing_settings([run.config for run in runs])
    if not differing:
        st.info("All settings are the same.")
        return
    columns = list(run_labels(runs).values())
    values = [["–" if value is None else str(value) for value in each] for each in differing.values()]
    table = pd.DataFrame(values, columns=columns)
    table.insert(0, "Setting", list(differing))
    st.dataframe(table, hide_index=True, width="content", key="differing")


def show_test_figures(runs: Sequence[FinishedRun]) -> None:
    """Show what each run reached on the test images, with the interval of its accuracy."""
    st.subheader("On test images")
    rows = []
    labels = run_labels(runs)
    for run in runs:
        results = run.results
        low, high = wilson_interval(results.test_accuracy, int(np.sum(results.confusion)))
        rows.append(
            {
                "Run": labels[run.id],
                "Test accuracy": results.test_accuracy,
                "95% interval": f"{low:.2%} to {high:.2%}",
                "Test loss": results.test_loss,
                "Validation accuracy": results.val_accuracy,
                "Training, seconds": results.train_seconds,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="content",
        key="figures",
        column_config={
            "Test accuracy": st.column_config.NumberColumn(format="%.4f"),
            "Test loss": st.column_config.NumberColumn(format="%.4f"),
            "Validation accuracy": st.column_config.NumberColumn(format="%.4f"),
            "Training, seconds": st.column_config.NumberColumn(format="%.1f"),
        },
    )


def show_disagreements(runs: Sequence[FinishedRun]) -> None:
    """Show for each two runs how many test images only one of them gets right, and whether that is significant."""
    labels = run_labels(runs)
    rows = []
    for first, second in combinations(runs, 2):
        if first.results.fingerprint != second.results.fingerprint:
            continue
        (ones, truth), (others, _) = (test_answers(run.id, run.ended_at) for run in (first, second))
        test = compare_predictions(ones.argmax(axis=1) == truth, others.argmax(axis=1) == truth)
        rows.append(
            {
                "Run": labels[first.id],
                "Other run": labels[second.id],
                "Only the first is right": test.only_first,
                "Only the other is right": test.only_second,
                "Significance": test.in_words,
            }
        )
    if len({run.results.fingerprint for run in runs}) > 1:
        st.caption("Runs of different data have no test images in common, so they are not counted against each other.")
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="content", key="disagreements")
        st.caption(
            "Test images that only one of two runs predicts correctly, and the exact test of McNemar; "
            "it knows these two trainings, and another seed may differ otherwise."
        )


def show_images_of_two(runs: Sequence[FinishedRun]) -> None:
    """Show which test images only the one of two runs predicts correctly, or both, or none; of more, two are chosen."""
    labels = run_labels(runs)
    comparable = [
        (first, second)
        for first, second in combinations(runs, 2)
        if first.results.fingerprint == second.results.fingerprint
    ]
    if not comparable:
        return
    st.subheader("Image by image")
    chosen = comparable[0]
    if len(comparable) > 1:
        pairs = {f"{first.id}-{second.id}": (first, second) for first, second in comparable}
        chosen = pairs[
            st.selectbox(
                "Two of them",
                list(pairs),
                format_func=lambda key: " and ".join(labels[run.id] for run in pairs[key]),
                key="two-of-them",
            )
        ]
    dataset = open_dataset(chosen[0].config.dataset)
    if dataset is None:
        return
    _, truth = test_answers(chosen[0].id, chosen[0].ended_at)
    show_differences("differences", dataset, truth, *(network_of(run, labels[run.id]) for run in chosen))
