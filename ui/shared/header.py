"""The header of every page: the brand, which leads home, the sign of running work and the bell.

    show_brand()            # before the navigation
    show_header()           # after the page, which may have launched something

While something waits or trains, this part alone refreshes itself.
"""

from pathlib import Path

import streamlit as st

from core.runs import open_store
from ui.shared.notifications import show_notifications
from ui.shared.running_sign import show_running_sign

_REFRESH_S = 2.0
_BRAND = Path(__file__).resolve().parents[1] / "brand.svg"


def show_brand() -> None:
    """Show the brand; `ui/theme.css` keeps room for what else stands in the header."""
    st.logo(str(_BRAND), size="medium")


def show_header() -> None:
    """Show how far running work is, and offer to tell when it ends."""
    st.fragment(_show, run_every=_REFRESH_S if open_store().pending() else None)()


def _show() -> None:
    pending = open_store().pending()
    show_running_sign(pending)
    show_notifications(pending)
