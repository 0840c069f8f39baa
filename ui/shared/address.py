"""Numbers in the page's address that a visitor may have changed by hand.

number_in_address("image", below=60_000, otherwise=0)
"""

import streamlit as st


def number_in_address(name: str, below: int, otherwise: int) -> int:
    """Return the whole number called `name` in the address; `otherwise` where there is none from 0 to `below` - 1."""
    asked = st.query_params.get(name, "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 and int(asked) < below else otherwise
