"""What trains and what waits, in order, live in place: moved up, down or to the front, and stopped.

show_queue()
"""

from collections.abc import Collection

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.jobs.scheduler import CPU_SLOTS, cpu_slots, cpu_slots_are_fixed, ensure_running, set_cpu_slots
from core.runs import ACTIVE, Run, open_store
from core.runs.queue import Move
from ui.shared.dialogs import refresh_page
from ui.shared.formatting import counted, escape_markdown, status
from ui.shared.run_actions import show_action

_REFRESH_S = 1.0
_SHOWN = 20
_LINK_WIDTH = 320

_MOVES: dict[Move, tuple[str, str]] = {
    "front": (":material/vertical_align_top:", "To the front"),
    "up": (":material/arrow_upward:", "Up"),
    "down": (":material/arrow_downward:", "Down"),
}


def show_queue(besides: Collection[str] = ()) -> None:
    """Show the runs that train and those that wait, but for some that the page shows elsewhere."""
    pending = _pending()
    if any(run_id not in besides for run_id, _ in pending):
        st.fragment(_show, run_every=_REFRESH_S)(besides, pending)


def _pending() -> set[tuple[str, str]]:
    return {(run.id, run.state) for run in open_store().pending()}


def _show(besides: Collection[str], before: set[tuple[str, str]]) -> None:
    if _pending() != before:
        refresh_page()  # what has ended or begun shows elsewhere on the page, too
    ensure_running()
    store = open_store()
    active = [run for run in store.find(states=ACTIVE, order="oldest") if run.id not in besides]
    if active:
        st.subheader("Training now")
    for run in active:
        _show_active(run)
    queue = store.queue()
    waiting = [(position, run) for position, run in enumerate(queue) if run.id not in besides]
    if waiting:
        st.subheader(f"Waiting: {counted(len(queue), 'run')}")
    for position, run in waiting[:_SHOWN]:
        _show_waiting(run, position, len(queue))
    if len(waiting) > _SHOWN:
        st.caption(f"And {len(waiting) - _SHOWN:,} more.")
    if waiting:
        _choose_slots()


def _show_active(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _link(run)
        st.progress(run.progress, text=status(run))
        show_action("stop", run, key="queue", disabled=run.stop_requested)


def _show_waiting(run: Run, position: int, count: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{position + 1}\\.", width=28)  # else it would be a list of one
        _link(run)
        for move, (icon, title) in _MOVES.items():
            st.button(
                "",
                key=f"queue-{move}-{run.id}",
                icon=icon,
                help=title,
                type="tertiary",
                disabled=position == (count - 1 if move == "down" else 0),
                on_click=_move,
                args=(run.id, move),
            )
        show_action("stop", run, key="queue", disabled=run.stop_requested)


def _choose_slots() -> None:
    """Let the user say how many runs the CPU trains at once."""
    slots = cpu_slots(open_store())
    if st.session_state.get("cpu-slots") != slots:  # else a number just typed would be overwritten every second
        st.session_state["cpu-slots"] = slots
    st.number_input(
        "Runs at once on the CPU",
        min_value=CPU_SLOTS[0],
        max_value=CPU_SLOTS[-1],
        key="cpu-slots",
        width=220,
        disabled=cpu_slots_are_fixed(),
        on_change=_set_slots,
        help="A pair counts as one. More share the cores, so each takes longer; a GPU trains one at a time.",
    )


def _set_slots() -> None:
    set_cpu_slots(open_store(), st.session_state["cpu-slots"])
    ensure_running()


def _link(run: Run) -> None:
    title = f"{run.config.architecture} · {FRAMEWORK_TITLES[run.config.framework]}"
    st.page_link(
        "../pages/results.py",
        label=escape_markdown(f"{run.name} · {title}" if run.name else title),
        query_params={"run": run.id},
        width=_LINK_WIDTH,
    )


def _move(run_id: str, where: Move) -> None:
    try:
        open_store().move(run_id, where)
    except ValueError as error:  # it has been started meanwhile
        st.toast(escape_markdown(str(error)), icon=":material/info:")
