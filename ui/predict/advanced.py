"""What can be chosen on Predict besides network and image, folded away: all has a value that suits most.

chosen = choose_advanced(run, done)
chosen.adjustments, chosen.more, chosen.pen
"""

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from core.inference.preprocessing import AUTOMATIC, Adjustments
from core.runs import FinishedRun
from core.system.paths import run_directory
from core.training.checkpoints import epochs_with_weights
from ui.predict.canvas import PEN

_MOST_NETWORKS = 3

_INK = {"Find out": None, "Dark on light": False, "Light on dark": True}


class Advanced(NamedTuple):
    """What was chosen.

    Attributes:
        adjustments: how images are prepared.
        more: further networks that predict the same.
        is_calibrated: whether probabilities are those at the temperature that suits the validation images.
        pen: the width of the pen as a share of the pad's side.
        epoch: whose weights predict; None for those that each run was tested with.
    """

    adjustments: Adjustments
    more: list[FinishedRun]
    is_calibrated: bool
    pen: float
    epoch: int | None = None

    def epoch_of(self, run: FinishedRun) -> int | None:
        """Return the epoch whose weights of a run predict; None for those that it was tested with."""
        return self.epoch if self.epoch in epochs_with_weights(run_directory(run.id))[:-1] else None


def choose_advanced(run: FinishedRun, done: Sequence[FinishedRun]) -> Advanced:
    """Show what can be chosen, and return it."""
    others = {other.id: other for other in done if other.config.dataset == run.config.dataset and other.id != run.id}
    with st.expander("Advanced", icon=":material/tune:"):
        networks, preparation = st.columns(2, gap="large")
        with networks:
            more = st.multiselect(
                "Further networks, side by side",
                list(others),
                format_func=lambda run_id: f"{others[run_id].title} · {run_id}",
                max_selections=_MOST_NETWORKS,
                key="more",
                disabled=not others,
            )
            is_calibrated = st.toggle(
                "Calibrated probabilities",
                value=True,
                key="calibrated",
                help="At the temperature that suits the validation images best, so that of what is predicted with "
                "90% about nine in ten are right. Without: the network's own.",
            )
            pen = st.slider("Pen width", 2, 15, round(100 * PEN), format="%d%%", key="pen", help="Of the pad's side.")
            epoch = _choose_epoch(run)
        with preparation:
            adjustments = _choose_adjustments()
    return Advanced(adjustments, [others[run_id] for run_id in more], is_calibrated, pen / 100, epoch)


def _choose_epoch(run: FinishedRun) -> int | None:
    """Offer the weights that a run has kept of earlier epochs; return the chosen epoch, None for the last of them."""
    kept = epochs_with_weights(run_directory(run.id))
    if len(kept) < 2:
        return None
    chosen = st.select_slider(
        "Weights after epoch",
        kept,
        value=kept[-1],
        key=f"epoch-{run.id}",
        help="Those of epochs 1, 2, 4, 8 and so on are kept, so that you can watch a prediction come to be. "
        "The last ones are those that were tested. Of earlier ones the probabilities are the network's own, and what "
        "is unfamiliar to it is not known. A network beside it that has not kept them predicts with its last ones.",
    )
    return None if chosen == kept[-1] else chosen


def _choose_adjustments() -> Adjustments:
    """Show how an image is prepared, and return what was chosen."""
    across = st.slider("Crop: left to right", 0, 100, (0, 100), format="%d%%", key="crop-x")
    down = st.slider("Crop: top to bottom", 0, 100, (0, 100), format="%d%%", key="crop-y")
    angle = st.slider("Angle", -180, 180, 0, format="%d°", key="angle", help="Against the clock.")
    ink = st.segmented_control("Ink", list(_INK), default="Find out", required=True, key="ink")
    has_threshold = st.toggle("Threshold by hand", key="by-hand")
    threshold = st.slider("Threshold", 5, 95, 40, format="%d%%", key="threshold", disabled=not has_threshold)
    single = st.toggle("Take all of it for one character", key="single")
    left, right = (share / 100 for share in across)
    top, bottom = (share / 100 for share in down)
    try:
        return Adjustments(
            crop=(left, top, right, bottom),
            angle=float(angle),
            invert=_INK[ink],
            threshold=threshold / 100 if has_threshold else None,
            single=single,
        )
    except ValueError:
        st.warning("Nothing is left of an image that is cropped so, thus it is not cropped.", icon=":material/crop:")
        return AUTOMATIC
