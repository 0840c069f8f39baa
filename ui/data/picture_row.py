"""Some images side by side, each with its name below.

show_row(images, ["cat", "dog"])
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.datasets.inspection.gallery import enlarge
from ui.shared.formatting import escape_markdown
from ui.shared.picture import show_picture

_SIDE = 96  # of an image on the screen, in pixels
_LETTERS = 12


def show_row(images: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Show images, uint8 `(H, W, 1 or 3)` of any sizes, in as many lines as they need."""
    with st.container(horizontal=True, gap="small"):
        for image, name in zip(images, names, strict=True):
            short = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
            show_picture(enlarge(image, 2 * _SIDE), caption=escape_markdown(short), width=_SIDE, alt=name)
