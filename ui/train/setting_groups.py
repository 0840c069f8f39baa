"""The settings of the Train page in their order: the common ones, which of all vary, then the rest under Advanced.

show_settings()
"""

from collections.abc import Collection

import streamlit as st

from core.config import GROUPS, RunConfig, is_used
from ui.shared.settings import setting, settings, show_rate_note
from ui.train.search_form import choose_varied, show_values

_REPLACED = ("architecture", "epochs", "optimizer", "batch_size", "learning_rate")
"""The settings whose values, where they vary, are typed in their own place: it is in sight."""


def show_settings() -> None:
    """Show every setting that does something beside the others that are chosen, or the values of one that varies."""
    setting("dataset")
    network = st.container()
    # By their keys they stay the same in the browser, open and with what is being typed into them, when a recipe or a
    # setting above brings a line of text.
    common = st.container(key="settings-common")
    with st.container(key="settings-varied"):
        varied = choose_varied()
        for name in varied:
            if name not in _REPLACED:
                show_values(name)
    with network:
        _show("architecture", varied)
    with common:
        first, second = st.columns(2)
        with first:
            _show("epochs", varied)
            _show("optimizer", varied)
        with second:
            _show("batch_size", varied)
            _show("learning_rate", varied)
        if "learning_rate" not in varied:
            show_rate_note()
    with st.container(key="settings-advanced"), st.expander("Advanced", icon=":material/tune:"):
        for group in GROUPS:
            st.markdown(f"**{group}**")
            used = [name for name in _fields(group) if is_used(name, settings()) and name not in varied]
            switches = [name for name in used if RunConfig.model_fields[name].annotation is bool]
            others = [name for name in used if name not in switches]
            for start in range(0, len(others), 2):  # in rows, as what was changed since a recipe is taller
                for column, name in zip(st.columns(2), others[start : start + 2], strict=False):
                    with column:
                        setting(name)
            for name in switches:
                setting(name)


def _show(name: str, varied: Collection[str]) -> None:
    """Show a setting, or in its place the values that are tried of it."""
    if name in varied:
        show_values(name)
    else:
        setting(name)


def _fields(group: str) -> list[str]:
    return [
        name
        for name, field in RunConfig.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra["group"] == group
    ]
