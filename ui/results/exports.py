"""A download for each form in which a run's network can leave Duet; made when it is asked for.

show_exports(run)
"""

from functools import partial

import streamlit as st

from core.export import FORMATS, export, file_name
from core.runs import Run


def show_exports(run: Run) -> None:
    """Offer every format with a sentence on what it is; a download takes seconds, as a process of its own makes it."""
    st.subheader("Export")
    for name, entry in FORMATS.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                entry.title,
                data=partial(export, run.id, name),
                file_name=file_name(run.id, name),
                mime="application/octet-stream",
                icon=":material/download:",
                key=f"export-{name}",
                on_click="ignore",
                width=220,
            )
            st.caption(entry.description)
