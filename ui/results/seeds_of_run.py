"""The way from a run that was launched with several seeds to all of them.

show_way_to_seeds(run)
"""

import streamlit as st

from core.runs import Run, open_store
from ui.shared.formatting import counted

_MOST_RUNS = 1000


def show_way_to_seeds(run: Run) -> None:
    """Say of a run that was launched with others of other seeds where they are compared."""
    if run.group:
        together = len({each.config.seed for each in open_store().find(group=run.group, limit=_MOST_RUNS)})
        st.page_link(
            "../pages/compare.py",
            label=f"Compare all {counted(together, 'seed')}",
            icon=":material/casino:",
            query_params={"group": run.group},
        )
