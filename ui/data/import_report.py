"""What an import did: how many images of what kind, what else is good to know, and every file that was left out.

show_report(report)
show_left_out(plan.left_out)        # also of a plan, before the import
"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.datasets.files import LeftOut
from core.datasets.importing import Report
from ui.shared.formatting import counted, literal

_SIZES = 5


def show_report(report: Report) -> None:
    """Show what the report of an import says."""
    sizes = list(report.sizes.items())
    told = ", ".join(f"{count:,} of {size}" for size, count in sizes[:_SIZES])
    more = f" and {len(sizes) - _SIZES:,} other sizes" if len(sizes) > _SIZES else ""
    height, width, channels = report.shape
    st.markdown(
        f"**{literal(report.format)}**: {report.images['train']:,} images to train on, {report.images['test']:,} "
        f"to test on, {len(report.class_names)} classes. They came as {told}"
        f"{more} pixels and are kept as {height}×{width}×{channels}."
    )
    for note in report.notes:
        st.info(literal(note), icon=":material/info:")
    show_left_out(report.left_out)


def show_left_out(left_out: Sequence[LeftOut]) -> None:
    """Show the files that are not used, why, and what would mend each."""
    if not left_out:
        return
    st.warning(f"{counted(len(left_out), 'file')} left out.", icon=":material/rule:")
    st.dataframe(pd.DataFrame(left_out, columns=["File", "Why", "What would mend it"]), hide_index=True, key="left-out")
