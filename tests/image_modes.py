"""One digit in every way in which an image file may keep its pixels: 16 bits, CMYK, a palette, alpha, frames, turned.

for name, data in in_all_modes(digit).items():
    ...
"""

import io

import numpy as np
from PIL import ExifTags, Image


def in_all_modes(digit: np.ndarray) -> dict[str, bytes]:
    """Return files by name that all look like a digit, uint8 `(28, 28)`, dark on white and four times larger."""
    dark = Image.fromarray(255 - digit).resize((112, 112), Image.Resampling.BICUBIC)
    deep = Image.fromarray(np.asarray(dark).astype(np.uint16) * 257)
    see_through = Image.merge("LA", (Image.new("L", dark.size, 0), dark.point(lambda value: 255 - value)))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return {
        "plain.png": _saved(dark, "PNG"),
        "16-bit.png": _saved(deep, "PNG"),
        "16-bit.tif": _saved(deep, "TIFF"),
        "cmyk.jpg": _saved(dark.convert("RGB").convert("CMYK"), "JPEG", quality=95),
        "palette.png": _saved(dark.convert("P"), "PNG"),
        "alpha.png": _saved(see_through, "PNG"),
        "animated.gif": _saved(dark, "GIF", save_all=True, append_images=[Image.new("L", dark.size, 255)]),
        "turned.jpg": _saved(dark.rotate(90), "JPEG", quality=95, exif=exif),
    }


def _saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()
