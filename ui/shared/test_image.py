"""Test images to pick from, and the picked one in all detail: what each network says of it, its pixels, its
neighbours, what they looked at.

chosen = pick_test_image("errors", dataset, labels, network, images, columns=8)
show_test_image("errors", dataset, chosen, networks)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from core.charts.runs import probability_bars
from core.config import Framework
from core.datasets import Dataset
from core.datasets.inspection.gallery import enlarge, page_count, page_of, position_of
from core.datasets.inspection.neighbours import Neighbours, nearest
from ui.shared.explanation import Explained, show_explanations
from ui.shared.formatting import escape_markdown
from ui.shared.image_detail import pick_image, show_image_detail
from ui.shared.picture import show_picture
from ui.shared.pixels import show_numbers
from ui.shared.sprite_grid import sprite_grid

PAGE = 40
"""Images on a page."""

_BARS = 10
_NEIGHBOURS = 12
_SIDE = 224


class Network(NamedTuple):
    """What one network says of the test images."""

    title: str
    framework: Framework
    probabilities: np.ndarray
    """float32 `(images, classes)`"""
    run_id: str


def pick_test_image(
    key: str, dataset: Dataset, labels: np.ndarray, network: Network, images: np.ndarray, *, columns: int
) -> int | None:
    """Show the test images of some indices, in their order and by page; return that of the picked one, if there is any.

    Args:
        key: unique on the page.
        network: whose predictions are told of each.
    """
    if not len(images):
        st.caption("There is no such image.")
        return None
    names = dataset.class_names
    above = st.container()
    pages = page_count(images, PAGE)
    # A page from before, where there were more of them.
    st.session_state[f"{key}-page"] = min(st.session_state.get(f"{key}-page") or 1, pages)
    page = st.pagination(pages, key=f"{key}-page") if pages > 1 else 1
    shown = page_of(images, page, PAGE)
    picked = st.session_state.get(f"{key}-image")
    picked = picked if picked in shown else int(shown[0])
    predicted = network.probabilities[shown].argmax(axis=1)
    with above:
        sprite_grid(
            f"{key}-images",
            dataset.test.images[shown],
            columns=columns,
            names=[
                f"{names[labels[index]]}, predicted {names[answer]} ({network.probabilities[index, answer]:.1%}), "
                f"test image {index:,}"
                for index, answer in zip(shown, predicted, strict=True)
            ],
            picked=int(np.flatnonzero(shown == picked)[0]),
            on_pick=lambda place: st.session_state.update({f"{key}-image": int(shown[place])}),
            title="Test images",
        )
    return picked


def show_test_image(key: str, dataset: Dataset, index: int, networks: Sequence[Network]) -> None:
    """Show one test image large, with the probabilities of every network; the rest when it is asked for."""
    names = dataset.class_names
    label, image = int(dataset.test.labels[index]), dataset.test.images[index]
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=_SIDE):
            show_picture(enlarge(image, _SIDE), alt="The picked image, enlarged")
            st.markdown(f"**{escape_markdown(names[label])}**, test image {index:,}")
        for network in networks:
            with st.container(width=260, gap="xsmall"):
                probabilities = network.probabilities[index]
                answer = int(probabilities.argmax())
                sign = ":material/check:" if answer == label else ":material/close:"
                st.markdown(
                    f"{sign} **{escape_markdown(network.title)}**: {escape_markdown(names[answer])} "
                    f"({probabilities[answer]:.1%})"
                )
                shown = _worth_showing(probabilities, label)
                chart = probability_bars(probabilities[shown], [names[each] for each in shown], network.framework)
                st.altair_chart(chart, key=f"{key}-bars-{network.title}")
    show_explanations(
        [
            Explained(each.run_id, each.framework, each.title, image, int(each.probabilities[index].argmax()))
            for each in networks
        ],
        names,
        key=key,
    )
    _show_neighbours(key, dataset, position_of(dataset, "test", index))
    numbers = st.expander("As numbers", icon=":material/grid_on:", key=f"{key}-numbers", on_change="rerun")
    if numbers.open:
        with numbers:
            for channel in range(image.shape[-1]):
                show_numbers(image[..., channel], key=f"{key}-numbers-{channel}")


def _worth_showing(probabilities: np.ndarray, label: int) -> np.ndarray:
    """Return the classes to draw: all in their order or, of many, the most probable ones and the true one."""
    if len(probabilities) <= _BARS:
        return np.arange(len(probabilities))
    best = np.argsort(-probabilities, kind="stable")[:_BARS]
    return best if label in best else np.append(best[:-1], label)


def _show_neighbours(key: str, dataset: Dataset, position: int) -> None:
    """Offer the training images that are most like an image; they are looked for when they are asked for."""
    folded = st.expander(
        "Most similar training images", icon=":material/image_search:", key=f"{key}-neighbours", on_change="rerun"
    )
    if not folded.open:
        return
    found = _nearest(dataset, dataset.fingerprint, position)
    wanted = st.session_state.get(f"{key}-neighbour")
    picked = int(wanted) if wanted is not None and wanted in found.positions else int(found.positions[0])
    with folded, st.container(horizontal=True, gap="medium"):
        with st.container(width=400):
            pick_image(
                f"{key}-neighbour-grid",
                dataset,
                found.positions,
                [f"{distance:.0f} of 255 away" for distance in found.distances],
                columns=6,
                picked=picked,
                on_pick=lambda other: st.session_state.update({f"{key}-neighbour": other}),
                title="Most similar training images",
            )
        with st.container(width=_SIDE):
            show_image_detail(dataset, picked, _SIDE)


@st.cache_resource(max_entries=200)
def _nearest(_dataset: Dataset, fingerprint: str, position: int) -> Neighbours:  # noqa: ARG001, the cache's key
    return nearest(_dataset, position, _NEIGHBOURS, training_only=True)
