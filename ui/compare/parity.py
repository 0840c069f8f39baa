"""How far the frameworks part: choosing a measurement, watching it, its curves, and the defaults that differ.

asked = choose_measurement()
show_measurement(asked)
show_defaults()
"""

import streamlit as st

from core.charts.parity import parity_curves, parity_frame
from core.config import OPTIMIZER_TITLES, Defaults, choices_of
from core.networks.registry import names
from core.studies.parity import BATCH_SIZE, LOGITS_BAR, LOSS_BAR, STEPS, Parity
from core.studies.parity_background import Asked, parity_progress, start_parity
from ui.shared.formatting import escape_markdown
from ui.shared.presses import pressed

_REFRESH_S = 1.0
_MOST_STEPS = 1000


def choose_measurement() -> Asked:
    """Offer a network, an optimizer, a number of steps and the defaults."""
    first, second, third, fourth = st.columns(4)
    architecture = first.selectbox("Network", names(), index=1, key="parity-architecture")
    optimizer = second.selectbox(
        "Optimizer", list(OPTIMIZER_TITLES), format_func=lambda name: OPTIMIZER_TITLES[name], key="parity-optimizer"
    )
    steps = third.number_input("Steps", value=STEPS, step=1, key="parity-steps")
    defaults: Defaults = fourth.selectbox(
        "Defaults",
        reversed(choices_of("defaults")),
        format_func=str.capitalize,
        key="parity-defaults",
        help="Aligned: both compute the same algorithm. Framework: each keeps its own, and parts sooner.",
    )
    return Asked(architecture, optimizer, steps, defaults)


def show_measurement(asked: Asked) -> None:
    """Show what was measured, how far the measurement is, or the button that begins it."""
    if not 1 <= asked.steps <= _MOST_STEPS:
        st.error(
            f"Steps: expected a whole number from 1 to {_MOST_STEPS:,}, received {asked.steps:,}.",
            icon=":material/error:",
        )
        return
    st.fragment(_watch, run_every=_REFRESH_S if parity_progress(asked).state == "running" else None)(asked)


def _watch(asked: Asked) -> None:
    found = parity_progress(asked)
    if found.state == "done":
        _show_parities(found.parities)
    elif found.state == "running":
        st.progress(found.share, text=escape_markdown(found.sentence))
        st.session_state["parity-watched"] = asked
    else:
        if found.state == "failed":
            st.error(f"It could not be measured: {escape_markdown(found.sentence)}", icon=":material/error:")
        if pressed("Measure", type="primary", icon=":material/straighten:", key="measure"):
            start_parity(asked)
            st.rerun()
    if found.state != "running" and st.session_state.pop("parity-watched", None) == asked:
        st.rerun()  # so that it is not looked at every second any more


def _show_parities(parities: tuple[Parity, ...]) -> None:
    for parity, column in zip(parities, st.columns(len(parities), gap="medium"), strict=True):
        with column, st.container(horizontal=True):
            st.metric(f"Logits before step 1, {parity.precision}", f"{parity.logits:.1e}")
            st.metric("Loss", f"{parity.loss:.1e}")
            st.metric("Gradients", f"{parity.gradients:.1e}")
            st.metric("Weights", f"{parity.weights:.1e}")
        column.markdown(_verdict(parity))
    st.altair_chart(parity_curves(parity_frame(parities)), key="parity-curves")
    dropout = " Dropout is off, as its masks cannot be aligned." if parities[0].without_dropout else ""
    st.caption(
        f"Greatest relative differences of PyTorch and Keras from the same weights on the same batches of {BATCH_SIZE} "
        f"images of MNIST. Tolerance: logits within {LOGITS_BAR:g} in float32, losses within {LOSS_BAR:g} in float64 "
        f"where defaults are aligned.{dropout}"
    )


def _verdict(parity: Parity) -> str:
    if parity.divergence is None:
        parted = f"No layer's weights part by {parity.tolerance:g}."
    else:
        parted = (
            f"`{parity.divergence.layer}` is the first layer whose weights part by {parity.tolerance:g}: "
            f"at step {parity.divergence.step}."
        )
    return f"{parted} {parity.reason}"
