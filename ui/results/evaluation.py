"""What a network is worth besides its accuracy: the scores of each class, and whether it is as sure as it is right.

show_class_scores(scores, class_names)
show_confidence(run, probabilities, labels)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.confidence import reliability_diagram
from core.config import FRAMEWORK_TITLES
from core.runs import FinishedRun
from core.runs.predictions import read_predictions
from core.studies.calibration import (
    apply_temperature,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from core.training.metrics import ClassScore


def show_class_scores(scores: Sequence[ClassScore], class_names: Sequence[str]) -> None:
    """Show precision, recall and F1 of each class."""
    st.dataframe(
        pd.DataFrame(
            {
                "Class": [class_names[score.label] for score in scores],
                "Images": [score.count for score in scores],
                "Precision": [score.precision for score in scores],
                "Recall": [score.recall for score in scores],
                "F1": [score.f1 for score in scores],
            }
        ),
        hide_index=True,
        height="content",
        column_config={
            "Precision": st.column_config.NumberColumn(
                format="percent", help="Of the images predicted as this class, the share that is."
            ),
            "Recall": st.column_config.NumberColumn(
                format="percent", help="Of the images of this class, the share predicted as it."
            ),
            "F1": st.column_config.NumberColumn(format="percent", help="The harmonic mean of the two."),
        },
    )


def show_confidence(run: FinishedRun, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Show how often the network is right where it is so and so sure, and what a temperature would change.

    Args:
        probabilities: of the test images, `(N, classes)`.
        labels: their true classes, int64 `(N,)`.
    """
    bins = reliability(probabilities, labels)
    diagram, figures = st.columns([3, 2], gap="large")
    with diagram:
        st.plotly_chart(
            reliability_diagram(bins, run.config.framework),
            key="reliability",
            config={"displayModeBar": False},
            alt="Accuracy of each confidence",
        )
    with figures:
        st.metric(
            "Expected calibration error",
            f"{expected_calibration_error(bins):.2%}",
            help="By how much the confidence and the accuracy of a bar differ, on the mean over all test images.",
        )
        st.metric(
            "Brier score",
            f"{brier_score(probabilities, labels):.4f}",
            help="The mean squared error of all probabilities: 0 is perfect, 2 the worst.",
        )
        st.caption(_temperature(run.id, run.ended_at, probabilities, labels))
    st.caption(
        "A bar below the dashed line: the network is less often right than it is sure. "
        f"{FRAMEWORK_TITLES[run.config.framework]}, {len(labels):,} test images."
    )


@st.cache_data(max_entries=32)
def _temperature(run_id: str, ended_at: float | None, _probabilities: np.ndarray, _labels: np.ndarray) -> str:  # noqa: ARG001, the cache's key
    """Say which temperature the validation images ask for, and what it does to the error on the test images."""
    validated = read_predictions(run_id, "validation")
    if validated is None:
        return "No temperature: this run kept no predictions of validation images apart from the test images."
    found = fit_temperature(validated.probabilities, validated.labels)
    scaled = apply_temperature(_probabilities, found.temperature)
    error = expected_calibration_error(reliability(scaled, _labels))
    return (
        f"With the temperature of {found.temperature:.2f}, which suits the validation images best, the calibration "
        f"error on the test images would be {error:.2%}. Above 1, the network is surer than it is right."
    )
