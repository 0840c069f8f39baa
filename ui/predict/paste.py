"""Pasting images from the clipboard into the file uploader of the page, by a button or by Ctrl+V.

st.file_uploader("Images", accept_multiple_files=True, key="files")
paste_images("paste")
"""

from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "duet_paste",
    html="""
      <div class="paste">
        <button type="button">Paste an image</button>
        <span class="said" role="status"></span>
      </div>
    """,
    css="".join((_HERE / name).read_text() for name in ("paste.css", "buttons.css")),
    js=(_HERE / "paste.js").read_text(),
)


def paste_images(key: str) -> None:
    """Show the button; whatever image is pasted anywhere on the page is uploaded, too."""
    _component(key=key)
