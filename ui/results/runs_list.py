"""All runs, filtered and by page; what is asked for is in the address, so it survives a reload and can be sent.

show_runs_list()
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.jobs.scheduler import ensure_running
from core.runs import Run, State, finished, new_id, open_store
from ui.results.exports import offer_report
from ui.shared.assigned_values import assign, hold
from ui.shared.formatting import counted, escape_markdown
from ui.shared.launching import submitter
from ui.shared.presses import pressed
from ui.shared.run_actions import ask_to_remove, show_actions, show_undo_of_runs
from ui.shared.run_annotations import add_tags
from ui.shared.runs_table import FIGURES, SETTINGS, choose_rows

PAGE = 50
"""Runs on a page."""

_DOUBLE_CLICK_S = 2.0

_SORTS: Mapping[str, tuple[str, bool]] = {
    "Newest": ("created_at", True),
    "Name": ("name", False),
    **{title: (name, name not in ("test_loss", "train_seconds", "parameters")) for title, (name, _) in FIGURES.items()},
    **{title: (name, False) for title, name in SETTINGS.items()},
}
"""What rows can be sorted by: the store's column, and whether the greatest come first."""


def show_runs_list() -> None:
    """Show the filters, a page of the runs that fit, and what can be done with those that are selected."""
    store = open_store()
    show_undo_of_runs()
    filters = _choose_filters()
    if not store.count(**filters):
        _say_what_next(filters)
        return
    folded, sort, descending, columns = _choose_look()
    count = store.count_rows(folded=folded, **filters)
    number = _choose_page(count)
    rows = store.rows(
        folded=folded, sort=sort, descending=descending, limit=PAGE, offset=(number - 1) * PAGE, **filters
    )
    actions = st.container(horizontal=True, vertical_alignment="center")
    selected = choose_rows(rows, key="runs", best=store.best_rows(folded=folded, **filters), columns=columns)
    with actions:
        keys = [row.key for row in selected]
        _act_on(store.runs_of(keys, folded=folded, **filters) if keys else [], store.count(**filters), filters)


def _choose_filters() -> dict[str, Any]:
    """Offer what runs can be filtered by, and return the filters of the store."""
    store = open_store()
    common: dict[str, Any] = {"bind": "query-params", "on_change": _begin_at_first_page}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search", key="search", placeholder="Name, note, tag, network or id", type="search", width=300, **common
        )
        states = st.multiselect("State", get_args(State), key="state", placeholder="Any", width=260, **common)
        filters: dict[str, Any] = {"search": search, "states": states or None}
        choices: dict[str, tuple[str, dict[Any, str]]] = {
            "framework": ("Framework", dict(FRAMEWORK_TITLES)),
            "dataset": ("Data set", _named(store.values("dataset"))),
            "architecture": ("Network", _named(store.values("architecture"))),
            "tag": ("Tag", _named(store.tags())),
        }
        for name, (title, options) in choices.items():
            asked = st.query_params.get(name)
            # One that is left from an address stays, with nothing to show, rather than being dropped unsaid.
            if asked and asked not in options.values():
                options[asked] = asked
            if len(options) > 1 or asked:
                filters[name] = st.selectbox(
                    title,
                    list(options),
                    index=None,
                    format_func=options.__getitem__,
                    key=name,
                    placeholder="Any",
                    width=170,
                    **common,
                )
        filters["deleted"] = st.toggle("Deleted runs", key="deleted", **common)
    return filters


def _named(values: Sequence[str] | Mapping[str, int]) -> dict[str, str]:
    return {value: value for value in values}


def _choose_look() -> tuple[bool, str, bool, list[str]]:
    """Offer how rows are made and sorted, and which columns they have; return it in this order: folded, sorted by
    which column of the store, descending, titles of columns."""
    common: dict[str, Any] = {"bind": "query-params"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sort = st.selectbox("Sort by", list(_SORTS), key="sort", width=200, on_change=_begin_at_first_page, **common)
        reverse = st.toggle("Reversed", key="reversed", on_change=_begin_at_first_page, **common)
        together = st.toggle(
            "Seeds and frameworks together",
            value=True,
            key="together",
            on_change=_begin_at_first_page,
            help="Runs that differ by their seed and framework alone are one row, with mean, standard deviation and "
            "number of the finished ones.",
            **common,
        )
        columns = st.multiselect(
            "Columns",
            [*FIGURES, *SETTINGS],
            key="columns",
            placeholder="Settings that differ",
            width=320,
            **common,
        )
    name, descending = _SORTS[sort]
    return together, name, descending != reverse, columns


def _begin_at_first_page() -> None:
    assign("page", 1)


def _choose_page(count: int) -> int:
    """Offer the pages where there is more than one, and return the number of the chosen one, from 1."""
    pages = math.ceil(count / PAGE)
    hold("page")
    return st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1


def _say_what_next(filters: Mapping[str, Any]) -> None:
    if filters["deleted"]:
        st.info("No deleted run fits. Runs that you delete can be put back from here.")
    elif any(filters.values()):
        st.info("No run fits. Clear a filter to see more.")
    else:
        st.info("No runs yet. Press *Train both now* on the Home page, or choose the settings on the Train page.")
        st.page_link("../pages/train.py", label="Choose settings", icon=":material/tune:")


def _act_on(selected: Sequence[Run], count: int, filters: Mapping[str, Any]) -> None:
    """Show what can be done with the selected runs, or how to select some."""
    if not selected:
        st.caption(
            f"{counted(count, 'run')}. Click a network to open its run; select some to compare, stop, tag, clone or "
            "delete."
        )
        if filters["deleted"] and pressed("Remove all for good", icon=":material/delete_forever:", key="remove"):
            ask_to_remove()
        return
    st.markdown(f"**{counted(len(selected), 'run')} selected**")
    if len(selected) == 1:
        st.page_link(
            "../pages/results.py", label="Open", icon=":material/open_in_new:", query_params={"run": selected[0].id}
        )
    done = finished(selected)
    if len(done) > 1:
        st.page_link(
            "../pages/compare.py",
            label="Compare",
            icon=":material/balance:",
            query_params={"runs": ",".join(run.id for run in done)},
        )
    show_actions(selected, key="selected")
    if not filters["deleted"]:
        st.button(
            "Clone",
            icon=":material/content_copy:",
            help="Queues a new run with the settings of each.",
            key="selected-clone",
            on_click=_clone,
            args=([run.id for run in selected],),
        )
        add_tags(selected, key="selected")
    if done:
        offer_report(done, key="selected-report")


def _clone(run_ids: Sequence[str]) -> None:
    """Queue a copy of each run; the second half of a double click makes none."""
    before = st.session_state.get("cloned")
    if before is None or before[0] != run_ids or time.monotonic() - before[1] > _DOUBLE_CLICK_S:
        before = (run_ids, time.monotonic(), new_id())
    st.session_state["cloned"] = before
    for run_id in run_ids:
        try:
            open_store().clone(run_id, submission=f"{before[2]}/{run_id}", submitter=submitter())
        except ValueError as error:  # its network or its data set was deleted
            st.toast(escape_markdown(str(error)), icon=":material/info:")
    ensure_running()
    st.toast(f"{counted(len(run_ids), 'run')} queued.", icon=":material/content_copy:")
