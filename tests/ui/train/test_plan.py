"""What a launch does where the page has forgotten the plan's fields, which the browser still shows."""

from streamlit.testing.v1 import AppTest

from tests.page import plain


def _page() -> None:
    import streamlit as st

    from ui.shared.settings import choose
    from ui.train.plan import _launch

    st.session_state["frameworks"] = "PyTorch"
    choose("architecture", "long-gone")
    st.button("Launch", on_click=_launch)


def test_a_launch_without_its_fields_is_refused_for_what_is_wrong() -> None:
    page = AppTest.from_function(_page).run()

    page.button[0].click().run()

    assert not page.exception
    assert "expected one of" in plain(page.toast[0].value)
