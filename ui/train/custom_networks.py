"""Taking a user's own network away, and bringing back the one that was just deleted.

show_deletion("my-cnn")
show_way_back()
"""

import streamlit as st

from core.networks import registry
from core.runs import open_store
from ui.shared.formatting import escape_markdown
from ui.shared.settings import choose, settings
from ui.shared.undo import note_deletion, show_undo, try_change


def show_deletion(name: str) -> None:
    """Offer to delete a network, if it is a user's own."""
    if name in registry.custom_names():
        st.button("Delete", key="delete-network", icon=":material/delete:", on_click=_delete)


def show_way_back() -> None:
    """Say what was deleted, with the button that undoes it, or why it was not."""
    show_undo("network", _restore)


def _delete() -> None:
    name = settings()["architecture"]  # another one than the page shows, where that was chosen just now
    if try_change("network", lambda: registry.delete(name, _waiting_or_training_with)):
        note_deletion("network", name, f"{escape_markdown(name)} was deleted. Runs that used it keep their results.")
        choose("architecture", registry.names()[0])


def _restore(name: str) -> None:
    registry.restore(name)
    choose("architecture", name)


def _waiting_or_training_with(name: str) -> list[str]:
    return [run.id for run in open_store().pending() if run.architecture == name]
