"""A run's name, tags and note: shown as what they are, and changed in place.

show_labels(run)
change_labels(runs)
add_tags(runs)
"""

import re
from collections.abc import Sequence

import streamlit as st

from core.runs import Run, open_store
from ui.shared.formatting import escape_badge, escape_markdown
from ui.shared.presses import pressed


def show_labels(run: Run) -> None:
    """Show the tags and the note of a run."""
    if run.tags:
        with st.container(horizontal=True, gap="small"):
            for tag in run.tags:
                st.badge(escape_badge(tag), icon=":material/label:", color="gray")
    if run.note:
        with st.container(border=True):
            st.markdown(safe_note(run.note))


def safe_note(note: str) -> str:
    """Return a note as Markdown that fetches nothing: a picture from elsewhere becomes its text."""
    # HTML is text already, as Streamlit renders none unless it is told to.
    return re.sub(r"!(?=\[)", r"\\!", note)


def change_labels(runs: Sequence[Run]) -> None:
    """Offer to change the name, tags and note of runs that are shown as one; the first one's are filled in."""
    first = runs[0]
    # What was typed for one run is not there to be saved for another, and what was saved is not there as typed.
    saves = st.session_state.get("labels-saved", 0)
    key = f"label-{first.id}-{saves}"
    with st.popover("Name, tags, note", icon=":material/edit_note:"), st.form(key, border=False):
        name = st.text_input("Name", first.name or "", key=f"{key}-name", placeholder=first.title)
        tags = _choose_tags(sorted({*open_store().tags(), *first.tags}), first.tags, key=key)
        note = st.text_area("Note", first.note or "", key=f"{key}-note", help="Markdown.")
        if pressed("Save", key=f"{key}-save", button=st.form_submit_button, type="primary"):
            try:
                for run in runs:
                    open_store().rename(run.id, name)
                    open_store().tag(run.id, add=tags, remove=set(run.tags) - set(tags))
                    open_store().annotate(run.id, note)
            except ValueError as error:
                st.error(escape_markdown(str(error)))
            else:
                st.session_state["labels-saved"] = saves + 1
                st.rerun()


def add_tags(runs: Sequence[Run], key: str) -> None:
    """Offer to put tags on many runs at once."""
    with st.popover("Tag", icon=":material/label:"), st.form(f"{key}-tagging", border=False):
        tags = _choose_tags(list(open_store().tags()), key=key)
        added = pressed("Add", key=f"{key}-add-tags", button=st.form_submit_button, type="primary")
        removed = pressed("Take off", key=f"{key}-take-off-tags", button=st.form_submit_button)
        if added or removed:
            try:
                for run in runs:
                    open_store().tag(run.id, **{"add" if added else "remove": tags})
            except ValueError as error:
                st.error(escape_markdown(str(error)))
            else:
                st.rerun()


def _choose_tags(known: Sequence[str], chosen: Sequence[str] = (), *, key: str) -> list[str]:
    """Let known tags be chosen and new ones be typed, in a form, and return both."""
    # A list of choices that takes new ones gives up what was typed into it if Enter does not come before the button.
    tags = st.multiselect("Tags", known, chosen, key=f"{key}-tags", placeholder="Any") if known else []
    typed = st.text_input("New tags", key=f"{key}-new-tags", placeholder="Separated by commas")
    return [*tags, *(tag for each in typed.split(",") if (tag := each.strip()))]
