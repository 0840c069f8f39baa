"""Taking a user's own network away, and bringing back the one that was just deleted.

show_deletion("my-cnn")
show_way_back()
"""

import streamlit as st

from core.networks import registry
from core.runs import open_store
from ui.shared.settings import choose


def show_deletion(name: str) -> None:
    """Offer to delete a network, if it is a user's own."""
    if name in registry.custom_names():
        st.button("Delete", key="delete-network", icon=":material/delete:", on_click=_delete, args=(name,))


def show_way_back() -> None:
    """Say what was deleted, with the button that undoes it, or why it was not."""
    if refused := st.session_state.pop("network-refused", None):
        st.error(refused, icon=":material/error:")
    if deleted := st.session_state.get("deleted-network"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.info(f"{deleted} was deleted. Runs that used it keep their results.", icon=":material/delete:")
            st.button("Undo", key="undo-network", icon=":material/undo:", on_click=_restore, args=(deleted,))


def _delete(name: str) -> None:
    try:
        registry.delete(name, _waiting_or_training_with)
    except ValueError as error:
        st.session_state["network-refused"] = str(error)
    else:
        st.session_state["deleted-network"] = name
        choose("architecture", registry.names()[0])


def _restore(name: str) -> None:
    if st.session_state.pop("deleted-network", None) is None:  # a second click
        return
    try:
        registry.restore(name)
    except ValueError as error:  # it was restored in another tab
        st.session_state["network-refused"] = str(error)
    else:
        choose("architecture", name)


def _waiting_or_training_with(name: str) -> list[str]:
    return [run.id for run in open_store().pending() if run.architecture == name]
