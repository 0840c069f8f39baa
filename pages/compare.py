"""Compare: runs and groups of seeds against one another, a setting against its effect, and the frameworks' parity."""

import streamlit as st

from ui.compare.comparison import show_curves, show_differing_settings, show_figures
from ui.compare.effects import show_effects
from ui.compare.parity import choose_measurement, show_measurement
from ui.compare.selection import choose_groups, choose_two
from ui.compare.two import show_two
from ui.shared.framework_defaults import show_defaults
from ui.shared.verdict_card import show_verdict


def compare_runs() -> None:
    """Show the verdict on two of the chosen ones first, then all over one another, then the two image by image."""
    groups = choose_groups()
    two = choose_two(groups)
    if two is None:
        st.info(
            "Choose two finished runs or more, or two groups of seeds. A pair is launched on the Train page with "
            "*Both*, and several seeds with *Seeds*."
        )
        if groups:
            show_verdict(groups)
        return
    show_verdict(two)
    show_curves(groups)
    show_differing_settings(groups)
    show_figures(groups)
    show_two(*two)


def compare_frameworks() -> None:
    """Show how far the frameworks part, and by which defaults they differ."""
    st.markdown(
        "One network, trained in both frameworks from the same weights on the same batches. "
        "In float64 two equal algorithms stay together; in float32 rounding alone parts them."
    )
    show_measurement(choose_measurement())
    st.subheader("Defaults that differ")
    show_defaults()


st.title("Compare")
views = {"Runs": compare_runs, "Settings": show_effects, "Parity": compare_frameworks}
view = st.segmented_control("Show", list(views), default="Runs", required=True, key="comparison", bind="query-params")
views[view]()
