"""What is chosen on Train, kept in the page's address: a reload, a bookmark and a link bring it back.

    /train?recipe=quick&train_limit=1200&seeds=5

    restore_choice()          # before the first widget
    keep_choice()             # after the last one

Of the settings those are told that differ from their recipe, or from the defaults where there is none; how validation
images are taken, from what is usual for the data set.
"""

from typing import Any, get_args

import streamlit as st
from pydantic import TypeAdapter

from core.config import RunConfig
from core.datasets import names, usual_validation_part
from core.recipes import RECIPES, get_recipe
from ui.shared.formatting import escape_markdown
from ui.shared.settings import begin_with, filled_by, settings

_FIELDS = tuple(name for name in RunConfig.model_fields if name != "framework")
"""The settings that the address tells. The frameworks have a widget that keeps itself there."""

_SEEDS = "chosen-seeds"
_MOST = 2**53
"""Below it a browser's numbers are exact."""


def restore_choice() -> None:
    """Take the settings from the address in a visit that has none yet; say what of it cannot be taken."""
    if "settings" not in st.session_state:
        refused = _restore()
        st.session_state["refused-address"] = refused, dict(settings())
    refused, restored = st.session_state.get("refused-address", ([], {}))
    if refused and settings() == restored:  # nothing was changed since, so it may not have been read
        st.warning(
            f"What this address says could not be set, and is as usual: {escape_markdown(', '.join(refused))}.",
            icon=":material/link_off:",
        )


def keep_choice() -> None:
    """Write what is chosen by now into the address."""
    base = _base(filled_by(), settings()["dataset"])
    told = {name: _as_text(value) for name, value in settings().items() if name in _FIELDS and value != base[name]}
    if recipe := filled_by():
        told["recipe"] = recipe
    if (seeds := st.session_state.get(_SEEDS, 1)) != 1:
        told["seeds"] = _as_text(seeds)
    present = st.query_params
    for name in (*_FIELDS, "recipe", "seeds"):
        if name in told and present.get(name) != told[name]:
            present[name] = told[name]
        elif name not in told and name in present:
            del present[name]


def _restore() -> list[str]:
    """Begin with the settings of the address, and return what of it cannot be taken, as it stands there."""
    refused = []
    asked = st.query_params.get("recipe")
    recipe = asked if asked in RECIPES else None
    if asked and recipe is None:
        refused.append(f"recipe={asked}")
    values: dict[str, Any] = {}
    for name in _FIELDS:
        if (text := st.query_params.get(name)) is not None:
            try:
                values[name] = _from_text(RunConfig.model_fields[name].annotation, text)
            except ValueError:
                refused.append(f"{name}={text}")
    if (text := st.query_params.get("seeds")) is not None:
        try:
            st.session_state[_SEEDS] = _from_text(int, text)
        except ValueError:
            refused.append(f"seeds={text}")
    # One whose data set has gone is not offered: what it says stays, and is not called by its name.
    is_offered = recipe is not None and get_recipe(recipe).settings["dataset"] in names()
    begin_with(_base(recipe, values.get("dataset")) | values, recipe if is_offered else None)
    return refused


def _base(recipe: str | None, dataset: str | None) -> dict[str, Any]:
    """Return what the settings are where the address says nothing of them, but perhaps a data set."""
    own = dict(get_recipe(recipe).settings) if recipe else {}
    usual = usual_validation_part(dataset or own.get("dataset", RunConfig().dataset))
    return RunConfig().model_dump() | {"validation_part": usual} | own


def _as_text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _from_text(kind: Any, text: str) -> Any:
    """Return the value of a type that a text says; bounds are the form's matter, which explains them.

    Raises:
        ValueError: if it says none, or a number that no browser can show.
    """
    if text == "" and type(None) in get_args(kind):
        return None
    value = TypeAdapter(kind).validate_python(text)
    if isinstance(value, int | float) and not abs(value) < _MOST:
        raise ValueError(f"Expected a number below {_MOST}, received {text}.")
    return value
