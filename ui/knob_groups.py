"""The knobs of the Train page in their order: the common ones, then the rest in groups under Advanced.

show_knobs()
"""

import streamlit as st

from core.config import GROUPS, RunConfig, is_used
from ui.knobs import knob, settings, show_rate_note


def show_knobs() -> None:
    """Show every knob that does something beside the others that are chosen."""
    knob("dataset")
    knob("architecture")
    first, second = st.columns(2)
    with first:
        knob("epochs")
        knob("optimizer")
    with second:
        knob("batch_size")
        knob("learning_rate")
    show_rate_note()
    with st.expander("Advanced", icon=":material/tune:"):
        for group in GROUPS:
            st.markdown(f"**{group}**")
            columns = st.columns(2)
            for position, name in enumerate(name for name in _fields(group) if is_used(name, settings())):
                with columns[position % 2]:
                    knob(name)


def _fields(group: str) -> list[str]:
    return [
        name
        for name, field in RunConfig.model_fields.items()
        if field.json_schema_extra and field.json_schema_extra["group"] == group
    ]
