"""Dialogs, and the whole page run anew by a part of it that watches something: not while a dialog is open.

    show_dialog("Delete 3 runs?", _confirm, run_ids, icon=":material/delete:")
    if has_ended:
        refresh_page()

Streamlit takes an open dialog away when the whole page runs, until the run has come to it: a menu closes under the
pointer, what is being typed is lost, and a question that a button has opened is gone for good.
"""

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

_OPEN = "dialog-is-open"


def show_dialog(
    title: str,
    body: Callable[..., None],
    *arguments: Any,
    icon: str,
    width: Literal["small", "large"] = "small",
    on_dismiss: Callable[[], None] | Literal["rerun"] = "rerun",
) -> None:
    """Show what `body` shows of `arguments` in a dialog; it closes when the whole page runs without it."""
    st.session_state[_OPEN] = True
    st.dialog(title, width=width, icon=icon, on_dismiss=on_dismiss)(body)(*arguments)


def forget_dialogs() -> None:
    """Begin a run of the whole page, which shows those that it has."""
    st.session_state.pop(_OPEN, None)


def refresh_page() -> None:
    """Run the whole page anew; while a dialog is open, come back instead, to be asked again a moment later."""
    if _OPEN not in st.session_state:
        st.rerun()
