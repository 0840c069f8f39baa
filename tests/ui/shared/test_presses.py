"""A press is met once, by the first run that comes to its button; and not by one much later."""

import pytest
from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from ui.shared.presses import forget_presses, pressed

    if st.session_state.pop("something-has-ended", False):
        st.rerun()
    if not st.session_state.get("button-has-gone") and pressed("Measure", key="measure"):
        st.session_state["measured"] = st.session_state.get("measured", 0) + 1
    forget_presses()


@pytest.mark.parametrize("something_has_ended", [False, True])
def test_a_press_is_met_once(something_has_ended: bool):
    page = AppTest.from_function(_page).run()
    page.session_state["something-has-ended"] = something_has_ended

    page.button(key="measure").click().run()
    page.run()

    assert page.session_state["measured"] == 1


def test_a_press_whose_button_has_gone_is_forgotten():
    page = AppTest.from_function(_page).run()
    page.session_state["button-has-gone"] = True
    page.button(key="measure").click().run()

    page.session_state["button-has-gone"] = False
    page.run()

    assert "measured" not in page.session_state
