"""What is compared: any number of runs, which the address names, the seeds of a setting as one.

groups = choose_groups()            # `?runs=ID,ID,ID` or `?group=ID`
first, second = choose_two(groups)
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import ACTIVE, FinishedRun, Run, finished, open_store
from core.runs.folding import settings_key
from core.studies.groups import SeedGroup, fold_seeds
from core.system.paths import checked_run_id
from ui.shared.formatting import counted

_OFFERED = 200
"""So many of the newest finished runs can be picked from; any others come by the address, such as from a list."""
_MOST_RUNS = 400
_REFRESH_S = 2.0


def choose_groups() -> list[SeedGroup]:
    """Offer the finished runs, and return what is chosen, labelled by what differs among it."""
    asked = _asked()
    picker = st.container()
    together = st.toggle(
        "Seeds together",
        value=True,
        key="seeds-together",
        bind="query-params",
        help="Runs that differ by their seed alone are one line with a band, and one mean with a deviation.",
    )
    newest = finished(open_store().find(states=("done",), limit=_OFFERED))
    if asked is None:
        asked = list(_newest(newest))
    shown = _frameworks_in_order(fold_seeds(finished(asked), together=together))
    options = {group.key: group.ids for group in fold_seeds(newest, together=together)}
    options |= {group.key: group.ids for group in shown}
    runs = {run.id: run for run in (*newest, *finished(asked))}
    labels = {
        group.key: group.label
        for group in fold_seeds([runs[run_id] for ids in options.values() for run_id in ids], together=together)
    }
    _watch_pending([run for run in asked if run.state in ("queued", *ACTIVE)])
    address = (",".join(run.id for run in asked), together)
    if st.session_state.get("compared-as") != address:  # come by a link, or changed by a run that has ended
        st.session_state["compared"] = [group.key for group in shown]
        st.session_state["compared-as"] = address
    picker.multiselect(
        "Runs",
        list(options),
        format_func=lambda key: f"{labels[key]}{_seeds(options[key])}",
        key="compared",
        on_change=_to_address,
        args=(options,),
        help=f"The newest {_OFFERED} finished runs are offered. Others come from *Results*: select some there and "
        "press *Compare*.",
    )
    return shown


def choose_two(groups: Sequence[SeedGroup]) -> tuple[SeedGroup, SeedGroup] | None:
    """Return the two that are set against each other: of more than two, those that are chosen; None of fewer."""
    if len(groups) < 2:
        return None
    if len(groups) == 2:
        return groups[0], groups[1]
    pairs = {f"{first.key} {second.key}": (first, second) for first, second in combinations(groups, 2)}
    labels = {key: f"{first.label} and {second.label}" for key, (first, second) in pairs.items()}
    return pairs[st.selectbox("Two against each other", list(pairs), format_func=labels.__getitem__, key="two-of-them")]


def _asked() -> list[Run] | None:
    """Return the runs that the address names, oldest first; None where it names none."""
    group, named = st.query_params.get("group"), st.query_params.get("runs")
    if named is None and group is None:
        return None
    if named is not None:
        ids = list(dict.fromkeys(each for each in named.split(",") if each))[:_MOST_RUNS]
        known = [each for each in ids if _is_id(each)]
        found = open_store().find(ids=known, order="oldest", limit=_MOST_RUNS)
        missing = len(ids) - len(found)
    else:
        found = open_store().find(group=group, order="oldest", limit=_MOST_RUNS)
        missing = 0 if found else 1
    if missing:
        st.warning(
            f"This address names {'a group of runs' if named is None else counted(missing, 'run')} that "
            f"{'are' if missing > 1 else 'is'} not here: deleted, or made on another machine.",
            icon=":material/link_off:",
        )
    return found


def _is_id(text: str) -> bool:
    try:
        return bool(checked_run_id(text))
    except ValueError:
        return False


def _newest(done: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Return all seeds of the newest setting in both frameworks, or else of the two newest settings, oldest first."""
    groups = fold_seeds(done)
    if not groups:
        return []
    key = settings_key(groups[0].runs[0].config.model_dump())
    alike = [group for group in groups if settings_key(group.runs[0].config.model_dump()) == key]
    chosen = alike if len(alike) > 1 else groups[:2]
    return sorted((run for group in chosen for run in group.runs), key=lambda run: run.created_at)


def _frameworks_in_order(groups: Sequence[SeedGroup]) -> list[SeedGroup]:
    """Return groups in their order, but those of the same settings side by side, PyTorch before Keras as everywhere."""
    keys = [settings_key(group.runs[0].config.model_dump()) for group in groups]
    frameworks = list(FRAMEWORK_TITLES)
    order = sorted(
        range(len(groups)), key=lambda place: (keys.index(keys[place]), frameworks.index(groups[place].framework))
    )
    return [groups[place] for place in order]


def _seeds(ids: Sequence[str]) -> str:
    return f" · {len(ids)} seeds" if len(ids) > 1 else ""


def _to_address(options: Mapping[str, Sequence[str]]) -> None:
    """Let the address say what was picked, so that it can be sent."""
    ids = [run_id for key in st.session_state["compared"] for run_id in options[key]]
    st.query_params.pop("group", None)
    st.query_params["runs"] = ",".join(ids)


def _watch_pending(pending: Sequence[Run]) -> None:
    """Say that some still train, and show the page anew when one has ended."""
    if pending:
        st.fragment(_look, run_every=_REFRESH_S)([run.id for run in pending])


def _look(run_ids: Sequence[str]) -> None:
    runs = open_store().find(ids=run_ids, limit=_MOST_RUNS)
    if any(run.state not in ("queued", *ACTIVE) for run in runs) or len(runs) < len(run_ids):
        st.rerun()
    share = sum(run.progress for run in runs) / max(len(runs), 1)
    st.progress(share, text=f"{counted(len(runs), 'run')} still to come; they join when they are done.")
