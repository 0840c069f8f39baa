"""A dialog that is open stays open, whatever ends on the page behind it."""

from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from ui.shared.dialogs import forget_dialogs, refresh_page, show_dialog

    forget_dialogs()
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    if st.session_state.get("asking"):
        show_dialog("Sure?", st.write, "It cannot be undone.", icon=":material/help:")
    if st.session_state.pop("something-has-ended", False):
        refresh_page()
    st.write("The rest")


def test_a_page_is_run_anew_once_no_dialog_is_open():
    page = AppTest.from_function(_page)
    page.session_state["asking"] = page.session_state["something-has-ended"] = True
    page.run()
    assert page.session_state["runs"] == 1
    assert [text.value for text in page.markdown] == ["The rest", "It cannot be undone."]

    page.session_state["asking"], page.session_state["something-has-ended"] = False, True
    page.run()
    assert page.session_state["runs"] == 3
    assert [text.value for text in page.markdown] == ["The rest"]
