"""The frame around every page: the browser tab's title, the navigation, the bell. `dashboard.py` serves it.

A new page is one file in `pages/` and one line here.
"""

from pathlib import Path

import streamlit as st

from core.jobs.deaths import note_deaths
from core.runs import open_store
from ui.shared.assigned_values import show_acknowledgement
from ui.shared.notifications import show_notifications

_UI = Path(__file__).resolve().parent
_PAGES = _UI.parent / "pages"

st.set_page_config(page_title="Duet", page_icon=str(_UI / "icon.svg"), layout="wide")

note_deaths(open_store())
st.navigation(
    [
        st.Page(_PAGES / "home.py", title="Home", icon=":material/home:", default=True),
        st.Page(_PAGES / "data.py", title="Data", icon=":material/grid_view:"),
        st.Page(_PAGES / "train.py", title="Train", icon=":material/play_circle:"),
        st.Page(_PAGES / "results.py", title="Results", icon=":material/show_chart:"),
        st.Page(_PAGES / "compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page(_PAGES / "predict.py", title="Predict", icon=":material/draw:"),
        st.Page(_PAGES / "replication.py", title="Replication", icon=":material/science:"),
    ],
    position="top",
).run()

show_acknowledgement()
show_notifications()
