"""One image of a data set, large, with its class and where it is; and images to pick from beside it.

show_image_detail(dataset, position, width=420)
pick_image("neighbours", dataset, positions, remarks, picked=None, on_pick=show)
"""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.datasets.inspection.gallery import describe_place, enlarge, images_at, labels_of_all
from ui.shared.formatting import escape_markdown
from ui.shared.picture import show_picture
from ui.shared.sprite_grid import sprite_grid


def show_image_detail(dataset: Dataset, position: int, width: int, place: str | None = None) -> None:
    """Show the image at `position` about `width` pixels wide, with its class and its place below.

    Args:
        place: where the image is, if it is called otherwise than `describe_place` says.
    """
    place = place or describe_place(dataset, position)
    image = images_at(dataset, np.array([position]))[0]
    label = labels_of_all(dataset)[position]
    show_picture(enlarge(image, width), alt=f"Enlarged {place}")
    st.markdown(f"**Class {escape_markdown(dataset.class_names[label])}**, {place}")


def pick_image(
    key: str,
    dataset: Dataset,
    positions: np.ndarray,
    remarks: Sequence[str],
    *,
    columns: int,
    picked: int | None,
    on_pick: Callable[[int], None],
    title: str,
) -> None:
    """Show the images at `positions`, a remark for each, and call `on_pick` with the position that is picked."""
    labels = labels_of_all(dataset)[positions]
    sprite_grid(
        key,
        images_at(dataset, positions),
        columns=columns,
        names=[
            f"{describe_place(dataset, position).capitalize()}, class {dataset.class_names[label]}, {remark}"
            for position, label, remark in zip(positions.tolist(), labels, remarks, strict=True)
        ],
        picked=int(np.flatnonzero(positions == picked)[0]) if picked in positions else None,
        on_pick=lambda place: on_pick(int(positions[place])),
        title=title,
    )
