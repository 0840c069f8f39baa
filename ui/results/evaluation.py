"""Scores of each class.

show_class_scores(scores, class_names)
"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

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
