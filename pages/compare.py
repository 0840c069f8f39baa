"""Compare: finished runs over one another, their spread over seeds, and how far the two frameworks part."""

import streamlit as st

from core.charts.comparison import MOST_RUNS
from core.runs import FinishedRun, finished, open_store
from core.studies.comparison import run_labels
from ui.compare.comparison import (
    show_curves,
    show_differing_settings,
    show_disagreements,
    show_images_of_two,
    show_test_figures,
)
from ui.compare.parity import choose_measurement, show_measurement
from ui.shared.formatting import counted
from ui.shared.framework_defaults import show_defaults
from ui.shared.seeds import choose_group, show_seeds


def choose_runs() -> list[FinishedRun]:
    """Offer the finished runs, newest first; the newest pair, or the two newest, at the start."""
    done = {run.id: run for run in finished(open_store().find(states=("done",), limit=200))}
    newest = next(iter(done.values()), None)
    pair = [run_id for run_id, run in done.items() if newest and newest.pair and run.pair == newest.pair]
    labels = run_labels(list(done.values()))
    chosen = st.multiselect(
        "Runs",
        list(done),
        default=pair if len(pair) > 1 else list(done)[:2],
        format_func=lambda run_id: f"{labels[run_id]} · {counted(done[run_id].config.epochs, 'epoch')}",
        max_selections=MOST_RUNS,
        key="compared",
        help="Two or more finished runs.",
    )
    # Oldest first: a pair's PyTorch, which is queued first, then has its usual colour.
    return sorted((done[run_id] for run_id in chosen), key=lambda run: run.created_at)


def compare_runs() -> None:
    """Show the chosen runs over one another."""
    runs = choose_runs()
    if len(runs) < 2:
        st.info("Choose two finished runs or more. A pair is launched on the Train page with *Both*.")
        return
    show_curves(runs)
    show_differing_settings(runs)
    show_test_figures(runs)
    show_disagreements(runs)
    show_images_of_two(runs)


def compare_frameworks() -> None:
    """Show how far the frameworks part, and by which defaults they differ."""
    st.markdown(
        "One network, trained in both frameworks from the same weights on the same batches. "
        "In float64 two equal algorithms stay together; in float32 rounding alone parts them."
    )
    show_measurement(choose_measurement())
    st.subheader("Defaults that differ")
    show_defaults()


def compare_seeds() -> None:
    """Show how far the results of one setting spread over its seeds."""
    if runs := choose_group():
        show_seeds(runs)


st.title("Compare")
views = {"Runs": compare_runs, "Seeds": compare_seeds, "Parity": compare_frameworks}
view = st.segmented_control("Show", list(views), default="Runs", required=True, key="comparison", bind="query-params")
views[view]()
