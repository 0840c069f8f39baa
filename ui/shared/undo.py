"""What was just deleted, with the button that brings it back, or why it was not.

    if try_change("network", lambda: registry.delete(name, used_by)):
        note_deletion("network", name, f"{name} was deleted.")
    ...
    show_undo("network", registry.restore)      # at the next run of the page

A visitor's last deletion of each kind is remembered for the visit.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui.shared.formatting import escape_markdown


def try_change(kind: str, change: Callable[[], object]) -> bool:
    """Make a change, and return whether it was made; the sentence of a refusal is shown by `show_undo`."""
    try:
        change()
    except ValueError as error:
        st.session_state[_refused(kind)] = str(error)
        return False
    return True


def note_deletion(kind: str, deleted: Any, sentence: str) -> None:
    """Remember what was deleted, of session state's values, and the sentence, of Markdown, that says so."""
    st.session_state[_deleted(kind)] = (deleted, sentence)


def forget_deletion(kind: str) -> None:
    """Offer no way back any more."""
    st.session_state.pop(_deleted(kind), None)


def show_undo(kind: str, restore: Callable[[Any], object]) -> None:
    """Show why the last change was refused, and a row with the last deletion and a button that undoes it.

    Args:
        restore: brings back what was noted, or raises `ValueError` with a sentence that says why it cannot.
    """
    if refused := st.session_state.pop(_refused(kind), None):
        st.error(escape_markdown(refused), icon=":material/error:")
    if _deleted(kind) in st.session_state:
        _, sentence = st.session_state[_deleted(kind)]
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.info(sentence, icon=":material/delete:")
            st.button("Undo", key=f"undo-{kind}", icon=":material/undo:", on_click=_undo, args=(kind, restore))


def _undo(kind: str, restore: Callable[[Any], object]) -> None:
    noted = st.session_state.pop(_deleted(kind), None)
    if noted is not None:  # else a second click
        try_change(kind, lambda: restore(noted[0]))


def _deleted(kind: str) -> str:
    return f"deleted-{kind}"


def _refused(kind: str) -> str:
    return f"refused-{kind}"
