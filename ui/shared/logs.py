"""A run's log and traceback in the page, as plain text; the log grows while it runs.

show_log(run)
"""

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import INACTIVE, Run
from core.system.logs import Log, read_on
from core.system.paths import run_directory

_REFRESH_S = 1.0
_HEIGHT = 320


def show_log(run: Run) -> None:
    """Show the last lines that a run's process wrote."""
    path = run_directory(run.id) / "log.txt"
    if run.state in INACTIVE and not path.exists():
        st.caption(f"{FRAMEWORK_TITLES[run.config.framework]} has left no log.")
        return
    st.caption(FRAMEWORK_TITLES[run.config.framework])
    st.fragment(_show, run_every=None if run.state in INACTIVE else _REFRESH_S)(run.id)


def _show(run_id: str) -> None:
    read: dict[str, Log] = st.session_state.setdefault("logs", {})
    read[run_id] = read_on(run_directory(run_id) / "log.txt", read.get(run_id))
    if read[run_id].text:
        st.code(read[run_id].text, language=None, height=_HEIGHT, wrap_lines=True)
    else:
        st.caption("Nothing has been written yet.")


def show_traceback(run: Run) -> None:
    """Offer the traceback of a run that failed in its own process."""
    if run.traceback:
        with st.expander(f"Traceback, {FRAMEWORK_TITLES[run.config.framework]}", icon=":material/bug_report:"):
            st.code(run.traceback, language=None, wrap_lines=True)
