"""What an import did: how many images of what kind, what else is good to know, and every file that was left out.

show_report(report)
show_skipped(plan.skipped)        # also of a plan, before the import
"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.datasets.files import Skipped
from core.datasets.importing import Report
from ui.shared.data_table import show_data_table
from ui.shared.formatting import counted, escape_markdown

_SIZES = 5


def show_report(report: Report) -> None:
    """Show what the report of an import says."""
    sizes = list(report.sizes.items())
    told = ", ".join(f"{count:,} of {size}" for size, count in sizes[:_SIZES])
    more = f" and {len(sizes) - _SIZES:,} other sizes" if len(sizes) > _SIZES else ""
    height, width, channels = report.shape
    given = f", {report.validation_images:,} of them to validate on" if report.validation_images else ""
    st.markdown(
        f"**{escape_markdown(report.format)}**: {report.images['train']:,} images to train on{given}, "
        f"{report.images['test']:,} to test on, {len(report.class_names)} classes. They came as {told}"
        f"{more} pixels and are kept as {height}×{width}×{channels}."
    )
    for note in report.notes:
        st.info(escape_markdown(note), icon=":material/info:")
    show_skipped(report.skipped)


def show_skipped(skipped: Sequence[Skipped]) -> None:
    """Show the files that are not used, why, and the fix of each."""
    if not skipped:
        return
    st.warning(f"{counted(len(skipped), 'file')} left out.", icon=":material/rule:")
    show_data_table(pd.DataFrame(skipped, columns=["File", "Why", "Fix"]), hide_index=True, key="left-out")
