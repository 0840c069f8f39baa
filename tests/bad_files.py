"""Files that are no readable image, with a part of the sentence that each must get.

for name, (data, reason) in bad_files().items():
    ...
"""

import io
import struct
import zlib
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


def tiled_tiff(side: int, tile_side: int) -> bytes:
    """Return a grey, square TIFF of one tile, of which nearly all may lie outside of the image."""
    tile = zlib.compress(bytes(min(tile_side, 1000) ** 2))
    values = (
        *((256, side), (257, side), (258, 8), (259, 8), (262, 1), (277, 1), (322, tile_side), (323, tile_side)),
        *((324, 8), (325, len(tile))),
    )
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values)
    directory = struct.pack("<H", len(values)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + directory


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
