"""Pictures travel in the page, so that none can be broken by what the page or another tab does meanwhile."""

import ast
import base64
import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.system.paths import PROJECT
from tests.sample_data import noise
from ui.shared.picture import data_url


@pytest.mark.parametrize("shape", [(5, 4), (5, 1), (5, 4, 1), (5, 4, 2), (5, 4, 3), (5, 4, 4)])
def test_an_address_holds_the_very_pixels(shape: tuple[int, ...]):
    picture = noise(1, (*shape, 1)[:3])[0].reshape(shape)

    head, _, encoded = data_url(picture).partition(",")

    assert head == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert shown.shape[:2] == shape[:2]
    assert shown.ravel().tolist() == picture.ravel().tolist()


def _page() -> None:
    import numpy as np

    from ui.shared.picture import show_picture

    show_picture(np.zeros((4, 4, 3), np.uint8), alt="Nothing", caption="black", width=40)


def test_a_page_holds_its_pictures_itself():
    (shown,) = AppTest.from_function(_page).run().get("image")

    (picture,) = shown.proto.imgs
    assert picture.url.startswith("data:image/png;base64,")
    assert (picture.alt, picture.caption) == ("Nothing", "black")


def test_no_picture_is_shown_otherwise():
    calls = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for place in ("ui", "pages")
        for path in sorted((PROJECT / place).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "image"
    ]

    assert [call.split(":")[0] for call in calls] == ["ui/shared/picture.py"], calls
