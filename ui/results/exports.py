"""Downloads: a report, and the network in each form in which it can leave Duet; made when they are asked for.

show_report(runs)
show_exports(run)
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import streamlit as st

from core.export import FORMATS, export, file_name
from core.runs import FinishedRun, Run
from core.studies.groups import fold_all_seeds

_MOST_SETTINGS, _MOST_RUNS = 12, 100
"""As MOST and MOST_RUNS of core.export.report, which is not imported before a report is asked for."""


def show_report(runs: Sequence[FinishedRun]) -> None:
    """Offer a report of a run, or of a pair."""
    with st.container(horizontal=True, vertical_alignment="center"):
        offer_report(runs, key="report", width=220)
        st.caption("Accuracies, curves, errors and settings in one file that opens offline and prints well.")


def offer_report(runs: Sequence[FinishedRun], key: str, width: Literal["content"] | int = "content") -> None:
    """Show the button that makes a report of some runs and downloads it; of very many settings the first ones."""
    groups = fold_all_seeds(runs)
    told = [run for group in groups[:_MOST_SETTINGS] for run in group.runs]
    st.download_button(
        "Report",
        data=partial(_report, told[:_MOST_RUNS]),
        file_name=f"duet-{runs[0].id}.html",
        mime="text/html",
        icon=":material/description:",
        key=key,
        on_click="ignore",
        width=width,
        help=None
        if len(groups) <= _MOST_SETTINGS
        else f"Of the first {_MOST_SETTINGS} settings: more are no longer read on paper.",
    )


def _report(runs: Sequence[FinishedRun]) -> bytes:
    # Not before it is asked for: it draws with an engine of its own, which no page needs.
    from core.export.report import report

    return report(runs).encode("utf-8", "backslashreplace")


def show_exports(run: Run) -> None:
    """Offer every format with a sentence on what it is; a download takes seconds, as a process of its own makes it."""
    for name, entry in FORMATS.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                entry.title,
                data=partial(export, run.id, name),
                file_name=file_name(run.id, name),
                mime="application/octet-stream",
                icon=":material/download:",
                key=f"export-{name}",
                on_click="ignore",
                width=220,
            )
            st.caption(entry.description)
