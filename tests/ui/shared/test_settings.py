"""A setting between the browser and what the program chooses; what each one offers is tested with the train page."""

from streamlit.testing.v1 import AppTest


def a_choice_that_is_cut_off() -> None:
    """A page that is disturbed between choosing a value and showing it: the browser still has the old one."""
    import streamlit as st
    from streamlit.proto.WidgetStates_pb2 import WidgetStates
    from streamlit.runtime.scriptrunner import RerunData, RerunException, get_script_run_ctx

    from ui.shared.settings import choose, setting

    st.button("Choose", key="choose", on_click=choose, args=("epochs", 7))
    if st.session_state["choose"]:
        raise RerunException(RerunData(widget_states=st.session_state["sent"]))
    setting("epochs")
    st.session_state["sent"] = WidgetStates(widgets=get_script_run_ctx().session_state.get_widget_states())


def test_what_was_chosen_is_not_undone_by_a_widget_that_is_no_longer_there():
    page = AppTest.from_function(a_choice_that_is_cut_off).run()
    page.number_input(key="setting-epochs").set_value(3).run()
    page.button(key="choose").click().run()

    assert not page.exception
    assert page.number_input(key="setting-epochs").value == page.session_state["settings"]["epochs"] == 7
