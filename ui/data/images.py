"""Images: pages of them, the picked one large and as the numbers it is made of, and those most like it."""

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.datasets.inspection.gallery import (
    SPLIT_TITLES,
    images_at,
    labels_of_all,
    of_class,
    page_count,
    page_of,
    place_of,
    position_of,
    shuffled,
    split_images,
)
from core.datasets.inspection.neighbours import Neighbours, nearest
from ui.data.choices import choose_class
from ui.data.splits import rows_of
from ui.shared.address import number_in_address
from ui.shared.image_detail import pick_image, show_image_detail
from ui.shared.pixels import show_numbers
from ui.shared.sprite_grid import sprite_grid

COLUMNS = 10
SIZE = 80  # images on one page
NEIGHBOURS = 20


@st.fragment
def show(dataset: Dataset) -> None:
    """Show pages of images, and the picked one in all detail."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        split = st.segmented_control(
            "Split",
            list(SPLIT_TITLES),
            format_func=lambda name: SPLIT_TITLES[name],
            default="train",
            required=True,
            key="split",
            bind="query-params",
            on_change=start_over,
        )
        label = choose_class(dataset, on_change=start_over)
        seed = st.number_input(
            "Shuffle by seed",
            min_value=0,
            max_value=2**31,
            value=None,
            step=1,
            placeholder="not shuffled",
            width=170,
            key="shuffle",
            bind="query-params",
            on_change=start_over,
            help="The same seed gives the same order again.",
        )
    chosen = shuffled(of_class(dataset, split, rows_of(dataset)[split], label), seed)
    if not len(chosen):
        st.info(f"{SPLIT_TITLES[split]} has no images of this class.")
        return
    images, labels = split_images(dataset, split)
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=596):
            above = st.container()
            page = st.pagination(page_count(chosen, SIZE), key="page", bind="query-params", on_change=forget_image)
        shown = page_of(chosen, page, SIZE)
        picked = number_in_address("image", below=len(labels), otherwise=int(shown[0]))
        with above:
            sprite_grid(
                "grid",
                images[shown],
                columns=COLUMNS,
                names=[f"Image {row:,}, class {dataset.class_names[labels[row]]}" for row in shown],
                picked=int(np.flatnonzero(shown == picked)[0]) if picked in shown else None,
                on_pick=lambda place: st.query_params.update(image=str(shown[place])),
            )
        position = position_of(dataset, split, picked)
        with st.container(width=420):
            show_image_detail(dataset, position, 420, place=f"{SPLIT_TITLES[split].lower()} image {picked:,}")
    _show_neighbours(dataset, position)
    _show_values(images_at(dataset, np.array([position]))[0])


def _show_neighbours(dataset: Dataset, position: int) -> None:
    st.subheader("Most like it")
    found = _nearest(dataset, dataset.fingerprint, position)
    labels = labels_of_all(dataset)
    alike = int((labels[found.positions] == labels[position]).sum())
    st.caption(
        f"Of all images the {len(found.positions)} that differ least, pixel by pixel, the most similar first; "
        f"{alike} of them have its class. Pick one to go to it."
    )
    pick_image(
        "neighbours",
        dataset,
        found.positions,
        [f"{distance:.0f} of 255 away" for distance in found.distances],
        columns=COLUMNS,
        picked=None,
        on_pick=lambda other: go_to(dataset, other),
        title="Most similar images",
    )


def _show_values(image: np.ndarray) -> None:
    st.subheader("As numbers")
    channel = 0
    if image.shape[-1] == 3:
        titles = ("Red", "Green", "Blue")
        channel = titles.index(
            st.segmented_control("Channel", titles, default="Red", required=True, key="channel", bind="query-params")
        )
    st.caption("The values that a network receives, 0 for none of it to 255 for all.")
    show_numbers(image[..., channel], key="numbers")


@st.cache_resource(max_entries=200)
def _nearest(_dataset: Dataset, fingerprint: str, position: int) -> Neighbours:  # noqa: ARG001, the cache's key
    return nearest(_dataset, position, NEIGHBOURS)


def go_to(dataset: Dataset, position: int) -> None:
    """Pick the image at `position`, whichever split it is in."""
    split, row = place_of(dataset, position)
    if split == "test" or st.session_state["split"] == "test":
        st.session_state["split"] = split
        start_over()
    st.query_params["image"] = str(row)


def start_over() -> None:
    """Another choice of images begins on its first page."""
    st.session_state["page"] = 1
    forget_image()


def forget_image() -> None:
    """Let the first image of the page be the picked one."""
    st.query_params.pop("image", None)
