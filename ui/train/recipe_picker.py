"""Recipes to start from: one fills the form, then what is changed is marked, and one click resets it.

choose_recipe()
frameworks = choose_frameworks()
"""

import streamlit as st

from core.config import FRAMEWORK_TITLES, Framework
from core.datasets import names
from core.recipes import RECIPES, get_recipe
from ui.shared.assigned_values import assign, hold, is_entered
from ui.shared.formatting import counted
from ui.shared.launching import both
from ui.shared.settings import changed_settings, fill, filled_by, mark_change

OWN = "Own settings"
BOTH = "Both"


def choose_recipe() -> None:
    """Offer recipes whose data are here, with where each comes from."""
    here = set(names())
    offered = [name for name, recipe in RECIPES.items() if recipe.settings["dataset"] in here]
    st.session_state.setdefault("recipe", filled_by() or OWN)
    chosen = st.selectbox(
        "Start from",
        [OWN, *offered],
        key="recipe",
        on_change=_start_from,
        help="A recipe fills in all settings: published experiments, and one of Duet's own.",
    )
    with st.container():  # one place however many lines, as what is below would be built anew if it were to move
        if chosen != OWN:
            recipe = get_recipe(chosen)
            st.caption(f"{recipe.description} Source: {recipe.source}.")
            if recipe.assumed:
                st.caption(f"Assumed: {recipe.assumed}")
    if len(offered) < len(RECIPES):
        st.caption(f"{len(RECIPES) - len(offered)} more want Sign Language MNIST, which the Data page brings in.")


def choose_frameworks() -> tuple[Framework, ...]:
    """Let the user pick one framework, or both as a pair."""
    hold("frameworks")
    chosen = st.segmented_control(
        "Framework",
        [BOTH, *FRAMEWORK_TITLES.values()],
        default=BOTH,
        required=True,
        key="frameworks",
        bind="query-params",
        on_change=_enter_frameworks,
        help="Both trains a pair: same data, same batches, same initial weights, side by side.",
    )
    with st.container():
        recipe = filled_by()
        if recipe and chosen != _frameworks_of(recipe):
            mark_change(_frameworks_of(recipe))
    return chosen_frameworks()


def _enter_frameworks() -> None:
    is_entered("frameworks")


def chosen_frameworks() -> tuple[Framework, ...]:
    """Return what `choose_frameworks` shows, in a callback too."""
    chosen = st.session_state["frameworks"]
    return both() if chosen == BOTH else tuple(name for name, title in FRAMEWORK_TITLES.items() if title == chosen)


def show_changes() -> None:
    """Say what was changed since a recipe filled the form, with the way back."""
    recipe = filled_by()
    if recipe is None:
        return
    changed = changed_settings()
    if st.session_state["frameworks"] != _frameworks_of(recipe):
        changed.insert(0, "Framework")
    if not changed:
        st.caption(":material/check: Everything is as the recipe says.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/edit: {counted(len(changed), 'setting')} changed: {', '.join(changed)}.", width="stretch"
        )
        st.button("Reset", icon=":material/undo:", key="reset-recipe", on_click=_start_from)


def _start_from() -> None:
    name = st.session_state["recipe"]
    if name == OWN:
        st.session_state["filled-by"] = None
        return
    fill(get_recipe(name).settings, recipe=name)
    assign("frameworks", _frameworks_of(name))


def _frameworks_of(name: str) -> str:
    framework = get_recipe(name).settings.get("framework")
    return FRAMEWORK_TITLES[framework] if framework else BOTH
