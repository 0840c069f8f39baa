"""Values that the program gives to widgets, so that none of them passes for what a user has entered, or undoes it.

    st.selectbox("Recipe", …, on_change=lambda: assign("epochs", 15))
    hold("epochs")
    st.number_input("Epochs", key="epochs", on_change=lambda: is_entered("epochs") and save_epochs())
    show_acknowledgement()                      # once, below all of them

Until a browser has shown an assigned value, whatever it sends still carries the value from before, and Streamlit
reports that as a change by the user. Or it sends what the user has just typed, and then shows the assigned value, which
was on its way, over it. So an assigned value is sent again until the browser has acknowledged the last time; up to then
a value that the widget may have had before is none that was entered, and any other is, however late it comes.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

_component = st.components.v2.component(
    "duet_acknowledgement", js=(Path(__file__).parent / "assigned_values.js").read_text()
)


class _Assigned(NamedTuple):
    """What a widget is to show, and what it may show until then."""

    value: Any
    outdated: tuple[Any, ...]


def assign(key: str, value: Any) -> None:
    """Give a value to the widget called `key`, in a callback; one that is not on the page begins with its own."""
    assigned = _assigned()
    if key not in st.session_state:
        assigned.pop(key, None)
        return
    shown = st.session_state[key]
    outdated = (*assigned[key].outdated, shown) if key in assigned else (shown,)
    if outdated != (value,):
        assigned[key] = _Assigned(value, tuple(each for each in outdated if each != value))
        st.session_state[key] = value


def is_entered(key: str) -> bool:
    """Say in a widget's `on_change` whether a user has entered its value; if not, give it the assigned one again."""
    assigned = _assigned()
    if key not in st.session_state:  # it has left the page
        return False
    if key in assigned:
        value, (wanted, outdated) = st.session_state[key], assigned[key]
        if value in outdated:
            st.session_state[key] = wanted
            _count_assignment()
            return False
        assigned[key] = _Assigned(value, (*outdated, wanted))
        _count_assignment()
    return True


def hold(key: str) -> None:
    """Give a widget its assigned value once more, before it is shown, if the browser may not have it yet."""
    if key in _assigned():
        st.session_state[key] = _assigned()[key].value
        _count_assignment()


def show_acknowledgement() -> None:
    """Let the browser acknowledge what it has been given so far, if that is still to be done."""
    if _assigned():
        _component(
            key="acknowledgement", data={"number": _number()}, on_number_change=_acknowledge, default={"number": 0}
        )


def _acknowledge() -> None:
    if st.session_state["acknowledgement"]["number"] == _number():
        for key, (_, outdated) in list(_assigned().items()):
            # Streamlit's callbacks come in no order that is promised: this one may be the first to see an old value.
            if key not in st.session_state or st.session_state[key] not in outdated:
                del _assigned()[key]


def _assigned() -> dict[str, _Assigned]:
    return st.session_state.setdefault("assigned", {})


def _number() -> int:
    # From a time on, so that a session after this one, of a server started anew, counts where the browser has not been.
    return st.session_state.setdefault("assignments", time.time_ns() // 1_000_000)


def _count_assignment() -> None:
    st.session_state["assignments"] = _number() + 1
