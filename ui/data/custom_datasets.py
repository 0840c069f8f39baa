"""The data sets that were imported or fetched, to be renamed or deleted; a deletion can be undone.

show_custom_datasets()
"""

import streamlit as st

from core import datasets
from core.datasets import get_specification, names
from core.runs import open_store
from ui.shared.formatting import escape_markdown

_ALL_RUNS = 1_000_000


def show_custom_datasets() -> None:
    """Show a line for each, and the way back for one that was just deleted."""
    own = [known for known in map(get_specification, names()) if not known.bundled]
    st.subheader("Imported")
    _show_outcome()
    if not own:
        st.caption("Nothing yet.")
    for known in own:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"**{escape_markdown(known.title)}**  \n:gray[{escape_markdown(known.source)}]", width="stretch"
            )
            with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{known.name}", border=False):
                title = st.text_input("Name", known.title, max_chars=80)
                if st.form_submit_button("Rename"):
                    _try(lambda known=known, title=title: datasets.rename(known.name, title))
                    st.rerun()
            st.button(
                "Delete",
                key=f"delete-{known.name}",
                icon=":material/delete:",
                on_click=_delete,
                args=(known.name, known.title),
            )


def _show_outcome() -> None:
    if refused := st.session_state.pop("refused", None):
        st.error(escape_markdown(refused), icon=":material/error:")
    if deleted := st.session_state.get("deleted"):
        name, title = deleted
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.info(f"{escape_markdown(title)} was deleted.", icon=":material/delete:")
            st.button("Undo", icon=":material/undo:", on_click=_restore, args=(name,))


def _delete(name: str, title: str) -> None:
    if _try(lambda: datasets.delete(name, _runs_that_use)):
        st.session_state["deleted"] = (name, title)
        if st.session_state.get("dataset") == name:
            st.session_state["dataset"] = names()[0]


def _restore(name: str) -> None:
    if "deleted" in st.session_state and _try(lambda: datasets.restore(name)):  # else a second click
        del st.session_state["deleted"]


def _try(change) -> bool:
    """Make a change; if it is refused, keep the sentence for the next run of the page."""
    try:
        change()
    except ValueError as error:
        st.session_state["refused"] = str(error)
        return False
    return True


def _runs_that_use(name: str) -> list[str]:
    return [f"{run.title} ({run.id})" for run in open_store().find(dataset=name, limit=_ALL_RUNS)]
