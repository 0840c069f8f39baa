"""A table whose texts stay text in a spreadsheet as well: above each, Streamlit offers to download it as CSV.

    show_data_table(pd.DataFrame({"Class": names, "Images": counts}), hide_index=True, key="classes")

No page calls `st.dataframe` itself where there are words.
"""

from typing import Any

import pandas as pd
import streamlit as st

from core.system.text import is_like_a_formula
from ui.shared.formatting import WORD_JOINER


def show_data_table(frame: pd.DataFrame, **options: Any) -> Any:
    """Show a table as `st.dataframe` does with these options, and return what that returns.

    What a spreadsheet would take for a formula begins with a joiner, which nobody sees.
    """
    shown = frame.rename(columns=_as_text)
    for name in shown.select_dtypes(["object", "string"]):
        shown[name] = shown[name].map(_as_text)
    return st.dataframe(shown, **options)


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return f"{WORD_JOINER}{value}" if isinstance(value, str) and is_like_a_formula(value) else value
