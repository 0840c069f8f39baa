"""The row that offers a way back after a deletion."""

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared.formatting import escape_markdown


def _page() -> None:
    import streamlit as st

    from ui.shared.undo import forget_deletion, note_deletion, show_undo, try_change

    st.session_state.setdefault("things", ["one", "two"])

    def remove(name: str) -> None:
        things = st.session_state["things"]
        if name not in things:
            raise ValueError(f"Expected a *thing*, received {name!r}.")
        things.remove(name)

    def delete(name: str) -> None:
        if try_change("thing", lambda: remove(name)):
            note_deletion("thing", name, f"{name} was deleted.")

    def restore(name: str) -> None:
        if name in st.session_state["things"]:
            raise ValueError("It is there again")
        st.session_state["things"].append(name)

    show_undo("thing", restore)
    for name in ("one", "two", "three"):
        st.button(f"Delete {name}", key=name, on_click=delete, args=(name,))
    st.button("Forget", key="forget", on_click=forget_deletion, args=("thing",))


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_function(_page, default_timeout=30).run()


def undo_buttons(page: AppTest) -> list:
    return [button for button in page.button if button.key == "undo-thing"]


def test_nothing_is_offered_where_nothing_was_deleted(page):
    assert not page.info
    assert not undo_buttons(page)


def test_last_deletion_can_be_undone_once(page):
    page.button(key="one").click().run()
    page.button(key="two").click().run()
    assert [info.value for info in page.info] == ["two was deleted."]

    page.button(key="undo-thing").click().run()

    assert page.session_state["things"] == ["two"]
    assert not page.info
    assert not undo_buttons(page)


def test_refused_deletion_says_why_once_and_offers_nothing(page):
    page.button(key="three").click().run()
    assert [error.value for error in page.error] == [escape_markdown("Expected a *thing*, received 'three'.")]
    assert not undo_buttons(page)

    page.run()
    assert not page.error


def test_way_back_that_is_barred_says_why_and_is_offered_no_more(page):
    page.button(key="one").click().run()
    page.session_state["things"] = ["one"]  # as another tab has restored it

    page.button(key="undo-thing").click().run()

    assert [error.value for error in page.error] == ["It is there again"]
    assert page.session_state["things"] == ["one"]
    assert not undo_buttons(page)


def test_what_is_gone_for_good_is_not_offered(page):
    page.button(key="one").click().run()
    page.button(key="forget").click().run()

    assert not page.info
    assert not undo_buttons(page)
