"""Where networks err, down to the images: a confusion matrix whose every cell opens the images that it counts.

    show_errors("errors", dataset, labels, networks, of=0)
    show_differences("differences", dataset, labels, first, second)

What is picked is in the page's address, `?cell=4-9`, so a link leads to it: the number of the true class, then of the
predicted one; nothing for all of them, "others" for those that are not shown.
"""

import re
from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.studies.errors import agreement, by_confidence, images_in_cell
from core.training.metrics import confused_pairs, confusion
from ui.shared.class_matrix import (
    OTHERS,
    UNITS,
    ClassView,
    cell_rates,
    choose_classes,
    count_cells,
    picked_place,
    show_class_matrix,
)
from ui.shared.formatting import counted, escape_markdown
from ui.shared.matrix_grid import Cells, Place, Tone, matrix_grid
from ui.shared.test_image import Network, pick_test_image, show_test_image

_CELL = re.compile(rf"(\d{{0,6}}|{OTHERS})-(\d{{0,6}}|{OTHERS})")
_WORST = 5
_WIDE = 20
"""A matrix of more columns takes the place of some of the images beside it."""
_AGREEMENT = ("right", "wrong")


@st.fragment
def show_errors(key: str, dataset: Dataset, labels: np.ndarray, networks: Sequence[Network], of: int = 0) -> None:
    """Show the confusion matrix of one network on the test images, and the images of the cell that is picked.

    Args:
        key: unique on the page.
        labels: the true classes of the test images.
        networks: all whose probabilities are told of an image.
        of: the position of the one whose errors these are.
    """
    names, network = dataset.class_names, networks[of]
    predicted = network.probabilities.argmax(axis=1)
    matrix = confusion(labels, predicted, len(names))
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        unit = st.segmented_control("Cells show", UNITS, default="Counts", required=True, key=f"{key}-cells")
        view = choose_classes(key, matrix, names, on_change=partial(_forget_cell, key))
    _offer_worst(key, matrix, names)
    part = view.part(matrix)
    wide = len(part) > _WIDE
    left, right = st.columns([2, 1] if wide else [3, 2], gap="medium" if wide else "large")
    true_word, predicted_word = _read_cell(len(names))
    with left:
        heads = view.names(names)
        cells = count_cells(part, cell_rates(view, matrix, unit), heads, view, as_counts=unit == "Counts")
        show_class_matrix(
            *(f"{key}-matrix", cells),
            heads=heads,
            title=f"Confusion matrix, {network.title}",
            picked=picked_place(view, true_word, predicted_word),
            on_pick=partial(_pick_cell, key, view),
        )
    if true_word or predicted_word:
        images = images_in_cell(labels, predicted, view.chosen(true_word), view.chosen(predicted_word))
        heading = _describe_cell(names, true_word, predicted_word, len(images))
    else:
        images = np.flatnonzero(labels != predicted)
        heading = f"**All errors**: {counted(len(images), 'test image')} of {len(labels):,}"
    with right:
        st.markdown(heading)
        chosen = _choose_image(
            *(key, dataset, labels, network, images),
            columns=6 if wide else 8,
            may_be_cleared=bool(true_word or predicted_word),
        )
    if chosen is not None:
        show_test_image(key, dataset, chosen, networks)


@st.fragment
def show_differences(key: str, dataset: Dataset, labels: np.ndarray, first: Network, second: Network) -> None:
    """Show on which test images two networks agree, and by what their confusion matrices differ, with the images.

    Args:
        key: unique on the page.
        labels: the true classes of the test images.
    """
    names, networks = dataset.class_names, (first, second)
    ones, others = (network.probabilities.argmax(axis=1) for network in networks)
    what = st.segmented_control(
        "Show", ("Who is right", "Difference of errors"), default="Who is right", required=True, key=f"{key}-what"
    )
    images: np.ndarray | None
    if what == "Who is right":
        heading, images = _show_agreement(key, labels, ones, others, networks)
    else:
        heading, images = _show_matrix_difference(key, dataset, labels, ones, others, networks)
    if images is None:
        return
    st.markdown(heading)
    chosen = _choose_image(key, dataset, labels, first, images, columns=16, may_be_cleared=False)
    if chosen is not None:
        show_test_image(key, dataset, chosen, networks)
    elif not len(images):
        st.caption(f"None of the {len(names)} classes has such an image.")


def _offer_worst(key: str, matrix: np.ndarray, names: Sequence[str]) -> None:
    """Offer the cells with the most errors, wherever they stand in the matrix."""
    pairs = confused_pairs(matrix, limit=_WORST)
    if not pairs:
        st.success("No errors on the test images.", icon=":material/check:")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**Most confused**", width="content")
        for pair in pairs:
            st.button(
                f"{escape_markdown(names[pair.label])} → {escape_markdown(names[pair.predicted])}: {pair.count:,}",
                key=f"{key}-worst-{pair.label}-{pair.predicted}",
                type="tertiary",
                help=f"{pair.share:.1%} of the images of this class.",
                on_click=_go_to_cell,
                args=(key, pair.label, pair.predicted),
            )


def _read_cell(classes: int) -> tuple[str, str]:
    """Return the words of the address's cell; two empty ones where it names none that there is."""
    match = _CELL.fullmatch(st.query_params.get("cell", ""))
    words = match.groups() if match else ("", "")
    known = all(not word or word == OTHERS or int(word) < classes for word in words)
    return (words[0], words[1]) if known else ("", "")


def _pick_cell(key: str, view: ClassView, place: Place) -> None:
    row, column = place
    _forget_cell(key)
    st.query_params["cell"] = f"{view.word(row)}-{view.word(column)}"


def _go_to_cell(key: str, label: int, predicted: int) -> None:
    _forget_cell(key)
    st.query_params["cell"] = f"{label}-{predicted}"


def _forget_cell(key: str) -> None:
    """Begin with all errors again, on their first page."""
    st.query_params.pop("cell", None)
    st.session_state.pop(f"{key}-difference", None)
    st.session_state[f"{key}-page"] = 1
    st.session_state.pop(f"{key}-image", None)


def _describe_cell(names: Sequence[str], true_word: str, predicted_word: str, count: int) -> str:
    def called(word: str) -> str:
        return "another class" if word == OTHERS else escape_markdown(names[int(word)])

    if not predicted_word:
        return f"**True class {called(true_word)}**: {counted(count, 'test image')}"
    if not true_word:
        return f"**Predicted {called(predicted_word)}**: {counted(count, 'test image')}"
    return f"**{called(true_word)} → {called(predicted_word)}**: {counted(count, 'test image')}"


def _choose_image(
    key: str,
    dataset: Dataset,
    labels: np.ndarray,
    network: Network,
    images: np.ndarray,
    *,
    columns: int,
    may_be_cleared: bool,
) -> int | None:
    """Show images by confidence, a page at a time, and return the index of the one that is picked."""
    with st.container(horizontal=True, vertical_alignment="center"):
        order = st.segmented_control(
            "Order",
            ("Most confident first", "Least confident first"),
            default="Most confident first",
            required=True,
            key=f"{key}-sorted",
            label_visibility="collapsed",
            on_change=lambda: st.session_state.update({f"{key}-page": 1}),
        )
        if may_be_cleared:
            st.button("All errors", icon=":material/close:", key=f"{key}-clear", on_click=_forget_cell, args=(key,))
    ascending = order == "Least confident first"
    images = by_confidence(network.probabilities, images, ascending=ascending)
    return pick_test_image(key, dataset, labels, network, images, columns=columns)


def _show_agreement(
    key: str, labels: np.ndarray, ones: np.ndarray, others: np.ndarray, networks: tuple[Network, Network]
) -> tuple[str, np.ndarray]:
    """Show in how many images both are right, only one is, or none, and return what is picked of that."""
    counts = agreement(ones, others, labels)
    row, column = st.session_state.get(f"{key}-agreement", (0, 1))
    rights = (ones == labels, others == labels)
    one, other = _tones(networks)
    tones = np.array([["plain", one], [other, "wrong"]], object)
    shares = counts / max(len(labels), 1)
    heads = [f"{network.title} {word}" for network in networks for word in _AGREEMENT]
    texts = np.vectorize(lambda count: f"{count:,}", otypes=[object])(counts)
    words = np.empty((2, 2), object)
    for i, j in np.ndindex(2, 2):
        words[i, j] = f"{heads[i]}, {heads[2 + j]}: {counted(int(counts[i, j]), 'image')}, {shares[i, j]:.2%}"
    matrix_grid(
        f"{key}-agreement-grid",
        Cells(texts, words, np.full((2, 2), 0.6), tones),
        rows=_AGREEMENT,
        columns=_AGREEMENT,
        row_title=networks[0].title,
        column_title=networks[1].title,
        title="Test images by who is right",
        picked=(row, column),
        on_pick=lambda place: _pick_in_session(key, "agreement", place),
    )
    chosen = np.ones(len(labels), bool)
    for place, right in zip((row, column), rights, strict=True):
        if place is not None:
            chosen &= right if place == 0 else ~right
    said = [
        f"{escape_markdown(network.title)} {_AGREEMENT[place]}"
        for network, place in zip(networks, (row, column), strict=True)
        if place is not None
    ]
    images = np.flatnonzero(chosen)
    return f"**{', '.join(said)}**: {counted(len(images), 'test image')}", images


def _show_matrix_difference(
    key: str,
    dataset: Dataset,
    labels: np.ndarray,
    ones: np.ndarray,
    others: np.ndarray,
    networks: tuple[Network, Network],
) -> tuple[str, np.ndarray | None]:
    """Show how many more images the second puts into each cell, and return those that only one of them puts there."""
    names = dataset.class_names
    first, second = (confusion(labels, each, len(names)) for each in (ones, others))
    view = choose_classes(key, np.abs(second - first), names, on_change=partial(_forget_cell, key))
    part, heads = view.part(second) - view.part(first), view.names(names)
    size = len(part)
    texts, words = np.empty((size, size), object), np.empty((size, size), object)
    for i, j in np.ndindex(size, size):
        more = int(part[i, j])
        texts[i, j] = f"{more:+,}" if more else "·"
        who = networks[more > 0].title
        words[i, j] = f"{heads[i]}, predicted {heads[j]}: " + (
            f"{counted(abs(more), 'image')} more by {who}" if more else "as many by both"
        )
    greatest = max(1, int(np.abs(part).max()))
    tones = np.where(part < 0, *_tones(networks)).astype(object)
    place = st.session_state.get(f"{key}-difference")
    place = place if place and all(each is None or each < size for each in place) else None
    show_class_matrix(
        *(f"{key}-difference-grid", Cells(texts, words, np.sqrt(np.abs(part) / greatest), tones)),
        heads=heads,
        title=f"Confusion matrix of {networks[1].title} minus that of {networks[0].title}",
        picked=place,
        on_pick=lambda place: _pick_in_session(key, "difference", place),
    )
    st.caption(
        f"Images that {escape_markdown(networks[1].title)} puts into a cell, less those that "
        f"{escape_markdown(networks[0].title)} puts there. A cell opens the images that only one of them puts there."
    )
    if place is None:
        return "", None
    rows, columns = (view.chosen(view.word(each)) for each in place)
    cells = [set(images_in_cell(labels, each, rows, columns).tolist()) for each in (ones, others)]
    images = np.array(sorted(cells[0] ^ cells[1]), np.int64)
    heading = _describe_cell(names, view.word(place[0]), view.word(place[1]), len(images))
    return f"{heading} by one of the two only", images


def _tones(networks: tuple[Network, Network]) -> tuple[Tone, Tone]:
    """Return the colours of two networks: their frameworks', unless both are of one."""
    first, second = (network.framework for network in networks)
    return ("one", "other") if first == second else (first, second)


def _pick_in_session(key: str, name: str, place: Place) -> None:
    st.session_state[f"{key}-{name}"] = place
    st.session_state[f"{key}-page"] = 1
    st.session_state.pop(f"{key}-image", None)
