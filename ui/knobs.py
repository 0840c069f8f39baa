"""One widget for each setting of a run, made from its field in `core.config`.

    epochs = knob("epochs")

What is chosen stays in `st.session_state["settings"]` while the page is left and come back to.
Values are not bounded here: `core.config.configure` refuses them, with the same sentence as the
command line.
"""

from collections.abc import Mapping
from typing import Any, get_args

import streamlit as st

from core.config import OPTIMIZER_TITLES, RunConfig, choices_of
from core.datasets import names, specify
from core.networks import names as network_names
from core.recipes import get_recipe
from ui.words import literal

_STEPS = {"learning_rate": 0.001, "rotation": 5.0}
_USUAL_STEP = 0.05


def settings() -> dict[str, Any]:
    """Return the settings that the page shows, to be changed by `knob` and `fill`."""
    return st.session_state.setdefault("settings", RunConfig().model_dump())


def fill(values: Mapping[str, Any], recipe: str | None = None) -> None:
    """Set every knob: to `values`, or to its default where they say nothing.

    With the name of a `recipe`, each knob that is changed from then on says what the recipe says.
    """
    st.session_state["settings"] = {**RunConfig().model_dump(), **values}
    st.session_state["filled-by"] = recipe
    for name in RunConfig.model_fields:
        st.session_state.pop(_key(name), None)


def choose(name: str, value: Any) -> None:
    """Set one knob."""
    settings()[name] = value
    st.session_state.pop(_key(name), None)


def filled_by() -> str | None:
    """Return the name of the recipe that has filled the knobs, if one has."""
    return st.session_state.get("filled-by")


def changed_knobs() -> list[str]:
    """Return the titles of the knobs that were changed since a recipe filled them."""
    if filled_by() is None:
        return []
    recipe = _recipe_settings()
    return [
        field.title
        for name, field in RunConfig.model_fields.items()
        if name != "framework" and settings()[name] != recipe[name]
    ]


def mark_change(says: str) -> None:
    """Say under a widget that it was changed since a recipe filled it, and what the recipe says."""
    st.caption(f":material/edit: Changed. The recipe says {says}.")


def _recipe_settings() -> dict[str, Any]:
    return {**RunConfig().model_dump(), **get_recipe(filled_by()).settings}


def knob(name: str, options: Mapping[str, str] | None = None) -> Any:
    """Show the widget of the setting `name` and return its value.

    Args:
        options: choices and their titles, where they are not fixed by the field.
    """
    field = RunConfig.model_fields[name]
    options = options or _options(name)
    chosen = settings()
    if options and chosen[name] not in options:
        chosen[name] = next(iter(options))
    st.session_state.setdefault(_key(name), chosen[name])
    common = {"label": field.title, "help": field.description, "key": _key(name)}
    if options:
        value = st.selectbox(options=list(options), format_func=options.get, **common)
    elif field.annotation is bool:
        value = st.toggle(**common)
    elif float in {field.annotation, *get_args(field.annotation)}:
        value = st.number_input(step=_STEPS.get(name, _USUAL_STEP), format="%g", **common)
    elif str in get_args(field.annotation):
        value = st.text_input(placeholder="none", **common) or None
    else:
        value = st.number_input(step=1, placeholder="all", **common)
    chosen[name] = value
    if filled_by() is not None and value != (says := _recipe_settings()[name]):
        mark_change(_in_words(says, options))
    return value


def _in_words(value: Any, options: Mapping[str, str] | None) -> str:
    if options:
        return literal(options.get(value, value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else f"{value}"


def _options(name: str) -> Mapping[str, str]:
    match name:
        case "dataset":
            return {known: specify(known).title for known in names()}
        case "architecture":
            known, chosen = network_names(), settings()[name]
            # One that was deleted stays chosen until another is; a launch is refused meanwhile.
            gone = {} if chosen in known else {chosen: f"{chosen} (deleted)"}
            return {**{each: each for each in known}, **gone}
        case "optimizer":
            return OPTIMIZER_TITLES
    return {choice: choice.capitalize() for choice in choices_of(name)}


def _key(name: str) -> str:
    return f"knob-{name}"
