"""The browser tab's title: what a page shows, so that tabs and bookmarks can be told apart.

    set_page_title("cnn-quick", "PyTorch", "98.4%")         # "cnn-quick · PyTorch · 98.4% – Duet"

While runs train, `ui.shared.running_sign` puts their progress before it.
"""

import streamlit as st

from core.system.text import printable

_BRAND = "Duet"
_LONGEST = 120


def set_page_title(*parts: str) -> None:
    """Set the title from what is shown, the most telling part first; without any it is the brand alone."""
    shown = printable(" · ".join(part for part in parts if part))[:_LONGEST]
    st.set_page_config(page_title=f"{shown} – {_BRAND}" if shown else _BRAND)
