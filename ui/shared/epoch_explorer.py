"""The errors on the validation images after any epoch, of a pair side by side, down to the images of each cell.

    show_epoch_errors(runs, key="results")

While a run trains, the newest epoch is shown until another one is chosen; what is picked stays picked from epoch to
epoch, and concerns both runs.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby

import numpy as np
import streamlit as st

from core.config import FRAMEWORK_TITLES, RunConfig
from core.datasets import Dataset
from core.datasets.inspection.gallery import images_at, labels_of_all, page_count, page_of, position_of
from core.runs import Run, open_store
from core.runs.epoch_predictions import read_epoch_predictions
from core.runs.predictions import DamagedPredictionsError
from core.studies.errors import greatest_changes, images_in_cell
from core.training.loop import split_of
from core.training.records import Epoch
from ui.shared.class_matrix import (
    UNITS,
    ClassView,
    cell_rates,
    change_cells,
    choose_classes,
    count_cells,
    picked_place,
    show_class_matrix,
)
from ui.shared.formatting import counted, escape_markdown
from ui.shared.image_detail import show_image_detail
from ui.shared.matrix_grid import Place
from ui.shared.open_dataset import open_dataset
from ui.shared.sprite_grid import sprite_grid

_PAGE = 40
_COLUMNS = 10
_SIDE = 224
_CHANGE = "Change"

Epochs = Mapping[int, Epoch]
"""The records of a run's epochs that were validated, by their number."""


def show_epoch_errors(runs: Sequence[Run], key: str) -> None:
    """Show a slider over the epochs that were validated, and the errors of each run after the one that is chosen."""
    validated = {
        run_id: {epoch.epoch: epoch for epoch in epochs if epoch.confusion} for run_id, epochs in _epochs(runs).items()
    }
    numbers = sorted(set().union(*validated.values()))
    dataset = open_dataset(runs[0].config.dataset)
    if dataset is None:
        return
    if not numbers:
        st.caption("They are shown when the first epoch has been validated.")
        return
    chosen = _choose_epoch(numbers, f"{key}-epoch")
    forget = partial(_forget, key)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        unit = st.segmented_control(
            "Cells show",
            (*UNITS, _CHANGE),
            default="Counts",
            required=True,
            key=f"{key}-epoch-cells",
            help="Change: by how many images each cell differs from the validation before, green for the better.",
        )
        newest = max(
            (epochs for epochs in validated.values() if epochs), key=lambda epochs: max(epochs)
        )  # likeness is that of the newest, so that the classes stay where they are while one looks at others
        view = choose_classes(f"{key}-epoch", _matrix(newest[max(newest)]), dataset.class_names, forget)
    for run, column in zip(runs, st.columns(len(runs), gap="medium"), strict=True):
        with column:
            _show_run(run, validated[run.id], chosen, dataset, view, unit, key)
    _show_picked(runs, validated, chosen, dataset, key)


def _show_run(run: Run, epochs: Epochs, chosen: int, dataset: Dataset, view: ClassView, unit: str, key: str) -> None:
    """Show the matrix of a run after an epoch, what changed before it, and the images of the cell that is picked."""
    title = FRAMEWORK_TITLES[run.config.framework]
    epoch = epochs.get(chosen)
    if epoch is None:
        st.caption(f"{title} has not validated epoch {chosen}.")
        return
    st.markdown(f"**{title}**, epoch {chosen}: {epoch.val_accuracy:.2%} predicted correctly, loss {epoch.val_loss:.4f}")
    names = dataset.class_names
    matrix, before = _matrix(epoch), epochs.get(_before(epochs, chosen))
    if before is not None:
        st.caption(_change_in_words(before, epoch, names))
    part, heads = view.part(matrix), view.names(names)
    if unit == _CHANGE and before is not None:
        cells = change_cells(view.part(_matrix(before)), part, heads)
    else:
        cells = count_cells(part, cell_rates(view, matrix, unit), heads, view, as_counts=unit in ("Counts", _CHANGE))
    words = _picked_cell(key)
    show_class_matrix(
        *(f"{key}-epoch-matrix-{run.id}", cells),
        heads=heads,
        title=f"Confusion matrix of the validation images, {title}, epoch {chosen}",
        picked=picked_place(view, *words),
        on_pick=partial(_pick_cell, key, view),
    )
    _show_images(run, chosen, None if before is None else before.epoch, dataset, view, key)


def _show_images(run: Run, epoch: int, before: int | None, dataset: Dataset, view: ClassView, key: str) -> None:
    """Show the images that the picked cell counts, or all errors, and say how many of them the epoch has brought."""
    predicted, positions = _predicted(run, epoch, dataset), _positions(run.config, dataset, dataset.fingerprint)
    if predicted is None:
        return
    labels = labels_of_all(dataset)[positions]
    images = _in_cell(labels, predicted, view, key)
    said = f"{_heading(dataset.class_names, key)}: {counted(len(images), 'validation image')}"
    earlier = None if before is None else _predicted(run, before, dataset, quiet=True)
    if earlier is not None:
        known = _in_cell(labels, earlier, view, key)
        new, gone = len(np.setdiff1d(images, known)), len(np.setdiff1d(known, images))
        said += f", {new:,} of them new since epoch {before}, {gone:,} gone"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{said}.")
        if any(_picked_cell(key)):
            st.button(
                "All errors",
                icon=":material/close:",
                key=f"{key}-epoch-clear-{run.id}",
                on_click=_forget,
                args=(key,),
            )
    if not len(images):
        return
    pages = page_count(images, _PAGE)
    page_key = f"{key}-epoch-page-{run.id}"
    st.session_state[page_key] = min(st.session_state.get(page_key) or 1, pages)  # before, there may have been more
    page = st.pagination(pages, key=page_key) if pages > 1 else 1
    shown = page_of(images, page, _PAGE)
    names, picked = dataset.class_names, st.session_state.get(f"{key}-epoch-image")
    marked = np.flatnonzero(positions[shown] == picked)
    sprite_grid(
        f"{key}-epoch-images-{run.id}",
        images_at(dataset, positions[shown]),
        columns=_COLUMNS,
        names=[f"{names[labels[each]]}, predicted {names[predicted[each]]}" for each in shown],
        picked=int(marked[0]) if len(marked) else None,
        on_pick=lambda place: st.session_state.update({f"{key}-epoch-image": int(positions[shown[place]])}),
        title=f"Validation images, {FRAMEWORK_TITLES[run.config.framework]}",
    )


def _show_picked(runs: Sequence[Run], validated: Mapping[str, Epochs], chosen: int, dataset: Dataset, key: str) -> None:
    """Show the image that is picked, large, with what each run predicted of it after this and after all epochs."""
    position = st.session_state.get(f"{key}-epoch-image")
    if position is None:
        return
    names = dataset.class_names
    told = []
    for run in runs:
        places = np.flatnonzero(_positions(run.config, dataset, dataset.fingerprint) == position)
        if len(places):
            known = {
                epoch: int(predicted[places[0]])
                for epoch in validated[run.id]
                if (predicted := _predicted(run, epoch, dataset, quiet=True)) is not None
            }
            told.append((FRAMEWORK_TITLES[run.config.framework], known))
    if not told:
        return
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=_SIDE):
            show_image_detail(dataset, position, _SIDE)
        with st.container(width="stretch"):
            label = int(labels_of_all(dataset)[position])
            for title, known in told:
                if chosen in known:
                    sign = ":material/check:" if known[chosen] == label else ":material/close:"
                    st.markdown(f"{sign} **{title}**, epoch {chosen}: {escape_markdown(names[known[chosen]])}")
                st.caption(escape_markdown(_over_epochs(known, names)))


def _over_epochs(known: Mapping[int, int], names: Sequence[str]) -> str:
    """Say which class was predicted after which epochs: "Epochs 1 to 3: 9 · from 4: 4"."""
    stretches = [[epoch for epoch, _ in each] for _, each in groupby(known.items(), key=lambda each: each[1])]
    told = [f"{each[0]}{f' to {each[-1]}' if len(each) > 1 else ''}: {names[known[each[0]]]}" for each in stretches]
    return f"Predicted after epoch {' · '.join(told)}"


def _predicted(run: Run, epoch: int, dataset: Dataset, *, quiet: bool = False) -> np.ndarray | None:
    """Return the predicted class of each validation image, int64 `(N,)`; where that cannot be told, say why."""
    try:
        found = _read(run.id, run.attempt, epoch)
    except DamagedPredictionsError as error:
        if not quiet:
            st.warning(f"Its images are not shown. {escape_markdown(str(error))}", icon=":material/healing:")
        return None
    reason = ""
    if found is None:
        reason = "The predictions after this epoch were not kept, so its images are not shown."
    elif (
        found.fingerprint != dataset.fingerprint
        or len(found.predicted) != len(_positions(run.config, dataset, dataset.fingerprint))
        or found.predicted.max(initial=0) >= len(dataset.class_names)
    ):
        reason = "The data set is another one than it was then, so the images are not shown."
    if reason and not quiet:
        st.caption(reason)
    return None if reason or found is None else found.predicted


@st.cache_data(max_entries=2048, show_spinner=False)
def _read(run_id: str, attempt: int, epoch: int):  # noqa: ARG001, a next attempt writes them anew
    return read_epoch_predictions(run_id, epoch)


@st.cache_resource(max_entries=32, show_spinner=False)
def _positions(config: RunConfig, _dataset: Dataset, fingerprint: str) -> np.ndarray:  # noqa: ARG001, the cache's key
    """Return the position of each image that a run validates on among all of the data set, int64 `(N,)`."""
    if config.validation_part == "test":
        return position_of(_dataset, "test", 0) + np.arange(len(_dataset.test.labels))
    return split_of(config, _dataset).validation


def _in_cell(labels: np.ndarray, predicted: np.ndarray, view: ClassView, key: str) -> np.ndarray:
    true_word, predicted_word = _picked_cell(key)
    if not true_word and not predicted_word:
        return np.flatnonzero(labels != predicted)
    return images_in_cell(labels, predicted, view.chosen(true_word), view.chosen(predicted_word))


def _heading(names: Sequence[str], key: str) -> str:
    words = _picked_cell(key)
    if not any(words):
        return "**All errors**"
    true, predicted = (escape_markdown(names[int(word)]) if word.isdecimal() else word for word in words)
    if not predicted:
        return f"**True class {true}**"
    return f"**{true} → {predicted}**" if true else f"**Predicted {predicted}**"


def _picked_cell(key: str) -> tuple[str, str]:
    """Return the words of the cell that is picked, see `ClassView.word`; two empty ones where none is."""
    words: tuple[str, str] = st.session_state.get(f"{key}-epoch-cell", ("", ""))
    return words


def _pick_cell(key: str, view: ClassView, place: Place) -> None:
    _forget(key)
    st.session_state[f"{key}-epoch-cell"] = (view.word(place[0]), view.word(place[1]))


def _forget(key: str) -> None:
    """Begin with all errors again, and no image picked."""
    st.session_state.pop(f"{key}-epoch-cell", None)
    st.session_state.pop(f"{key}-epoch-image", None)


def _matrix(epoch: Epoch) -> np.ndarray:
    return np.array(epoch.confusion)


def _before(epochs: Epochs, chosen: int) -> int:
    """Return the epoch that was validated before another one; 0 if none was."""
    return max((number for number in epochs if number < chosen), default=0)


def _change_in_words(before: Epoch, after: Epoch, class_names: Sequence[str]) -> str:
    """Say what an epoch has changed against the one validated before."""
    first, second = _matrix(before), _matrix(after)
    right = int(second.trace() - first.trace())
    told = [
        f"{escape_markdown(class_names[cell.label])} → {escape_markdown(class_names[cell.predicted])} {cell.more:+,}"
        for cell in greatest_changes(first, second)
    ]
    most = f" Errors that changed most: {', '.join(told)}." if told else ""
    gained = f"{abs(right):,} {'more' if right > 0 else 'fewer'}" if right else "as many"
    return f"Against epoch {before.epoch}: {gained} predicted correctly of {int(second.sum()):,} images.{most}"


def _choose_epoch(numbers: Sequence[int], key: str) -> int:
    """Let one of several epochs be chosen; as long as that is the newest, it stays the newest."""
    newest, following = numbers[-1], f"{key}-newest"
    if len(numbers) == 1:
        return newest
    if st.session_state.get(following, True) or st.session_state.get(key) not in numbers:
        st.session_state[key] = newest

    def measure_new_part() -> None:
        st.session_state[following] = st.session_state[key] == newest

    return st.select_slider("Epoch", numbers, key=key, on_change=measure_new_part)


def _epochs(runs: Sequence[Run]) -> dict[str, list[Epoch]]:
    """Return the records of the runs' epochs, reading only those that this session has not seen."""
    before: dict[tuple[str, int], list[Epoch]] = st.session_state.get("epochs", {})
    # A next attempt takes back what it trains again.
    epochs = {(run.id, run.attempt): before.get((run.id, run.attempt), []) for run in runs}
    for (run_id, _), known in epochs.items():
        known.extend(open_store().epochs(run_id, after=known[-1].epoch if known else 0))
    st.session_state["epochs"] = epochs
    return {run_id: known for (run_id, _), known in epochs.items()}
