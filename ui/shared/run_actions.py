"""What can be done with runs, one or many: a button for each action that fits at least one of them.

    show_actions(runs, key="header")
    show_action("stop", run, key="queue")
    ask_to_delete(runs)

A button acts on those of the runs that it fits; what has changed since the page was drawn is told, not raised.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from core.jobs.scheduler import KEEP_DELETED_S, ensure_running
from core.runs import ACTIVE, INACTIVE, Run, Store, open_store
from ui.shared.dialogs import show_dialog
from ui.shared.formatting import counted, escape_markdown
from ui.shared.presses import pressed
from ui.shared.undo import forget_deletion, note_deletion, show_undo


class Action(NamedTuple):
    """A button: its words, what it does to a run, and which runs it fits."""

    title: str
    icon: str
    help: str
    act: Callable[[Store, str], None]
    fits: Callable[[Run], bool]


ACTIONS: dict[str, Action] = {
    "stop": Action(
        "Stop",
        ":material/stop:",
        "Ends the training after its current steps. The best weights so far are kept.",
        Store.request_stop,
        lambda run: run.state in (*ACTIVE, "queued", "paused") and not run.stop_requested,
    ),
    "pause": Action(
        "Pause",
        ":material/pause:",
        "Keeps where the training is and frees the device. *Resume* goes on from there.",
        Store.request_pause,
        lambda run: run.state in (*ACTIVE, "queued") and not run.stop_requested and not run.pause_requested,
    ),
    "resume": Action(
        "Resume",
        ":material/resume:",
        "Goes on from the last state that was kept, as if nothing had happened.",
        Store.resume,
        lambda run: run.state in ("failed", "stopped", "paused") and run.deleted_at is None,
    ),
    "retry": Action(
        "Restart",
        ":material/restart_alt:",
        "Trains this run anew from its first step. What it has learned so far is given up.",
        Store.retry,
        lambda run: run.state in ("failed", "stopped") and run.deleted_at is None,
    ),
    "restore": Action(
        "Restore",
        ":material/restore_from_trash:",
        "Puts the run back on the lists.",
        Store.restore,
        lambda run: run.deleted_at is not None,
    ),
}


def show_actions(runs: Sequence[Run], key: str) -> None:
    """Show a button for each action that fits any of `runs`; to be called inside a row of buttons."""
    for name, action in ACTIONS.items():
        fitting = [run.id for run in runs if action.fits(run)]
        if fitting:
            _show_button(name, fitting, key=f"{key}-{name}")
    can_go = [run for run in runs if can_be_deleted(run)]
    if can_go and pressed("Delete", icon=":material/delete:", key=f"{key}-delete"):
        ask_to_delete(can_go)


def show_action(name: str, run: Run, key: str, *, disabled: bool = False) -> None:
    """Show the button of one action for one run, whether it fits or not."""
    _show_button(name, [run.id], key=f"{key}-{name}-{run.id}", disabled=disabled)


def _show_button(name: str, run_ids: Sequence[str], key: str, *, disabled: bool = False) -> None:
    action = ACTIONS[name]
    # A callback, since the page may turn to a run that has just ended before it comes to this button.
    st.button(
        action.title,
        icon=action.icon,
        help=action.help,
        key=key,
        disabled=disabled,
        on_click=apply,
        args=(name, run_ids),
    )


def apply(name: str, run_ids: Sequence[str]) -> None:
    """Do an action to runs, and see to it that what is to be trained will be."""
    store = open_store()
    refusals = []
    for run_id in run_ids:
        try:
            ACTIONS[name].act(store, run_id)
        except ValueError as error:  # it has changed since the page was drawn
            refusals.append(str(error))
    ensure_running()
    for refusal in refusals:
        st.toast(escape_markdown(refusal), icon=":material/info:")


def can_be_deleted(run: Run) -> bool:
    """Say whether a run can be deleted: not while it trains."""
    return run.deleted_at is None and run.state in (*INACTIVE, "queued")


def ask_to_delete(runs: Sequence[Run]) -> None:
    """Ask before runs are deleted; where they were listed, it can be undone then."""
    show_dialog(f"Delete {counted(len(runs), 'run')}?", _confirm, [run.id for run in runs], icon=":material/delete:")


def _confirm(run_ids: Sequence[str]) -> None:
    st.write("*Undo* puts them back at once, *Deleted runs* on the Results page later.")
    st.caption(f"After {counted(round(KEEP_DELETED_S / 86_400), 'day')} they are removed for good.")
    _answer("Delete", ":material/delete:", "delete", _delete, run_ids)


def _answer(title: str, icon: str, key: str, act: Callable, *arguments: object) -> None:
    """Show the two buttons of a dialog, either of which closes it."""
    with st.container(horizontal=True):
        # A callback, since the dialog may have closed before the run comes to it.
        sure = st.button(title, type="primary", icon=icon, key=f"{key}-confirmed", on_click=act, args=arguments)
        if st.button("Cancel", key=f"{key}-cancelled") or sure:
            st.rerun()


def _delete(run_ids: Sequence[str]) -> None:
    store = open_store()
    for run_id in run_ids:
        try:
            store.delete(run_id)
        except ValueError as error:  # it has been resumed meanwhile
            st.toast(escape_markdown(str(error)), icon=":material/info:")
    note_deletion("runs", list(run_ids), f"{counted(len(run_ids), 'run')} deleted.")


def show_undo_of_runs() -> None:
    """Offer to take back the last deletion of runs of this visit."""
    show_undo("runs", partial(apply, "restore"))


def ask_to_remove() -> None:
    """Ask before all deleted runs are removed for good."""
    show_dialog("Remove all deleted runs for good?", _confirm_removal, icon=":material/delete_forever:")


def _confirm_removal() -> None:
    count = open_store().count(deleted=True)
    st.write(f"{counted(count, 'deleted run')}, with their weights, results and logs. This cannot be undone.")
    _answer("Remove for good", ":material/delete_forever:", "removal", _remove)


def _remove() -> None:
    open_store().purge()
    forget_deletion("runs")
