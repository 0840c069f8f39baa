"""What each network looked at in an image, with how much two of them agree; worked out when it is asked for.

    show_explanations([Explained(run.id, run.config.framework, "Keras", pixels, label)], class_names, key="answers")

The prediction service's processes explain, so the dashboard's own imports no framework.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import streamlit as st

from core.config import FRAMEWORK_TITLES, Framework
from core.inference.explanations import METHODS, agreement, layers_to_look_at, overlay
from core.inference.service import NoAnswerError, prediction_service
from core.system.paths import run_directory
from core.training import checkpoints
from ui.shared.formatting import escape_markdown
from ui.shared.picture import show_picture


class Explained(NamedTuple):
    """What a network saw, uint8 `(H, W, C)`, and the number of the class that it predicted.

    epoch: whose weights predicted; None for those that the run was tested with.
    """

    run_id: str
    framework: Framework
    title: str
    pixels: np.ndarray
    predicted: int
    epoch: int | None = None


def show_explanations(seen: Sequence[Explained], class_names: Sequence[str], key: str) -> None:
    """Offer what each network looked at, side by side."""
    folded = st.expander(
        "What the network looked at", icon=":material/visibility:", key=f"{key}-explained", on_change="rerun"
    )
    if not seen or not folded.open:
        return
    with folded:
        try:
            layers = _layers(seen[0].run_id)
        except ValueError as error:
            st.warning(escape_markdown(str(error)))
            return
        usable = [name for name, method in METHODS.items() if layers or not method.needs_layer]
        with st.container(horizontal=True, gap="medium"):
            method = METHODS[
                st.selectbox(
                    "Method", usable, format_func=lambda name: METHODS[name].title, key=f"{key}-method", width=240
                )
            ]
            layer = (
                st.selectbox("Layer", layers, index=len(layers) - 1, key=f"{key}-layer", width=240)
                if method.needs_layer
                else None
            )
            asked = st.selectbox(
                "Class",
                [None, *range(len(class_names))],
                format_func=lambda label: "The predicted one" if label is None else class_names[label],
                key=f"{key}-class",
                width=240,
            )
        against = ", purple against it" if method.is_signed else ""
        st.caption(f"{method.description} Orange speaks for the class{against}.")
        shown = []
        with st.container(horizontal=True, gap="medium"):
            for each in seen:
                label = each.predicted if asked is None else asked
                try:
                    values = _explain(each, method.name, label, layer)
                except (NoAnswerError, ValueError) as error:
                    st.warning(escape_markdown(str(error)))
                    continue
                shown.append(values)
                title = f"{each.title}: why {class_names[label]}"
                with st.container(width=280, gap="xsmall"):
                    show_picture(overlay(each.pixels, values, 560), alt=title, width=280)
                    st.caption(escape_markdown(title))
        for values, others in combinations(shown, 2):
            if values.shape == others.shape:
                _show_agreement(values, others)


def _explain(each: Explained, method: str, label: int, layer: str | None) -> np.ndarray:
    with st.spinner(f"Explaining. The first time, {FRAMEWORK_TITLES[each.framework]} takes a few seconds to start."):
        return prediction_service(each.framework).explain(
            *(each.run_id, each.pixels, method, label),
            layer=layer if layer in _layers(each.run_id) else None,
            epoch=each.epoch,
        )


def _show_agreement(values: np.ndarray, others: np.ndarray) -> None:
    correlation, overlap = agreement(values, others)
    rank = "not defined, as one says the same of every pixel" if np.isnan(correlation) else f"{correlation:.2f}"
    st.markdown(
        f"The two explanations: rank correlation **{rank}**; **{overlap:.0%}** of the tenth of the pixels that matters "
        "most is the same."
    )


@st.cache_data(max_entries=100, show_spinner=False)
def _layers(run_id: str) -> list[str]:
    return layers_to_look_at(checkpoints.load(run_directory(run_id)).description)
