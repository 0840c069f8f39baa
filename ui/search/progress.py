"""A search as it goes: its state, the best trial, how the best grew, and what can be done with it.

show_search(search)
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.search import history, trial_frame
from core.jobs.scheduler import submit
from core.runs import Search, Store, Trial, new_id, open_store
from core.studies.search.control import (
    ensure_driving,
    extend_search,
    pause_search,
    resume_search,
    specification_of,
    stop_search,
)
from core.studies.search.outcome import best_trial, trials_without_gain
from core.studies.search.space import value_in_words
from core.studies.search.specification import PRUNERS, SAMPLERS, Specification
from core.system.text import duration
from ui.shared.data_table import show_data_table
from ui.shared.formatting import counted, escape_markdown
from ui.shared.launching import submitter
from ui.shared.presses import pressed

_REFRESH_S = 2.0
_SEEDS = 5
_FEW = 10

_WHY_VALIDATION = (
    "The best is chosen by validation accuracy, never by the test images: whoever chooses by these can no longer tell "
    "by them how good the choice is. The highest of many is a little too high by luck; more seeds tell."
)

_BADGES: dict[str, tuple[str, Any]] = {
    "running": (":material/progress_activity:", "blue"),
    "paused": (":material/pause:", "blue"),
    "stopped": (":material/stop:", "orange"),
    "done": (":material/check:", "green"),
}


def show_search(search: Search) -> None:
    """Show how a search goes, live while it goes on."""
    unsettled = search.state == "running" or bool(open_store().trials(search.id, ("running",)))
    st.fragment(_watch, run_every=_REFRESH_S if unsettled else None)(search.id, unsettled)


def _watch(search_id: str, unsettled: bool) -> None:
    store = open_store()
    search, trials = store.search(search_id), store.trials(search_id)
    specification = specification_of(search)
    if unsettled:
        if search.state != "running" and all(trial.state != "running" for trial in trials):
            st.rerun()
        if search.state != "paused" or any(trial.state == "running" for trial in trials):
            ensure_driving()
    elif search.state == "running":  # resumed or extended just now: from here on it is watched
        st.rerun()
    with st.container():  # whatever comes and goes in it, the chart keeps its place and is not built anew
        _show_head(search, specification, trials)
        _show_best(specification, trials)
    st.altair_chart(history(trial_frame(specification.space, trials)), key="search-history")
    _show_trials(specification, trials)


def _show_head(search: Search, specification: Specification, trials: list[Trial]) -> None:
    ended = sum(trial.state != "running" for trial in trials)
    limit = specification.most_trials
    with st.container(horizontal=True, vertical_alignment="center"):
        icon, colour = _BADGES[search.state]
        st.badge(search.state, icon=icon, color=colour)
        st.caption(
            f"{counted(ended, 'trial')}{f' of {limit:,}' if limit else ''} ended · {SAMPLERS[specification.sampler]} · "
            f"pruning: {PRUNERS[specification.pruner].lower()} · {counted(specification.seeds, 'seed')} each · "
            f"{duration(search.spent_s)} of work · search `{search.id}`"
        )
    if limit:
        st.progress(min(ended / limit, 1.0))
    if search.reason:
        st.caption(escape_markdown(search.reason))
    with st.container(horizontal=True):
        if search.state == "running":
            _show_action("Pause", ":material/pause:", pause_search, search.id)
        if search.state in ("paused", "stopped"):
            _show_action("Resume", ":material/play_arrow:", resume_search, search.id)
        if search.state in ("running", "paused"):
            _show_action("Stop", ":material/stop:", stop_search, search.id)
        if specification.trials is not None and (specification.size is None or len(trials) < specification.size):
            _show_action("10 trials more", ":material/add:", _extend, search.id)


def _show_action(title: str, icon: str, act: Callable[[Store, str], None], search_id: str) -> None:
    st.button(title, icon=icon, key=f"search-{title}", on_click=_act, args=(act, search_id))


def _act(act: Callable[[Store, str], None], search_id: str) -> None:
    try:
        act(open_store(), search_id)
    except ValueError as error:  # another tab was faster
        st.toast(escape_markdown(str(error)), icon=":material/error:")


def _extend(store: Store, search_id: str) -> None:
    extend_search(store, search_id, trials=10)


def _show_best(specification: Specification, trials: list[Trial]) -> None:
    best = best_trial(trials)
    if best is None or best.val_accuracy is None:
        st.info("No trial has finished yet.")
        return
    spread = "" if best.spread is None else f" ± {100 * best.spread:.2f}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.metric("Best validation accuracy", f"{best.val_accuracy:.2%}{spread}", help=_WHY_VALIDATION)
        words = " · ".join(
            f"{dimension.title} {value_in_words(best.settings[dimension.name])}" for dimension in specification.space
        )
        st.markdown(f"**Trial {best.number + 1}**: {escape_markdown(words)}", width="content")
    with st.container(horizontal=True):
        if best.run_ids:
            st.page_link(
                "../pages/results.py",
                label="Open its run",
                icon=":material/open_in_new:",
                query_params={"run": best.run_ids[0]},
            )
        if pressed(
            f"Train the best with {_SEEDS} seeds on all data",
            icon=":material/casino:",
            key="search-best",
            help="Tells how much of its lead is luck.",
        ):
            configs = [
                config.model_copy(update={"train_limit": None})
                for config in specification.configs(best.settings, seed=0)
            ]
            run_ids = submit(open_store(), configs, submission=new_id(), submitter=submitter(), seeds=_SEEDS)
            st.switch_page("../pages/results.py", query_params={"run": run_ids[0]})
    without = trials_without_gain(trials)
    if without >= max(_FEW, len(trials) / 2):
        st.info(
            f"None of the last {without} trials was better by more than .1 points: going on may bring little.",
            icon=":material/trending_flat:",
        )


def _show_trials(specification: Specification, trials: list[Trial]) -> None:
    frame = pd.DataFrame(
        {
            "Trial": trial.number + 1,
            "State": trial.state,
            "Validation accuracy": trial.val_accuracy,
            **{each.title: value_in_words(trial.settings[each.name]) for each in specification.space},
            "Seconds": trial.seconds or None,
            "Why": trial.reason or "",
            "Run": f"/results?run={trial.run_ids[0]}" if trial.run_ids else None,
        }
        for trial in reversed(trials)
    )
    if trials:
        show_data_table(
            frame,
            hide_index=True,
            key="search-table",
            column_config={
                "Validation accuracy": st.column_config.NumberColumn(format="percent"),
                "Seconds": st.column_config.NumberColumn(format="%.1f"),
                "Run": st.column_config.LinkColumn(display_text="Open"),
            },
        )
