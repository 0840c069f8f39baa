"""A picture on a page, which travels in the page itself.

    show_picture(image, alt="The picked image")

`st.image` has the browser ask for each picture by an address, which Streamlit forgets while the page runs anew: whoever
pressed something, or has a second tab, while pictures were still on their way saw them broken, and they stayed so.
"""

import base64

import numpy as np
import streamlit as st

from core.datasets.inspection.gallery import png


def data_url(picture: np.ndarray) -> str:
    """Return a uint8 picture `(H, W)` or `(H, W, 1…4)` as a PNG in an address."""
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"


def show_picture(picture: np.ndarray, *, alt: str, caption: str | None = None, width: int | None = None) -> None:
    """Show a uint8 picture `(H, W)` or `(H, W, 1…4)`.

    Args:
        alt: what screen readers read in its place.
        caption: Markdown below it.
        width: on the screen, in pixels; as many as the picture has if nothing else is said.
    """
    st.image(data_url(picture), caption=caption, width=width or "content", alt=alt)
