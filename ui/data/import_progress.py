"""An import as it goes on: progress, a way to cancel it, and its report when it is done.

watch_import(import_id, on_done=open_it)
"""

from collections.abc import Callable
from contextlib import suppress

import streamlit as st

from core.datasets.background_import import (
    Progress,
    cancel_import,
    dismiss_import,
    import_progress,
    unfinished_imports,
)
from ui.data.import_report import show_report
from ui.shared.formatting import escape_markdown
from ui.shared.presses import pressed

_REFRESH_S = 0.5


def watch_import(import_id: str, on_done: Callable[[str], None], on_close: Callable[[], None]) -> None:
    """Show an import, live while it goes on.

    Args:
        on_done: called with the data set's name when a visitor wants to see what was imported.
        on_close: called when a visitor has seen enough.

    Raises:
        ValueError: if there is none of that id.
    """
    state = import_progress(import_id)
    if state.state == "running":
        st.fragment(_watch, run_every=_REFRESH_S)(import_id)
    else:
        _show_end(state, on_done, on_close)


def show_other_imports() -> None:
    """List the imports that go on or have failed, in whichever tab they were begun."""
    listed = unfinished_imports()
    if listed:
        st.subheader("Imports under way")
    for import_id in listed:
        state = import_progress(import_id)
        going_on = state.state == "running"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            words = f"Importing, {state.share:.0%}" if going_on else "Failed"
            st.markdown(f"**{words}.** {escape_markdown(state.sentence)}", width="stretch")
            if going_on:
                st.button("Watch", key=f"watch-{import_id}", on_click=_watch_here, args=(import_id,))
            else:
                st.button("Dismiss", key=f"dismiss-{import_id}", on_click=_dismiss, args=(import_id,))


def _watch_here(import_id: str) -> None:
    st.query_params["import"] = import_id


def _dismiss(import_id: str) -> None:
    with suppress(ValueError):  # another tab has done so
        dismiss_import(import_id)


def _watch(import_id: str) -> None:
    state = import_progress(import_id)
    if state.state != "running":
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.progress(
            state.share, text=f"Importing · {escape_markdown(state.sentence)} It goes on if you leave this page."
        )
        if pressed("Cancel", key="cancel-import", icon=":material/close:", help="Nothing of it will remain."):
            cancel_import(import_id)
            st.rerun()


def _show_end(state: Progress, on_done: Callable[[str], None], on_close: Callable[[], None]) -> None:
    with st.container(border=True):
        match state.state:
            case "done":
                assert state.report is not None, "an import that is done has one"
                st.success(escape_markdown(state.sentence), icon=":material/check:")
                show_report(state.report)
            case "cancelled":
                st.info("The import was cancelled; nothing of it remains.", icon=":material/close:")
            case _:
                st.error(escape_markdown(state.sentence), icon=":material/error:")
        with st.container(horizontal=True):
            if state.report:
                st.button("See the images", type="primary", on_click=on_done, args=(state.report.name,))
            st.button("Close", on_click=on_close)
