"""What is taken from a browser as a drawing. The drawing itself is tested in a real browser."""

import base64
import io
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui.predict.canvas import MAX_BYTES, read_data_url


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def drawing() -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), 255).save(file, "PNG")
    return file.getvalue()


def test_a_png_comes_back_as_it_was() -> None:
    assert read_data_url(data_url(drawing())) == drawing()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        7,
        ["data:image/png;base64,"],
        base64.b64encode(drawing()).decode(),
        data_url(drawing()).replace("png", "svg+xml"),
        data_url(b"GIF89a"),
        data_url(b""),
        data_url(drawing())[:-1],
        data_url(drawing()) + "<script>",
        data_url(drawing()) + "ü",
        data_url(drawing() + bytes(MAX_BYTES)),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_anything_else_is_no_drawing(value: Any) -> None:
    assert read_data_url(value) is None


def test_an_untouched_canvas_is_empty() -> None:
    def page() -> None:
        import streamlit as st

        from ui.predict.canvas import drawing_canvas

        st.write(f"drawing: {drawing_canvas('digit', size=200)}")

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert app.markdown[0].value == "drawing: None"
    assert app.get("bidi_component")[0].proto.json == '{"size": 200, "pen": 0.075, "drawn": false}'
