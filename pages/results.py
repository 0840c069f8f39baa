"""Results: all runs; or how one goes or went, `?run=ID`: live curves, then where the network errs and with what.

A run of a pair is shown beside its partner.
"""

import numpy as np
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.datasets import Dataset
from core.runs import FinishedRun, Run, finished, open_store
from core.studies.verdicts import compare_predictions
from core.system.paths import checked_run_id
from core.training.metrics import per_class, wilson_interval
from ui.results.evaluation import show_class_scores, show_confidence
from ui.results.exports import show_exports
from ui.results.failures import show_doubt, show_failure
from ui.results.run_header import show_header
from ui.results.runs_list import show_runs_list
from ui.shared.error_explorer import show_errors
from ui.shared.first_batch import show_first_batch
from ui.shared.formatting import counted, kept_epoch
from ui.shared.live import watch
from ui.shared.logs import show_log
from ui.shared.open_dataset import open_dataset
from ui.shared.run_queue import show_queue
from ui.shared.seeds import show_way_to_seeds
from ui.shared.test_predictions import network_of, test_answers


def show_figures(runs: list[FinishedRun]) -> None:
    """Show the test figures of each run, and whether two of them really differ."""
    for run, column in zip(runs, st.columns(len(runs)), strict=True):
        results = run.results
        count = int(np.sum(results.confusion))
        low, high = wilson_interval(results.test_accuracy, count)
        with column, st.container(horizontal=True):
            st.metric(f"Test accuracy, {FRAMEWORK_TITLES[run.config.framework]}", f"{results.test_accuracy:.2%}")
            st.metric("Test loss", f"{results.test_loss:.4f}")
            st.metric("Validation accuracy", f"{results.val_accuracy:.2%}")
            st.metric("Training", f"{results.train_seconds:.1f} s")
        column.caption(f"95% interval {low:.2%} to {high:.2%}, from {count:,} test images. {kept_epoch(run)}")
    if len(runs) == 2:
        (first, labels), (second, _) = (test_answers(run.id, run.ended_at) for run in runs)
        test = compare_predictions(first.argmax(axis=1) == labels, second.argmax(axis=1) == labels)
        one, other = (FRAMEWORK_TITLES[run.config.framework] for run in runs)
        st.info(
            f"{counted(test.only_first, 'test image')} predicted correctly by {one} alone, {test.only_second:,} by "
            f"{other} alone: {test.in_words}, for these two trainings.",
            icon=":material/balance:",
        )


def show_errors_of(runs: list[FinishedRun], chosen: FinishedRun, dataset: Dataset) -> None:
    """Show which classes one of the runs takes for which, with the images, and its scores of each class."""
    networks = [network_of(run, FRAMEWORK_TITLES[run.config.framework]) for run in runs]
    probabilities, labels = test_answers(chosen.id, chosen.ended_at)
    st.subheader("Errors")
    show_errors("errors", dataset, labels, networks, of=runs.index(chosen))
    st.subheader("Each class")
    show_class_scores(per_class(np.array(chosen.results.confusion)), dataset.class_names)
    st.subheader("Confidence")
    show_confidence(chosen, probabilities, labels)


def show(run: Run) -> None:
    """Show one run, with its partner if it has one."""
    deleted = run.deleted_at is not None
    group = open_store().find(pair=run.pair, order="oldest", deleted=deleted) if run.pair else [run]
    with st.container():  # whatever comes and goes in it, the charts below keep their place and their zoom
        show_header(run, group)
        show_way_to_seeds(run)
        for each in group:
            if each.state == "failed":
                show_failure(each)
            show_doubt(each)
    watch(group, key="results", details=True)
    if done := finished(group):
        st.subheader("On test images")
        show_figures(done)
        titles = {FRAMEWORK_TITLES[each.config.framework]: each for each in done}
        chosen = next(iter(titles))
        if len(done) > 1:
            chosen = st.segmented_control("Details of", list(titles), default=chosen, required=True, key="details")
        if dataset := open_dataset(run.config.dataset):
            show_errors_of(done, titles[chosen], dataset)
            show_first_batch(titles[chosen].config)
        show_exports(titles[chosen])
    for each in group:
        show_log(each)


asked = st.query_params.get("run")
if asked is None:
    st.title("Results")
    show_queue()
    show_runs_list()
else:
    try:
        run = open_store().get(checked_run_id(asked))
    except ValueError:
        st.error("This address names a run that is not here: it may have been made on another machine.")
        st.page_link("../pages/results.py", label="All runs", icon=":material/list:")
    else:
        show(run)
