"""Files that are no readable image, with a part of the sentence that each must get.

for name, (data, reason) in bad_files().items():
    ...
"""

import io
from functools import cache

from PIL import Image


@cache
def bad_files() -> dict[str, tuple[bytes, str]]:
    """Return the bytes of each file and what the sentence about it says, by file name."""
    whole = _png(Image.linear_gradient("L"))
    return {
        "empty.png": (b"", "received an empty file"),
        "text.png": (b"It is a seven.", "received a text"),
        "truncated.png": (whole[: len(whole) // 2], "it is damaged"),
        "bomb.png": (_png(Image.new("1", (20_000, 20_000))), "expected at most 64 megapixels"),
        "blank.png": (_png(Image.new("L", (100, 100), 255)), "without clear strokes"),
    }


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
