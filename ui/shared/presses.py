"""A button whose press is not lost where the run that it starts ends before it comes to the button.

    if pressed("Measure", key="measure"):
        start(...)                          # with what the page says by then

A part of the page that finds that something has ended has the whole page run anew, and what `st.button` would have
returned below it is gone. A press that the next whole run of the page has no button for is forgotten.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

_PRESSED = "pressed"


def pressed(title: str, *, key: str, button: Callable[..., Any] = st.button, **options: Any) -> bool:
    """Show a button and say whether it was pressed, be it in a run that ended before it came here.

    Args:
        key: unique on the page.
        button: `st.form_submit_button` in a form.
        options: those of the button.
    """
    button(title, key=key, on_click=_note, args=(key,), **options)
    waiting: set[str] = st.session_state.get(_PRESSED, set())
    was_pressed = key in waiting
    waiting.discard(key)
    return was_pressed


def forget_presses() -> None:
    """Forget what was pressed and not met: its button has gone, or does not mean the same any more."""
    st.session_state.pop(_PRESSED, None)


def _note(key: str) -> None:
    st.session_state.setdefault(_PRESSED, set()).add(key)
