"""The views of a run and its partner: curves, errors and what else there is to see; only the one that is open runs.

show_views(runs)
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import FinishedRun, Run, finished
from core.training.metrics import per_class
from ui.results.evaluation import show_class_scores, show_confidence
from ui.results.exports import show_exports, show_report
from ui.results.near_duplicates import show_grouped_accuracies
from ui.results.run_settings import show_settings
from ui.shared.class_doubts import show_class_doubts
from ui.shared.error_explorer import show_errors
from ui.shared.live import watch
from ui.shared.logs import show_log
from ui.shared.open_dataset import open_dataset_of
from ui.shared.test_predictions import network_of, test_answers, with_test_predictions

VIEWS = ("Curves", "Errors", "Classes", "Confidence", "Settings", "Export", "Log")
"""As the address names them: `?view=Errors`."""


def show_views(runs: Sequence[Run]) -> None:
    """Show the view that is open: the curves, unless another was chosen or the address leads to images of errors."""
    if "cell" in st.query_params:
        st.session_state.setdefault("view", "Errors")
    tabs = dict(zip(VIEWS, st.tabs(VIEWS, key="view", bind="query-params"), strict=True))
    view = next(name for name, tab in tabs.items() if tab.open)
    done = finished(runs)
    with tabs[view]:
        match view:
            case "Curves":
                watch(runs, key="results", details=True)
            case "Settings":
                show_settings(runs)
            case "Log":
                for run in runs:
                    show_log(run)
            case _ if not done:
                st.caption("This comes with the test images, when the training is done.")
            case _:
                _show_finished(view, _choose(done), done)


def _choose(done: Sequence[FinishedRun]) -> FinishedRun:
    """Let one of a pair be chosen."""
    titles = {FRAMEWORK_TITLES[run.config.framework]: run for run in done}
    chosen = next(iter(titles))
    if len(done) > 1:
        chosen = st.segmented_control("Details of", list(titles), default=chosen, required=True, key="details")
    return titles[chosen]


def _show_finished(view: str, chosen: FinishedRun, done: Sequence[FinishedRun]) -> None:
    """Show what a finished run predicted of the test images, or how to take its network away."""
    if view == "Export":
        show_report(done)
        show_exports(chosen)
        return
    dataset = open_dataset_of(chosen)
    if dataset is None:
        return
    if view in ("Classes", "Errors"):
        show_class_doubts(dataset)
    if view == "Classes":
        show_class_scores(per_class(np.array(chosen.results.confusion)), dataset.class_names)
        return
    same_images = [run for run in with_test_predictions(done) if run.results.fingerprint == dataset.fingerprint]
    if chosen not in same_images:
        return
    probabilities, labels = test_answers(chosen.id, chosen.ended_at)
    if view == "Confidence":
        show_confidence(chosen, probabilities, labels)
    else:
        show_grouped_accuracies(same_images, dataset)
        networks = [network_of(run, FRAMEWORK_TITLES[run.config.framework]) for run in same_images]
        show_errors("errors", dataset, labels, networks, of=same_images.index(chosen))
