"""Where a network errs: scores of each class, the most confused pairs, the worst mistakes as images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.runs import probability_bars
from core.config import Framework
from core.datasets import Dataset
from core.datasets.inspection.gallery import enlarge
from core.training.metrics import ClassScore, ConfusedPair, Misclassification
from ui.shared.formatting import escape_markdown
from ui.shared.sprite_grid import sprite_grid


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
                format="percent", help="Of the images read as this class, the share that is."
            ),
            "Recall": st.column_config.NumberColumn(
                format="percent", help="Of the images of this class, the share read as it."
            ),
            "F1": st.column_config.NumberColumn(format="percent", help="The harmonic mean of the two."),
        },
    )


def show_confused_pairs(pairs: Sequence[ConfusedPair], class_names: Sequence[str]) -> None:
    """Show which classes are most often taken for which."""
    st.markdown("**Most confused**")
    if not pairs:
        st.success("No mistakes on the test images.")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "True class": [class_names[pair.label] for pair in pairs],
                "Read as": [class_names[pair.predicted] for pair in pairs],
                "Images": [pair.count for pair in pairs],
                "Share of class": [pair.share for pair in pairs],
            }
        ),
        hide_index=True,
        height="content",
        column_config={"Share of class": st.column_config.NumberColumn(format="percent")},
    )


@st.fragment
def show_confident_errors(
    mistakes: Sequence[Misclassification], probabilities: np.ndarray, dataset: Dataset, framework: Framework
) -> None:
    """Show the images read wrongly with the greatest certainty; a picked one large, with its probabilities."""
    if not mistakes:
        return
    names = dataset.class_names
    st.caption("The wrong answers given with the greatest certainty. Pick one to see it large.")
    picked = min(st.session_state.get("picked-mistake", 0), len(mistakes) - 1)
    images = dataset.test.images[[mistake.index for mistake in mistakes]]
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=596):
            sprite_grid(
                "mistakes",
                images,
                columns=10,
                names=[f"{names[mistake.label]} read as {names[mistake.predicted]}" for mistake in mistakes],
                picked=picked,
                on_pick=lambda position: st.session_state.update({"picked-mistake": position}),
                title="Most confident errors",
            )
        mistake = mistakes[picked]
        with st.container(width=220):
            st.image(enlarge(images[picked], 220), output_format="PNG", alt="The picked image, enlarged")
            st.markdown(
                f"**{escape_markdown(names[mistake.label])}** read as **{escape_markdown(names[mistake.predicted])}**, "
                f"{mistake.probability:.1%} sure (test image {mistake.index:,})"
            )
        with st.container(width=230):
            st.altair_chart(probability_bars(probabilities[mistake.index], names, framework), key="mistake-bars")
