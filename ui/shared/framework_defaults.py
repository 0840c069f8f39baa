"""On what terms a pair runs, and the table of the defaults that the frameworks do not share."""

import pandas as pd
import streamlit as st

from core.config import RunConfig
from core.engines.framework_defaults import DECIDED_BY_TITLES, FRAMEWORK_DEFAULTS, pair_terms


def show_terms(config: RunConfig) -> None:
    """Say what the two runs of a pair share, with the table of what they may not share to open."""
    st.caption(pair_terms(config))
    with st.expander("Defaults that differ", icon=":material/rule:"):
        show_defaults()


def show_defaults() -> None:
    """Show the table of the defaults that the frameworks do not share."""
    st.table(
        pd.DataFrame(
            {
                "PyTorch": [row.pytorch for row in FRAMEWORK_DEFAULTS],
                "Keras": [row.keras for row in FRAMEWORK_DEFAULTS],
                "Aligned": [row.aligned for row in FRAMEWORK_DEFAULTS],
                "What it changes": [row.changes for row in FRAMEWORK_DEFAULTS],
                "Decided by": [DECIDED_BY_TITLES[row.decided_by] for row in FRAMEWORK_DEFAULTS],
            },
            index=pd.Index([row.name for row in FRAMEWORK_DEFAULTS], name="Default"),
        )
    )
