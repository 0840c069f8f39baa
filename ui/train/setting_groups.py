"""The settings of the Train page in their order: the common ones, then the rest in groups under Advanced.

show_settings()
"""

import streamlit as st

from core.config import GROUPS, RunConfig, is_used
from ui.shared.settings import setting, settings, show_rate_note


def show_settings() -> None:
    """Show every setting that does something beside the others that are chosen."""
    setting("dataset")
    setting("architecture")
    # By their keys they stay the same in the browser, open and with what is being typed into them, when a recipe or a
    # setting above brings a line of text.
    with st.container(key="settings-common"):
        first, second = st.columns(2)
        with first:
            setting("epochs")
            setting("optimizer")
        with second:
            setting("batch_size")
            setting("learning_rate")
        show_rate_note()
    with st.container(key="settings-advanced"), st.expander("Advanced", icon=":material/tune:"):
        for group in GROUPS:
            st.markdown(f"**{group}**")
            used = [name for name in _fields(group) if is_used(name, settings())]
            switches = [name for name in used if RunConfig.model_fields[name].annotation is bool]
            others = [name for name in used if name not in switches]
            for start in range(0, len(others), 2):  # in rows, as what was changed since a recipe is taller
                for column, name in zip(st.columns(2), others[start : start + 2], strict=False):
                    with column:
                        setting(name)
            for name in switches:
                setting(name)


def _fields(group: str) -> list[str]:
    return [
        name
        for name, field in RunConfig.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra["group"] == group
    ]
