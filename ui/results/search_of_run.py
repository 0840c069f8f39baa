"""What search a run belongs to, and that it was pruned, where it was.

show_search_of(run)
"""

import streamlit as st

from core.runs import Run, open_store
from ui.shared.formatting import escape_markdown


def show_search_of(run: Run) -> None:
    """Lead to the search that a run is a trial of; nothing for any other run."""
    found = open_store().trial_of(run.id)
    if found is None:
        return
    search_id, trial = found
    if trial.state == "pruned" and trial.reason and run.state == "stopped":
        st.info(escape_markdown(trial.reason), icon=":material/content_cut:")
    st.page_link(
        "../pages/search.py",
        label=f"Trial {trial.number + 1} of a search",
        icon=":material/manage_search:",
        query_params={"search": search_id},
    )
