"""What a network is worth besides its accuracy: the scores of each class, and whether it is as sure as it is right.

show_class_scores(scores, class_names)
show_confidence(run, probabilities, labels)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.confidence import coverage_curve, reliability_diagram
from core.config import FRAMEWORK_TITLES
from core.inference.service import prediction_service
from core.runs import FinishedRun
from core.runs.predictions import DamagedPredictionsError, read_predictions
from core.system.paths import run_directory
from core.training import familiarity
from core.training.calibration import (
    Coverage,
    apply_temperature,
    area_under_risk,
    brier_score,
    confidences,
    coverage,
    expected_calibration_error,
    fit_temperature,
    reliability,
    surest,
)
from core.training.metrics import ClassScore
from ui.shared.data_table import show_data_table
from ui.shared.dialogs import refresh_page
from ui.shared.formatting import escape_markdown

_REFRESH_S = 1.0
_COVERAGES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.5)


def show_class_scores(scores: Sequence[ClassScore], class_names: Sequence[str]) -> None:
    """Show precision, recall and F1 of each class."""
    show_data_table(
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
    bins, curve = reliability(probabilities, labels), coverage(probabilities, labels)
    diagram, selective = st.columns(2, gap="large")
    with diagram:
        st.markdown("**Accuracy of each confidence**")
        st.plotly_chart(
            reliability_diagram(bins, run.config.framework),
            key="reliability",
            config={"displayModeBar": False},
            alt="Accuracy of each confidence",
        )
        st.caption(
            "A bar below the dashed line: the network is less often right than it is sure. "
            f"{FRAMEWORK_TITLES[run.config.framework]}, {len(labels):,} test images."
        )
        _show_scores(run, probabilities, labels)
    with selective:
        st.markdown("**Accuracy over coverage**")
        st.plotly_chart(
            coverage_curve(curve, images=len(labels), framework=run.config.framework),
            key="coverage",
            config={"displayModeBar": False},
            alt="Accuracy of the surest predictions over their share of all",
        )
        st.caption("How often it would be right if it only answered where it is surest, and left the rest to people.")
        _show_coverage(curve)
    _show_strangers(run)


def _show_scores(run: FinishedRun, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Show the figures of confidence, as the network gives it and with the temperature that suits it best."""
    columns = {"As trained": _scores(probabilities, labels)}
    try:
        temperature = _temperature(run.id, run.ended_at)
    except DamagedPredictionsError as error:
        st.warning(f"No temperature. {escape_markdown(str(error))}", icon=":material/healing:")
        temperature = None
    else:
        if temperature is None:
            said = "No temperature: this run kept no predictions of validation images apart from the test images."
        else:
            scaled = apply_temperature(probabilities, temperature)
            columns[f"With temperature {temperature:.2f}"] = _scores(scaled, labels)
            said = (
                f"The temperature of {temperature:.2f} suits the validation images best. Above 1, the network is surer "
                "than it is right. It changes no prediction. Predict and `serve` apply it unless that is switched off."
            )
        st.caption(said)
    show_data_table(pd.DataFrame(columns), width="content", key="confidence-scores")


def _scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, str]:
    bins = reliability(probabilities, labels)
    return {
        "Expected calibration error": f"{expected_calibration_error(bins):.2%}",
        "Brier score, 0 to 2": f"{brier_score(probabilities, labels):.4f}",
        "Mean confidence": f"{confidences(probabilities).mean():.2%}",
        "Accuracy": f"{(probabilities.argmax(axis=1) == labels).mean():.2%}",
    }


def _show_coverage(curve: Coverage) -> None:
    """Show how often the surest predictions are right, from all of them to the surest half."""
    chosen = [surest(curve, share) for share in _COVERAGES]
    show_data_table(
        pd.DataFrame(
            {
                "Answered": [f"{each.coverage:.1%}" for each in chosen],
                "Accuracy": [f"{each.accuracy:.2%}" for each in chosen],
                "Confidence from": [f"{each.threshold:.2%}" for each in chosen],
            }
        ),
        hide_index=True,
        width="content",
        key="coverage-figures",
    )
    st.caption(f"Mean share of errors over all coverages (AURC): {area_under_risk(curve):.4f}. 0 is perfect.")


def _show_strangers(run: FinishedRun) -> None:
    """Say how well the network tells that it does not know an image; have it measured where nobody has asked before."""
    is_known = familiarity.written_at(run_directory(run.id)) is not None
    st.fragment(_watch_strangers, run_every=None if is_known else _REFRESH_S)(run, is_known)


def _watch_strangers(run: FinishedRun, was_known: bool) -> None:
    written_at = familiarity.written_at(run_directory(run.id))
    if written_at is not None and not was_known:
        refresh_page()
    if measured := _strangers(run.id, written_at):
        st.caption(measured)
        return
    prediction_service(run.config.framework).warm(run.id)
    st.caption("How well it tells what it does not know is being measured, which takes some seconds.")


@st.cache_data(max_entries=32, show_spinner=False)
def _strangers(run_id: str, written_at: float | None) -> str | None:  # noqa: ARG001, the cache's key
    known = familiarity.read(run_directory(run_id))
    if known is None:
        return None
    measured = familiarity.Measured(*map(float, known.measured))
    return (
        f"Of made-up strangers (letters, signs, scribbles, textures, noise) {measured.strangers:.1%} are called "
        f"unfamiliar, of the test images {measured.tested:.1%}. AUROC {measured.auroc:.4f}: 1 tells all of them apart, "
        "0.5 none."
    )


@st.cache_data(max_entries=32)
def _temperature(run_id: str, ended_at: float | None) -> float | None:  # noqa: ARG001, the cache's key
    """Return the temperature that the validation images ask for; None where their predictions were not kept."""
    validated = read_predictions(run_id, "validation")
    return None if validated is None else fit_temperature(validated.probabilities, validated.labels).temperature
