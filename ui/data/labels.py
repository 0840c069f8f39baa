"""Labels: images whose label is likely to be wrong, what is decided on each, and a data set made of the decisions."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.datasets import Dataset, get_specification, names
from core.datasets.decisions import Action, Decision, Notebook
from core.datasets.deriving import derive, describe_decisions
from core.datasets.inspection.gallery import labels_of_all, page_count, page_of
from core.datasets.inspection.health import check_health
from core.datasets.inspection.neighbours import Neighbours, nearest
from core.studies.label_check import (
    Check,
    Suspect,
    Suspects,
    cancel_check,
    check_progress,
    start_check,
    suspects,
)
from core.system.text import capitalized
from ui.data.outliers import show_outliers
from ui.shared.address import number_in_address
from ui.shared.data_table import show_data_table
from ui.shared.formatting import counted, escape_markdown
from ui.shared.image_detail import pick_image, show_image_detail
from ui.shared.presses import pressed
from ui.shared.settings import choose_dataset

_COLUMNS, _SIZE = 10, 60
_NEIGHBOURS = 12
_REFRESH_S = 0.5
_SHOWN = ("Undecided", "Decided", "All")
_DONE: dict[Action, str] = {"relabel": "relabelled", "leave out": "left out", "keep": "right as it is"}


def show(dataset: Dataset) -> None:
    """Offer the check, show how far it has come, and what it has found."""
    framework = st.segmented_control(
        "Predicted by",
        list(FRAMEWORK_TITLES),
        format_func=lambda name: FRAMEWORK_TITLES[name],
        default="pytorch",
        required=True,
        key="checked-by",
        bind="query-params",
    )
    check = Check(dataset.specification.name, framework)
    # Asked in this order, since what goes on now may have ended a moment later.
    status = check_progress(check)
    found = _suspects(dataset, check)
    if found is not None:
        _show_found(dataset, found)
    elif status.state == "running":
        st.fragment(_watch, run_every=_REFRESH_S)(check)
    else:
        if status.state == "failed":
            st.error(
                f"The check has failed. {escape_markdown(status.sentence)}".strip(),
                icon=":material/error:",
            )
        _offer(dataset, check)


def _offer(dataset: Dataset, check: Check) -> None:
    st.write(
        f"Five networks are trained in {FRAMEWORK_TITLES[check.framework]}, each on four fifths of the "
        f"{len(dataset.train.labels):,} training images, so that every image is predicted by one that has not seen it. "
        "Images for which another class is predicted are listed here, the most suspicious first."
    )
    if pressed("Check the labels", key="check-labels", type="primary", icon=":material/fact_check:"):
        start_check(check)
        st.rerun()


def _watch(check: Check) -> None:
    status = check_progress(check)
    if status.state != "running":
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.progress(
            min(1.0, status.share),
            text=f"{escape_markdown(status.sentence or 'Starting')}. It goes on if you leave this page.",
        )
        if pressed("Stop", key="stop-check", icon=":material/close:", help="Nothing of it will remain."):
            cancel_check(check)
            st.rerun()


@st.fragment
def _show_found(dataset: Dataset, found: Suspects) -> None:
    notebook = Notebook(dataset)
    try:
        everything = notebook.read()
    except ValueError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    decisions = {decision.index: decision for decision in everything if decision.split == "train"}
    st.write(
        f"For {counted(len(found.ranked), 'image')} of {len(dataset.train.labels):,} another class is predicted by a "
        f"network that has not seen it. By the estimate of cleanlab, about {counted(found.estimated, 'label')} "
        f"{'is' if found.estimated == 1 else 'are'} wrong; most of the others are merely hard."
    )
    if found.unchecked:
        st.caption(f"{counted(found.unchecked, 'image')} could not be checked: no other one has the same class.")
    if not found.ranked:
        st.success("Every image is predicted as it is labelled.", icon=":material/check:")
        show_outliers(dataset, found)
        return
    shown = st.segmented_control(
        "Show",
        _SHOWN,
        default="Undecided",
        required=True,
        key="suspects-shown",
        bind="query-params",
        on_change=_start_over,
    )
    listed = [
        suspect for suspect in found.ranked if shown == "All" or (suspect.index in decisions) == (shown == "Decided")
    ]
    if listed:
        _show_suspects(dataset, notebook, found.settings, listed, decisions)
    else:
        st.info("All suspects are decided on." if shown == "Undecided" else "Nothing is decided yet.")
    show_outliers(dataset, found)
    _show_decisions(dataset, notebook, everything)


def _show_suspects(
    dataset: Dataset,
    notebook: Notebook,
    settings: Mapping[str, object],
    listed: list[Suspect],
    decisions: Mapping[int, Decision],
) -> None:
    """Show a page of suspects, and the picked one with its neighbours and what can be decided."""
    classes = dataset.class_names
    indices = np.array([suspect.index for suspect in listed])
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=596):
            above = st.container()
            pages = page_count(indices, _SIZE)
            # A page from before, where more were undecided.
            st.session_state["suspects-page"] = min(st.session_state.get("suspects-page") or 1, pages)
            page = st.pagination(pages, key="suspects-page", bind="query-params") if pages > 1 else 1
        places = page_of(np.arange(len(indices)), page, _SIZE)
        picked = number_in_address("suspect", below=len(dataset.train.labels), otherwise=int(indices[places[0]]))
        if picked not in indices:  # decided on, in another tab
            picked = int(indices[places[0]])
        with above:
            pick_image(
                "suspects",
                dataset,
                indices[places],
                [
                    f"suggested {classes[listed[place].suggested]}, score {listed[place].score:.4f}"
                    + _words_of(decisions.get(listed[place].index), classes)
                    for place in places
                ],
                columns=_COLUMNS,
                picked=picked,
                on_pick=lambda index: st.query_params.update(suspect=str(index)),
                title="Suspects",
            )
        place = int(np.flatnonzero(indices == picked)[0])
        with st.container(width=420):
            show_image_detail(dataset, picked, 224)
            _show_suspect(dataset, notebook, settings, listed, place, decisions.get(picked))
    _show_neighbours(dataset, picked)


def _show_suspect(
    dataset: Dataset,
    notebook: Notebook,
    settings: Mapping[str, object],
    listed: list[Suspect],
    place: int,
    decision: Decision | None,
) -> None:
    """Show what is known of a suspect, and the buttons that decide on it."""
    suspect, classes = listed[place], dataset.class_names
    st.markdown(
        f"Suggested: **{escape_markdown(classes[suspect.suggested])}** ({suspect.confidence:.1%}). "
        f"Score of {escape_markdown(classes[suspect.label])}: {suspect.score:.4f}"
    )
    if remarks := _remarks(dataset, dataset.fingerprint, suspect.index):
        st.caption(escape_markdown(capitalized("; ".join(remarks))))
    # The next one is looked at once this one is decided on.
    after = listed[(place + 1) % len(listed)].index

    def decide(action: Action, label: int | None = None) -> None:
        made = Decision("train", suspect.index, action, suspect.label, label)
        by = st.session_state.get("decided-by") or "dashboard"
        if _try(lambda: notebook.decide(made, by=by, check=settings)):
            st.session_state["decided-last"] = suspect.index
            st.query_params["suspect"] = str(after)

    with st.container(horizontal=True, gap="small"):
        suggested = classes[suspect.suggested]
        short = suggested if len(suggested) <= 20 else f"{suggested[:19]}…"
        st.button(
            f"Relabel as {escape_markdown(short)}",
            key="relabel",
            type="primary",
            icon=":material/label:",
            on_click=decide,
            args=("relabel", suspect.suggested),
        )
        st.button("Leave out", key="leave-out", icon=":material/remove:", on_click=decide, args=("leave out",))
        st.button("It is right", key="keep", icon=":material/check:", on_click=decide, args=("keep",))
    other = f"other-label-{suspect.index}"
    st.selectbox(
        "Relabel as another class",
        [label for label in range(len(classes)) if label != suspect.label],
        index=None,
        format_func=lambda label: classes[label],
        key=other,
        on_change=lambda: decide("relabel", st.session_state[other]),
        width=260,
    )
    if decision:
        st.caption(f"Decided: {escape_markdown(_words_of(decision, classes).lstrip(', '))}")
        st.button(
            "Take back",
            key="take-back",
            icon=":material/undo:",
            on_click=_take_back,
            args=(notebook, suspect.index),
        )


def _show_neighbours(dataset: Dataset, picked: int) -> None:
    found = _nearest(dataset, dataset.fingerprint, picked)
    labels = labels_of_all(dataset)
    alike = int((labels[found.positions] == labels[picked]).sum())
    st.markdown(f"**Most similar training images**: {alike} of {len(found.positions)} have its label")
    pick_image(
        "suspect-neighbours",
        dataset,
        found.positions,
        [f"{distance:.0f} of 255 away" for distance in found.distances],
        columns=_NEIGHBOURS,
        picked=None,
        on_pick=lambda _position: None,
        title="Most similar training images",
    )
    st.caption(" · ".join(escape_markdown(dataset.class_names[label]) for label in labels[found.positions]))


def _show_decisions(dataset: Dataset, notebook: Notebook, decisions: tuple[Decision, ...]) -> None:
    """Show how much is decided, the way back, and what makes a data set of it."""
    st.subheader("Decisions")
    if refused := st.session_state.pop("decision-refused", None):
        st.error(escape_markdown(refused), icon=":material/error:")
    if not decisions:
        st.caption("None yet. They are kept beside the data, which stay as they are.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{describe_decisions(decisions)}.")
        last = st.session_state.get("decided-last")
        if any(decision.split == "train" and decision.index == last for decision in decisions):
            st.button(
                "Undo the last", key="undo-decision", icon=":material/undo:", on_click=_take_back, args=(notebook, last)
            )
        st.download_button(
            "Download", notebook.path.read_bytes(), "decisions.json", "application/json", icon=":material/download:"
        )
    with st.expander("Each decision", icon=":material/list:"):
        show_data_table(_table(dataset, decisions), hide_index=True, key="decisions")
    st.text_input("Your name, for the record", key="decided-by", max_chars=80, placeholder="dashboard", width=260)
    _offer_making(dataset, notebook, decisions)


def _offer_making(dataset: Dataset, notebook: Notebook, decisions: tuple[Decision, ...]) -> None:
    made_key = f"made-of-{dataset.fingerprint}"
    with st.form("make-dataset", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.text_input(
            "Name of the new data set", f"{dataset.specification.title}, corrected", max_chars=80, width=320
        )
        asked = pressed("Make data set", key="make-dataset-now", button=st.form_submit_button, icon=":material/add:")
    if asked:
        by = st.session_state.get("decided-by") or "dashboard"
        check = notebook.contents().get("check")
        with st.spinner("Writing the images …"):
            if _try(
                lambda: st.session_state.update({made_key: derive(dataset, decisions, name=title, by=by, check=check)})
            ):
                st.rerun()
            else:
                st.error(escape_markdown(st.session_state.pop("decision-refused")), icon=":material/error:")
    made = st.session_state.get(made_key)
    if made in names():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.success(
                f"{escape_markdown(get_specification(made).title)} is here; the original stays as it is.",
                icon=":material/check:",
            )
            if st.button("See it", key="see-made", on_click=_see, args=(made,)):
                st.rerun()  # the whole page, of which this is a part that runs alone
            if pressed("Train on it", key="train-on-made", icon=":material/model_training:"):
                choose_dataset(made)
                st.switch_page("../pages/train.py")


def _table(dataset: Dataset, decisions: tuple[Decision, ...]) -> pd.DataFrame:
    classes = dataset.class_names
    return pd.DataFrame(
        [
            {
                "Image": f"{decision.split} {decision.index:,}",
                "Label": classes[decision.label],
                "Decision": _DONE[decision.action],
                "New label": "" if decision.new_label is None else classes[decision.new_label],
                "By": decision.by,
                "At": decision.at,
            }
            for decision in reversed(decisions)
        ]
    )


def _words_of(decision: Decision | None, classes: tuple[str, ...]) -> str:
    """Return what was decided, behind a comma; nothing if nothing was."""
    if decision is None:
        return ""
    to = "" if decision.new_label is None else f" {classes[decision.new_label]}"
    return f", {_DONE[decision.action]}{to}"


def _take_back(notebook: Notebook, index: int) -> None:
    if _try(partial(notebook.take_back, "train", index)):
        st.session_state.pop("decided-last", None)
        st.query_params["suspect"] = str(index)


def _see(name: str) -> None:
    st.session_state["dataset"] = name
    st.session_state["view"] = "Overview"


def _start_over() -> None:
    st.session_state["suspects-page"] = 1
    st.query_params.pop("suspect", None)


def _try(change: Callable[[], object]) -> bool:
    """Make a change and return whether it was made; why it was not is shown by `_show_decisions`."""
    try:
        change()
    except (ValueError, OSError) as error:
        st.session_state["decision-refused"] = str(error)
        return False
    return True


@st.cache_resource(max_entries=8, show_spinner=False)
def _remembered(_dataset: Dataset, fingerprint: str, check: Check) -> Suspects:  # noqa: ARG001, the cache's key
    found = suspects(_dataset, check)
    if found is None:
        raise LookupError("it is not there yet, which is not remembered")
    return found


def _suspects(dataset: Dataset, check: Check) -> Suspects | None:
    try:
        return _remembered(dataset, dataset.fingerprint, check)
    except LookupError:
        return None


@st.cache_resource(max_entries=200, show_spinner=False)
def _nearest(_dataset: Dataset, fingerprint: str, position: int) -> Neighbours:  # noqa: ARG001, the cache's key
    return nearest(_dataset, position, _NEIGHBOURS, training_only=True)


@st.cache_resource(max_entries=200, show_spinner=False)
def _remarks(_dataset: Dataset, fingerprint: str, position: int) -> list[str]:  # noqa: ARG001, the cache's key
    """Return what the health check says of an image."""
    return [
        finding.remark(int(place))
        for finding in check_health(_dataset)
        for place in np.flatnonzero(finding.positions == position)
    ]
