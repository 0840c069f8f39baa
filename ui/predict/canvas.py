"""A canvas to draw one image on, with mouse, pen or finger.

    drawing = drawing_canvas("digit")       # PNG bytes: black ink on white paper, or None while it is empty

The drawing arrives after each stroke. On the screen it has the colours of the theme.
"""

import base64
from pathlib import Path
from typing import Any

import streamlit as st

MAX_BYTES = 2**20
"""The largest drawing that is taken from a browser, in bytes; one of 360×360 pixels has about 7,000."""

_PREFIX = "data:image/png;base64,"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "duet_canvas",
    html="""
      <div class="sheet">
        <canvas role="img" aria-label="Drawing area"></canvas>
        <p class="hint" aria-hidden="true">Draw here</p>
      </div>
      <div class="tools">
        <button type="button" class="undo">Undo</button>
        <button type="button" class="clear">Clear</button>
      </div>
    """,
    css="".join((_HERE / name).read_text() for name in ("canvas.css", "buttons.css")),
    js=(_HERE / "canvas.js").read_text(),
)


PEN = 0.075
"""The usual width of the pen as a share of the side: about two of MNIST's 28 pixels."""


def drawing_canvas(key: str, size: int = 360, pen: float = PEN) -> bytes | None:
    """Show a canvas and return what is drawn on it as a PNG of `size`×`size` pixels.

    Args:
        key: unique on the page.
        size: the side in pixels, on the screen (less where there is no room) and of the PNG.
        pen: the width of the strokes to come, as a share of the side.
    """
    before = st.session_state.get(key, {}).get("image")
    # A canvas that was away and comes back is empty; told of an older drawing, it withdraws that.
    state = _component(
        key=key, data={"size": size, "pen": pen, "drawn": bool(before)}, on_image_change=lambda: None, width="stretch"
    )
    return read_data_url(state.get("image"))


def read_data_url(value: Any) -> bytes | None:
    """Return the bytes of a PNG data URL, or None for anything else: it comes from a browser."""
    if not isinstance(value, str) or not value.startswith(_PREFIX) or len(value) > MAX_BYTES * 4 // 3 + len(_PREFIX):
        return None
    try:
        data = base64.b64decode(value.removeprefix(_PREFIX), validate=True)
    except ValueError:  # not base64
        return None
    return data if data.startswith(_SIGNATURE) else None
