"""A grid of small images that are one picture, in which one is picked by click, finger or keyboard.

    sprite_grid("images", images, columns=10, names=names, picked=3, on_pick=show)

The arrow keys walk from image to image, Enter or Space picks. All images travel as a single PNG.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from core.datasets.inspection.gallery import sprite
from ui.shared.picture import data_url

_GAP = 2
_THUMBNAIL = 64  # pixels on the screen that a small image is enlarged to, at most

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "duet_sprite_grid",
    html='<div class="frame" role="listbox"><img alt=""></div>',
    css=(_HERE / "sprite_grid.css").read_text(),
    js=(_HERE / "sprite_grid.js").read_text(),
)


def sprite_grid(
    key: str,
    images: np.ndarray,
    *,
    columns: int,
    names: Sequence[str],
    picked: int | None,
    on_pick: Callable[[int], None],
    title: str = "Images",
) -> None:
    """Show `images`, uint8 `(N, H, W, C)`, and call `on_pick` with the position of the one that is picked.

    Args:
        key: unique on the page.
        columns: images in a row.
        names: what each image is called, for the pointer at rest and for screen readers.
        picked: the position of the image that is marked.
        on_pick: called before the page runs again.
        title: what the whole grid is called, for screen readers.
    """
    count, height, width, _ = images.shape
    picture = sprite(images, columns, _GAP)

    def pick() -> None:
        position = st.session_state[key].get("picked")
        # The number comes from a browser.
        if isinstance(position, int) and 0 <= position < count:
            on_pick(position)

    _component(
        key=key,
        data={
            "picture": data_url(picture),
            "width": picture.shape[1],
            "height": picture.shape[0],
            "cell": [width, height],
            "gap": _GAP,
            "zoom": max(1, _THUMBNAIL // max(width, height)),
            "columns": columns,
            "names": list(names),
            "picked": picked,
            "title": title,
        },
        on_picked_change=pick,
    )
