"""The frame around every page: the browser tab's title, the navigation, the header. `dashboard.py` serves it.

A new page is one file in `pages/` and one line here.
"""

from pathlib import Path

import streamlit as st

from core.jobs.deaths import note_deaths
from core.runs import open_store
from ui.shared.assigned_values import show_acknowledgement
from ui.shared.dialogs import forget_dialogs
from ui.shared.header import show_brand, show_header
from ui.shared.page_title import set_page_title
from ui.shared.presses import forget_presses

_UI = Path(__file__).resolve().parent
_PAGES = _UI.parent / "pages"

st.set_page_config(page_icon=str(_UI / "icon.svg"), layout="wide")
show_brand()
st.html(_UI / "theme.css")

forget_dialogs()
store = open_store()
note_deaths(store)
if store.refusal:
    st.warning(f"All can be looked at, but nothing can be kept. {store.refusal}", icon=":material/save_as:")
page = st.navigation(
    [
        st.Page(_PAGES / "home.py", title="Home", icon=":material/home:", default=True),
        st.Page(_PAGES / "data.py", title="Data", icon=":material/grid_view:"),
        st.Page(_PAGES / "train.py", title="Train", icon=":material/play_circle:"),
        st.Page(_PAGES / "search.py", title="Search", icon=":material/manage_search:"),
        st.Page(_PAGES / "results.py", title="Results", icon=":material/show_chart:"),
        st.Page(_PAGES / "compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page(_PAGES / "predict.py", title="Predict", icon=":material/draw:"),
        st.Page(_PAGES / "replication.py", title="Replication", icon=":material/science:"),
    ],
    position="top",
)
set_page_title(page.title)
page.run()

show_acknowledgement()
show_header()
forget_presses()
