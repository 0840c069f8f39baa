"""Which data set the page shows: the one that its address names, by name or title, or none where that is not here.

if dataset := open_dataset(choose_dataset()):
    st.image(dataset.test.images[0])
"""

import streamlit as st

from core.datasets import get_specification, names


def choose_dataset() -> str:
    """Let a data set be chosen and return its name; one that is asked for and has gone stays chosen, and says so."""
    titles = {name: get_specification(name).title for name in names()}
    asked = st.session_state.get("dataset") or st.query_params.get("dataset")
    if asked:
        by_title = {title.casefold(): name for name, title in titles.items()}
        chosen = asked if asked in titles else by_title.get(asked.casefold(), asked)
        titles.setdefault(chosen, f"{chosen} (not here)")
        if st.session_state.get("dataset") != chosen:
            st.session_state["dataset"] = chosen
    return st.selectbox(
        "Data set", list(titles), format_func=titles.__getitem__, key="dataset", bind="query-params", width=320
    )
