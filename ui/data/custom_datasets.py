"""The data sets that were imported or fetched, to be renamed or deleted; a deletion can be undone.

show_custom_datasets()
"""

from functools import partial

import streamlit as st

from core import datasets
from core.datasets import get_specification, names
from core.runs import open_store
from ui.shared.formatting import escape_markdown
from ui.shared.presses import pressed
from ui.shared.undo import note_deletion, show_undo, try_change

_ALL_RUNS = 1_000_000


def show_custom_datasets() -> None:
    """Show a line for each, and the way back for one that was just deleted."""
    own = [known for known in map(get_specification, names()) if not known.bundled]
    st.subheader("Imported")
    show_undo("dataset", datasets.restore)
    if not own:
        st.caption("Nothing yet.")
    for known in own:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"**{escape_markdown(known.title)}**  \n:gray[{escape_markdown(known.source)}]", width="stretch"
            )
            with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{known.name}", border=False):
                title = st.text_input("Name", known.title, max_chars=80)
                if pressed("Rename", key=f"rename-{known.name}-now", button=st.form_submit_button):
                    try_change("dataset", partial(datasets.rename, known.name, title))
                    st.rerun()
            st.button(
                "Delete",
                key=f"delete-{known.name}",
                icon=":material/delete:",
                on_click=_delete,
                args=(known.name, known.title),
            )


def _delete(name: str, title: str) -> None:
    if try_change("dataset", lambda: datasets.delete(name, _runs_that_use)):
        note_deletion("dataset", name, f"{escape_markdown(title)} was deleted.")
        if st.session_state.get("dataset") == name:
            st.session_state["dataset"] = names()[0]


def _runs_that_use(name: str) -> list[str]:
    return [f"{run.title} ({run.id})" for run in open_store().find(dataset=name, limit=_ALL_RUNS)]
