"""The head of a run's results: what it is, its state and attempts, what can be done with it.

show_header(run, group)
"""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.config import FRAMEWORK_TITLES, OPTIMIZER_TITLES
from core.datasets import get_specification
from core.runs import INACTIVE, Attempt, Run, open_store
from ui.shared.formatting import badge_of, counted, escape_markdown, state_of
from ui.shared.presses import pressed
from ui.shared.run_actions import show_actions
from ui.shared.run_annotations import change_labels, show_labels
from ui.shared.settings import fill


def show_header(run: Run, group: Sequence[Run]) -> None:
    """Show what a run is and how it is, with its partner; actions concern both.

    What stops or pauses a run that goes on stands beside its progress."""
    limit = "" if run.config.train_limit is None else f" · {run.config.train_limit:,} training images"
    network = f"{run.config.architecture} on {_data_title(run.config.dataset)}"
    st.page_link("../pages/results.py", label="All runs", icon=":material/chevron_left:")
    st.title(escape_markdown(run.name or network))
    if run.deleted_at is not None:
        st.warning("This run is deleted: it is on no list. *Restore* puts it back.", icon=":material/delete:")
    with st.container(horizontal=True, vertical_alignment="center"):
        for each in (each for each in group if each.state in INACTIVE):  # before that, its progress tells
            icon, colour = badge_of(each)
            st.badge(f"{FRAMEWORK_TITLES[each.config.framework]}: {state_of(each)}", icon=icon, color=colour)
        st.caption(
            f"{f'{escape_markdown(network)} · ' if run.name else ''}{counted(run.config.epochs, 'epoch')} · "
            f"batch size {run.config.batch_size} · {OPTIMIZER_TITLES[run.config.optimizer]} at "
            f"{run.config.learning_rate:g}{limit} · seed {run.config.seed} · run `{run.id}`"
        )
    show_labels(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.state == "done":
            st.page_link(
                "../pages/predict.py",
                label="Predict with this model",
                icon=":material/draw:",
                query_params={"run": run.id},
            )
        if pressed(
            "Clone", key="again", icon=":material/content_copy:", help="Fills in these settings on the Train page."
        ):
            fill(run.config.model_dump())
            st.switch_page("../pages/train.py")
        change_labels(group)
        show_actions([each for each in group if each.state in INACTIVE], key="header")
    for each in group:
        _show_attempts(each)


def title_parts(run: Run, group: Sequence[Run]) -> list[str]:
    """Return what the browser tab's title says of a run and its partner: its name, the frameworks, how they are."""
    figures = [
        state_of(each) if each.results.test_accuracy is None else f"{each.results.test_accuracy:.1%}" for each in group
    ]
    frameworks = [FRAMEWORK_TITLES[each.config.framework] for each in group]
    told = [" ".join(pair) for pair in zip(frameworks, figures, strict=True)]
    return [run.name or run.config.architecture, *(told if len(group) > 1 else [frameworks[0], figures[0]])]


def _data_title(name: str) -> str:
    try:
        return get_specification(name).title
    except ValueError:  # removed since
        return name


def _show_attempts(run: Run) -> None:
    """List the attempts at a run where there was more than one."""
    attempts = open_store().attempts(run.id)
    if len(attempts) < 2:
        return
    with st.expander(f"{FRAMEWORK_TITLES[run.config.framework]}: {len(attempts)} attempts", icon=":material/history:"):
        for attempt in attempts:
            st.markdown(_in_words(attempt))


def _in_words(attempt: Attempt) -> str:
    origin = f"resumed from step {attempt.resumed_step:,}" if attempt.resumed_step else "from the beginning"
    started = "" if attempt.started_at is None else f"{datetime.fromtimestamp(attempt.started_at):%d %b %H:%M:%S}, "
    failure = f": {escape_markdown(attempt.failure)}" if attempt.failure else ""
    return f"{attempt.attempt}. {started}{origin}, {attempt.state}{failure}"
