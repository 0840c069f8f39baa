"""One widget for each setting of a run, made from its field in `core.config`.

    epochs = setting("epochs")
    config = configure(**settings_to_launch())

What is chosen stays in `st.session_state["settings"]` while the page is left and come back to.
Values are not bounded here: `core.config.configure` refuses them, with the same sentence as the
command line.
"""

from collections.abc import Collection, Mapping
from typing import Any, get_args

import streamlit as st

from core.config import CHOICE_TITLES, LEARNING_RATES, OPTIMIZER_TITLES, RunConfig, is_used
from core.datasets import get_specification, names, usual_validation_part
from core.networks.registry import names as network_names
from core.recipes import get_recipe
from ui.shared.assigned_values import assign, hold, is_entered
from ui.shared.formatting import escape_markdown

_STEPS = {
    "learning_rate": 0.001,
    "beta_2": 0.001,
    "epsilon": 1e-7,
    "weight_decay": 0.0001,
    "clip_norm": 0.5,
    "decay_epochs": 1.0,
    "warmup_epochs": 0.5,
    "ema_decay": 0.01,
    "rotation": 5.0,
}
_USUAL_STEP = 0.05
_EMPTY = {"train_limit": "all", "initial_weights": "none", "rho": "default", "epsilon": "default"}


def settings() -> dict[str, Any]:
    """Return the settings that the page shows, to be changed by `setting` and `fill`."""
    return st.session_state.setdefault("settings", RunConfig().model_dump())


def settings_to_launch() -> dict[str, Any]:
    """Return the settings with those that do nothing at their defaults: what is not shown is not refused."""
    shown = settings()
    return {
        name: shown[name] if is_used(name, shown) else field.default for name, field in RunConfig.model_fields.items()
    }


def fill(values: Mapping[str, Any], recipe: str | None = None) -> None:
    """Set every setting: to `values`, or to its default where they say nothing.

    With the name of a `recipe`, each setting that is changed from then on says what the recipe says.
    """
    st.session_state["filled-by"] = recipe
    for name, value in {**RunConfig().model_dump(), **values}.items():
        choose(name, value)
    _give_rate(settings()["learning_rate"])


def begin_with(values: Mapping[str, Any], recipe: str | None = None) -> None:
    """Begin a visit with all settings as they were in another one; a rate that is usual was not set by the user."""
    st.session_state["settings"] = dict(values)
    st.session_state["filled-by"] = recipe
    usual = {LEARNING_RATES.get(values["optimizer"]), _recipe_settings()["learning_rate"] if recipe else None}
    if values["learning_rate"] in usual:
        _give_rate(values["learning_rate"])


def choose(name: str, value: Any) -> None:
    """Set one setting."""
    settings()[name] = value
    assign(_key(name), value)


def choose_dataset(name: str) -> None:
    """Set the data set, and what follows it."""
    choose("dataset", name)
    _follow_dataset()


def filled_by() -> str | None:
    """Return the name of the recipe that has filled the settings, if one has."""
    return st.session_state.get("filled-by")


def changed_settings() -> list[str]:
    """Return the titles of the settings that were changed since a recipe filled them."""
    if filled_by() is None:
        return []
    recipe = _recipe_settings()
    return [
        str(field.title)
        for name, field in RunConfig.model_fields.items()
        if name != "framework" and is_used(name, settings()) and settings()[name] != recipe[name]
    ]


def mark_change(says: str) -> None:
    """Say under a widget that it was changed since a recipe filled it, and what the recipe says."""
    st.caption(f":material/edit: Changed. The recipe says {says}.")


def _recipe_settings() -> dict[str, Any]:
    return {**RunConfig().model_dump(), **get_recipe(st.session_state["filled-by"]).settings}


def setting(name: str, options: Mapping[str, str] | None = None) -> Any:
    """Show the widget of the setting `name` and return its value.

    Args:
        options: choices and their titles, where they are not fixed by the field.
    """
    field = RunConfig.model_fields[name]
    options = options or _options(name)
    chosen = settings()
    if options and chosen[name] not in options:
        chosen[name] = next(iter(options))
    hold(_key(name))
    st.session_state.setdefault(_key(name), chosen[name])
    common: dict[str, Any] = {
        "label": field.title,
        "help": field.description,
        "key": _key(name),
        "on_change": _note,
        "args": (name, tuple(options)),
    }
    shown = st.session_state[_key(name)]
    if options:
        if shown not in options:
            st.session_state[_key(name)] = shown = chosen[name]
        value = st.selectbox(
            options=list(options), index=list(options).index(shown), format_func=options.__getitem__, **common
        )
        if value not in options:  # as above
            value = chosen[name]
    elif field.annotation is bool:
        value = st.toggle(value=shown, **common)
    elif float in {field.annotation, *get_args(field.annotation)}:
        shown = None if shown is None else float(shown)
        step, placeholder = _STEPS.get(name, _USUAL_STEP), _EMPTY.get(name)
        value = st.number_input(value=shown, step=step, format="%g", placeholder=placeholder, **common)
    elif str in get_args(field.annotation):
        value = st.text_input(value=shown, placeholder=_EMPTY[name], **common) or None
    else:
        value = st.number_input(value=shown, step=1, placeholder=_EMPTY.get(name), **common)
    chosen[name] = value
    with st.container():  # one place with or without the line, so that no field below moves and is built anew
        if filled_by() is not None and value != (says := _recipe_settings()[name]):
            mark_change(_in_words(says, options))
    return value


def _in_words(value: Any, options: Mapping[str, str] | None) -> str:
    if options:
        return escape_markdown(options.get(value, value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else f"{value}"


def _options(name: str) -> Mapping[str, str]:
    match name:
        case "dataset":
            here, chosen = {known: get_specification(known).title for known in names()}, settings()[name]
            # One that has gone stays chosen until another is; a launch is refused meanwhile.
            return here if chosen in here else {**here, chosen: f"{chosen} (not here)"}
        case "architecture":
            known, chosen = network_names(), settings()[name]
            # One that was deleted stays chosen until another is; a launch is refused meanwhile.
            gone = {} if chosen in known else {chosen: f"{chosen} (deleted)"}
            return {**{each: each for each in known}, **gone}
        case "validation_part":
            # What is chosen stays chosen; a launch is refused where no validation images came with the data.
            have = {usual_validation_part(settings()["dataset"]), settings()[name]}
            return {part: title for part, title in CHOICE_TITLES[name].items() if part != "given" or part in have}
    return CHOICE_TITLES.get(name, {})


def show_rate_note() -> None:
    """Say what became of the learning rate when the optimizer was last changed."""
    if note := st.session_state.get("rate-note"):
        st.caption(f":material/info: {note}")


def _note(name: str, options: Collection[str]) -> None:
    """Keep what a widget says before the page runs: which settings it shows depends on it, also those above."""
    if not is_entered(_key(name)):
        return
    value = st.session_state[_key(name)]
    if options and value not in options:  # a title, as browsers send them, that nothing has any more
        return
    settings()[name] = None if value == "" else value
    if name in _REACTIONS:
        _REACTIONS[name]()


def _follow_dataset() -> None:
    """Validate on the images that came with the data set just chosen, if some did and nothing particular was chosen."""
    if settings()["validation_part"] in ("given", RunConfig().validation_part):
        choose("validation_part", usual_validation_part(settings()["dataset"]))


def _follow_optimizer() -> None:
    """Give the learning rate that is usual for the optimizer just chosen, unless the user has set one."""
    optimizer = st.session_state[_key("optimizer")]
    usual, title, present = LEARNING_RATES[optimizer], OPTIMIZER_TITLES[optimizer], settings()["learning_rate"]
    if present == usual:
        _give_rate(usual)
    elif present == st.session_state.get("rate-given", RunConfig().learning_rate):
        choose("learning_rate", usual)
        _give_rate(usual, f"The learning rate is now {usual:g}, as is usual for {title}. It was {present:g}.")
    elif present is not None:
        st.session_state["rate-note"] = (
            f"The learning rate stays at {present:g}, as you have set it. {usual:g} is usual for {title}."
        )


def _give_rate(rate: float, note: str | None = None) -> None:
    """Remember a learning rate that the user has not set, and what there is to say about it."""
    st.session_state["rate-given"], st.session_state["rate-note"] = rate, note


def _forget_rate_note() -> None:
    st.session_state["rate-note"] = None


_REACTIONS = {"dataset": _follow_dataset, "optimizer": _follow_optimizer, "learning_rate": _forget_rate_note}


def _key(name: str) -> str:
    return f"setting-{name}"
