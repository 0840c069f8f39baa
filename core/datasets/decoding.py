"""Untrusted bytes to an image: what a person uploads, checked and decoded.

    pixels = decode(data, "three.jpg")      # uint8 (H, W, 3), RGB

Only the formats in `FORMATS` are tried, whatever the file is called, and the size that the header
claims is checked before any pixel is decoded. Hostile files can still take seconds and some hundred
megabytes, so decode in a process that can be killed.
"""

import io
import math
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""The formats that are read, in Pillow's names."""

MAX_BYTES = 64 * 2**20
"""The largest file, in bytes: an uncompressed photograph of 20 megapixels just fits."""

MAX_PIXELS = 64_000_000
"""The most pixels, as the header counts them: phones take up to 50 million in their usual modes."""

MAX_SIDE = 1200
"""The longest side that is given back, in pixels; no network needs more."""

_BEGINNINGS = {
    b"\x89PNG": "a damaged PNG",
    b"\xff\xd8": "a damaged JPEG",
    b"RIFF": "a damaged WebP or a sound",
    b"GIF8": "a damaged GIF",
    b"BM": "a damaged BMP",
    b"II*\x00": "a damaged TIFF",
    b"MM\x00*": "a damaged TIFF",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or an office document",
}

_EXPECTED = "a PNG, JPEG, WebP, BMP, GIF or TIFF image"

_IMAGE_BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
"""How files of the formats that are read begin, besides WebP's and PPM's."""


class ImageError(ValueError):
    """A file that cannot be read as an image; the message is one sentence that names it."""


def looks_like_image(beginning: bytes) -> bool:
    """Say whether a file that begins so is an image of one of `FORMATS`."""
    if beginning.startswith(b"BM"):
        return len(beginning) >= 18 and beginning[14:18] in (b"(\0\0\0", b"l\0\0\0", b"|\0\0\0")
    is_webp = beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP"
    is_ppm = len(beginning) > 2 and beginning[:1] == b"P" and beginning[1:2] in b"123456" and beginning[2:3].isspace()
    return is_webp or is_ppm or beginning.startswith(_IMAGE_BEGINNINGS)


def brightest_of_deep(data: bytes) -> float | None:
    """Return the brightest value of a grey image with 16 bits a pixel; None for any other file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if not image.mode.startswith("I;16") or math.prod(image.size) > MAX_PIXELS:
                    return None
                return float(np.asarray(image).max())
        # As in `decode`: whatever a damaged file raises is told when it is read.
        except Exception:
            return None


def decode(data: bytes, name: str, *, white: float | None = None) -> np.ndarray:
    """Decode the first picture in the bytes of a file called `name`.

    - An image with a side above `MAX_SIDE` is shrunk by a whole factor, each pixel the mean of those it
      replaces.
    - The rotation or mirroring that EXIF asks for is done.
    - Of 16 bits a channel the high byte is kept; of grey ones, all up to `white` where that is given. Greys,
      palettes and CMYK become RGB by Pillow's formulas; colour profiles are not applied.
    - Transparency is laid on white, as viewers show it, but on black where it holds a light drawing: what
      is visible is lighter than middle grey and covers less than half of the image.

    Returns:
        RGB pixels, uint8 `(H, W, 3)`.

    Raises:
        ImageError: if the bytes are not a whole image of one of `FORMATS`, or are too large.
    """
    if not data:
        raise ImageError(f"{name}: expected an image, received an empty file.")
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"{name}: expected at most {MAX_BYTES / 2**20:.0f} MiB, received {math.ceil(len(data) / 2**20):,} MiB: "
            "save it smaller or as JPEG."
        )
    # Pillow's warnings on damaged metadata are of no use here: it either gives pixels or an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if math.prod(image.size) > MAX_PIXELS:
                    raise ImageError(_too_many(name, "{:,} × {:,} pixels".format(*image.size)))
                image.draft(None, (MAX_SIDE, MAX_SIDE))  # lets a JPEG be decoded at a half, quarter or eighth
                ImageOps.exif_transpose(image, in_place=True)
                return np.array(_on_background(_shrunk(_eight_bits(image, name, white))))
        except ImageError:
            raise
        except UnidentifiedImageError:
            raise ImageError(f"{name}: expected {_EXPECTED}, received {_describe(data)}.") from None
        except Image.DecompressionBombError:
            limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise ImageError(_too_many(name, f"more than {limit / 1e6:.0f} megapixels")) from None
        # Pillow's decoders meet hostile bytes with nearly any built-in error, MemoryError included.
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise ImageError(f"{name}: expected a whole image, but it is damaged ({reason}).") from error


def _eight_bits(image: Image.Image, name: str, white: float | None) -> Image.Image:
    """Return the picture as RGB, or as RGBA where it has transparency."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        if white is None or white == 65535:
            values = values >> 8
        elif values.max() > white:
            raise ImageError(
                f"{name}: expected pixels of at most {white:g}, as in other images, received {values.max()}: choose "
                "the value of white (--scale)."
            )
        else:
            values = np.rint(values * (255 / white))
        image = Image.fromarray(values.astype(np.uint8))
    elif image.mode == "I" and image.format == "PPM":  # Pillow stretches its values to 16 bits
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ImageError(f"{name}: expected 8 or 16 bits a channel, received 32: save it as PNG or JPEG.")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _shrunk(image: Image.Image) -> Image.Image:
    return image.reduce(math.ceil(max(image.size) / MAX_SIDE))


def _on_background(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    opacity = np.asarray(image.getchannel("A")) / 255
    lightness = np.asarray(image.convert("RGB").convert("L"))
    light_drawing = 0 < opacity.mean() < 0.5 and np.average(lightness, weights=opacity) > 127.5
    background = Image.new("RGBA", image.size, "black" if light_drawing else "white")
    return Image.alpha_composite(background, image).convert("RGB")


def _too_many(name: str, received: str) -> str:
    return f"{name}: expected at most {MAX_PIXELS / 1e6:.0f} megapixels, received {received}: save it smaller."


def _describe(data: bytes) -> str:
    """Say in words what kind of file begins like this."""
    for beginning, kind in _BEGINNINGS.items():
        if data.startswith(beginning):
            return kind
    if data[4:8] == b"ftyp":
        return "a HEIC or AVIF picture or a film"
    try:
        text = data[:1000].decode().lstrip("\ufeff \r\n\t").lower()
    except UnicodeDecodeError:
        return "something else"
    if "<svg" in text:
        return "an SVG drawing"
    if text.startswith(("<!doctype html", "<html")):
        return "a web page"
    return "a text" if text.isprintable() or "\n" in text else "something else"
