"""In words: what a careful colleague would say of finished runs, each sentence with the way to its evidence.

show_findings(runs)
"""

from collections.abc import Sequence

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import FinishedRun, open_store
from core.studies.findings import Finding, find_findings
from ui.shared.formatting import escape_markdown

_KNOWN_S = 60
"""What other runs and a search for near-duplicates add is seen after so long."""


def show_findings(runs: Sequence[FinishedRun]) -> None:
    """Show the sentences on a run, or on each of a pair; nothing where there is nothing to say."""
    told = [(run, findings) for run in runs if (findings := _findings(run.id, run.ended_at))]
    if not told:
        return
    for (run, findings), column in zip(told, st.columns(len(told), gap="medium"), strict=True):
        of_which = f", {FRAMEWORK_TITLES[run.config.framework]}" if len(runs) > 1 else ""
        with column.container(gap="small"):
            st.markdown(f"**In words{of_which}**")
            for finding in findings:
                _show(run, finding)


def _show(run: FinishedRun, finding: Finding) -> None:
    sentence, way = st.columns([4, 1], gap="small")
    sentence.markdown(escape_markdown(finding.sentence))
    way.button(
        finding.view,
        key=f"finding-{run.id}-{finding.name}",
        type="tertiary",
        icon=":material/arrow_forward:",
        on_click=_go_to,
        args=(FRAMEWORK_TITLES[run.config.framework], finding),
    )


def _go_to(framework: str, finding: Finding) -> None:
    """Open the view below in which a sentence can be checked."""
    st.session_state["view"] = finding.view
    st.session_state["details"] = framework
    st.query_params.pop("cell", None)
    if finding.cell:
        st.query_params["cell"] = finding.cell


@st.cache_data(max_entries=64, ttl=_KNOWN_S, show_spinner=False)
def _findings(run_id: str, ended_at: float | None) -> list[Finding]:  # noqa: ARG001, the cache's key
    store = open_store()
    run = store.get(run_id).finished()
    return [] if run is None else find_findings(store, run)
