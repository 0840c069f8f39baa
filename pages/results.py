"""Results: how a run goes or went, `?run=ID`. Live curves, then where the network errs and with what.

A run of a pair is shown beside its partner.
"""

import numpy as np
import streamlit as st

from core.charts import confusion_matrix
from core.config import FRAMEWORK_TITLES
from core.datasets import load
from core.evaluation import (
    confused_pairs,
    confusion,
    disagreement,
    interval,
    per_class,
    worst_mistakes,
)
from core.home import run_directory
from core.runs import AT_REST, Run, open_store
from ui.evaluation import show_class_scores, show_confused_pairs, show_mistakes
from ui.exports import show_exports
from ui.first_batch import show_first_batch
from ui.knobs import fill
from ui.live import watch
from ui.runs_table import show_runs
from ui.seeds import show_way_to_seeds
from ui.test_images import test_answers
from ui.words import ENDING_BADGES, counted, kept_epoch, literal

LOG_BYTES = 20_000


def show_header(run: Run, group: list[Run]) -> None:
    """Show what the run is, its state, and what can be done with it."""
    st.title(f"{run.config.architecture} on {literal(load(run.config.dataset).specification.title)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        for each in (each for each in group if each.state in AT_REST):  # before that, its progress tells
            icon, colour = ENDING_BADGES[each.state]
            st.badge(f"{FRAMEWORK_TITLES[each.config.framework]}: {each.state}", icon=icon, color=colour)
        st.caption(
            f"{counted(run.config.epochs, 'epoch')} · batch size {run.config.batch_size} · {run.config.optimizer} at "
            f"{run.config.learning_rate:g} · seed {run.config.seed} · run `{run.id}`"
        )
    with st.container(horizontal=True):
        if st.button("Use these settings again", key="again", icon=":material/replay:"):
            fill(run.config.model_dump())
            st.switch_page("../pages/train.py")
        if run.state == "done":
            st.page_link(
                "../pages/predict.py",
                label="Let it read an image",
                icon=":material/draw:",
                query_params={"run": run.id},
            )


def show_failure(run: Run) -> None:
    """Say what went wrong, what to do about it, and where to read more."""
    st.error(
        f"**{FRAMEWORK_TITLES[run.config.framework]}: {literal(run.failure)}** {literal(run.advice)}",
        icon=":material/error:",
    )
    if run.traceback:
        with st.expander("Traceback"):
            st.code(run.traceback, language=None)


def show_log(run: Run) -> None:
    """Offer the last lines that a run's process wrote."""
    log = run_directory(run.id) / "log.txt"
    if log.exists():
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            lines = file.read().decode(errors="replace")
        with st.expander(f"Log, {FRAMEWORK_TITLES[run.config.framework]}", icon=":material/notes:"):
            st.code(lines, language=None)


def show_figures(runs: list[Run]) -> None:
    """Show the test figures of each run, and whether two of them really differ."""
    for run, column in zip(runs, st.columns(len(runs)), strict=True):
        results = run.results
        count = int(np.sum(results["confusion"]))
        low, high = interval(results["test_accuracy"], count)
        with column, st.container(horizontal=True):
            st.metric(f"Test accuracy, {FRAMEWORK_TITLES[run.config.framework]}", f"{results['test_accuracy']:.2%}")
            st.metric("Test loss", f"{results['test_loss']:.4f}")
            st.metric("Validation accuracy", f"{results['val_accuracy']:.2%}")
            st.metric("Training", f"{results['train_seconds']:.1f} s")
        column.caption(f"95% interval {low:.2%} to {high:.2%}, from {count:,} test images. {kept_epoch(run)}")
    if len(runs) == 2:
        (first, labels), (second, _) = (test_answers(run.id, run.ended_at) for run in runs)
        apart = disagreement(first.argmax(axis=1), second.argmax(axis=1), labels)
        names = [FRAMEWORK_TITLES[run.config.framework] for run in runs]
        verdict = (
            "their difference may well be chance."
            if apart.by_chance
            else "chance alone would rarely part them so unevenly, though another seed may."
        )
        st.info(
            f"{apart.only_first} test images are read correctly by {names[0]} alone, {apart.only_second} by "
            f"{names[1]} alone: {verdict}",
            icon=":material/balance:",
        )


def show_errors(run: Run) -> None:
    """Show which classes are taken for which, and the worst mistakes."""
    dataset = load(run.config.dataset)
    probabilities, labels = test_answers(run.id, run.ended_at)
    matrix = confusion(labels, probabilities.argmax(axis=1), len(dataset.class_names))
    st.subheader("Confusion matrix")
    unit = st.segmented_control("Cells show", ["Counts", "Rates"], default="Counts", required=True, key="cells")
    left, right = st.columns([3, 2], gap="large")
    with left:
        figure = confusion_matrix(matrix, dataset.class_names, as_rates=unit == "Rates")
        st.plotly_chart(figure, key="confusion", config={"displayModeBar": False}, alt="Confusion matrix")
    with right:
        show_confused_pairs(confused_pairs(matrix), dataset.class_names)
    st.subheader("Each class")
    show_class_scores(per_class(matrix), dataset.class_names)
    st.subheader("Worst mistakes")
    show_mistakes(worst_mistakes(probabilities, labels), probabilities, dataset, run.config.framework)


def show(run: Run) -> None:
    """Show one run, with its partner if it has one."""
    group = open_store().find(pair=run.pair, oldest_first=True) if run.pair else [run]
    show_header(run, group)
    show_way_to_seeds(run)
    for each in group:
        if each.state == "failed":
            show_failure(each)
    watch(group, key="results", details=True)
    if finished := [each for each in group if each.state == "done"]:
        st.subheader("On test images")
        show_figures(finished)
        titles = {FRAMEWORK_TITLES[each.config.framework]: each for each in finished}
        chosen = next(iter(titles))
        if len(finished) > 1:
            chosen = st.segmented_control("Details of", list(titles), default=chosen, required=True, key="details")
        show_errors(titles[chosen])
        show_first_batch(titles[chosen].config)
        show_exports(titles[chosen])
    for each in group:
        show_log(each)


asked = st.query_params.get("run")
if asked is None:
    st.title("Results")
    show_runs(open_store().find(limit=100), key="runs")
else:
    try:
        run = open_store().get(asked)
    except ValueError:
        st.error("This address names a run that is not here: it may have been made on another machine.")
        st.page_link("../pages/results.py", label="All runs", icon=":material/list:")
    else:
        show(run)
