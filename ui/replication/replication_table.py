"""The table of published and measured figures, with where and when it was measured."""

import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.recipes import get_recipe
from core.studies.replication import Report, Row
from core.system.text import duration
from ui.shared.data_table import show_data_table

_WIDTHS = {"Recipe": 165, "Framework": 85, "Data": 250, "Figure": 185, "Measured": 125}
"""In pixels, of the columns of words: what is chosen for them otherwise cuts them off."""


def show_replication(report: Report) -> None:
    """Show a row a figure, then the machine, and what each recipe assumed."""
    show_data_table(
        pd.DataFrame([_cells(row) for row in report.rows]),
        hide_index=True,
        height="content",
        column_config={
            **{name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()},
            "Reported": st.column_config.NumberColumn(format="%.4f"),
            "Difference": st.column_config.TextColumn(alignment="right"),
        },
    )
    if missing := list(dict.fromkeys(row.missing for row in report.rows if not row.measured)):
        st.caption(f"For what is not measured yet: {'; '.join(missing)}.")
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    st.caption(f"`{report.command}` on {report.date}: {report.machine}; {versions}.")
    with st.expander("What was assumed where a publication is silent"):
        for name in dict.fromkeys(row.recipe for row in report.rows):
            st.markdown(f"**{name}**: {get_recipe(name).assumed}")


def _cells(row: Row) -> dict[str, object]:
    spread = f" ± {row.spread:.4f}" if row.spread is not None else ""
    return {
        "Recipe": row.recipe,
        "Framework": FRAMEWORK_TITLES[row.framework],
        "Data": row.data,
        "Figure": row.figure,
        "Reported": row.reported,
        "Measured": f"{row.mean:.4f}{spread}" if row.measured else "not yet",
        "Seeds": len(row.measured),
        "Difference": f"{row.mean - row.reported:+.4f}" if row.measured else "",
        "Training": duration(row.seconds) if row.seconds is not None else "",
    }
