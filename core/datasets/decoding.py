"""Untrusted bytes to an image: what a person uploads, checked and decoded.

    pixels = decode(data, "three.jpg")      # uint8 (H, W, 3), RGB

Only the formats in `FORMATS` are tried, whatever the file is called, and what decoding would take, by the
size that the header claims, is checked before any pixel is decoded: at most `MAX_MEMORY`, of all threads
together. Hostile files can still take seconds, so decode in a process that can be killed.
"""

import io
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""The formats that are read, in Pillow's names."""

MAX_BYTES = 64 * 2**20
"""The largest file, in bytes: an uncompressed photograph of 20 megapixels just fits."""

MAX_PIXELS = 64_000_000
"""The most pixels, as the header counts them: phones take up to 50 million in their usual modes."""

MAX_MEMORY = 208 * 2**20
"""The most bytes that files and their pixels may take together while they are decoded: 54 million pixels of a PNG."""

MAX_SIDE = 1200
"""The longest side that is given back, in pixels; no network needs more."""

_STRIP = 2**20
"""So many pixels are brought to RGB at a time: a whole picture in two modes would take twice its memory."""

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


class Header(NamedTuple):
    """What an image file says of itself, before any pixel is decoded.

    Attributes:
        width: in pixels, as they are stored: EXIF may turn them.
        height: the same.
        mode: Pillow's name of what a pixel is.
        unpacked: bytes of the pixels, not compressed.
        decoded: how many pixels are decoded of it: less than there are of a JPEG, which can be decoded smaller.
        memory: the most bytes that decoding takes, the file's own among them.
    """

    width: int
    height: int
    mode: str
    unpacked: int
    decoded: int
    memory: int


def read_header(data: bytes, name: str) -> Header:
    """Read how large the image in the bytes of a file called `name` is.

    Raises:
        ImageError: as `decode` does, but for damage behind the header.
    """
    with _opened(data, name) as image:
        return _header(image, data, name)


def brightest_of_deep(data: bytes, name: str, header: Header) -> float | None:
    """Return the brightest value of a grey image with 16 bits a pixel; None for any other or damaged file."""
    if not header.mode.startswith("I;16"):
        return None
    try:
        with _MEMORY.taking(header.memory), _opened(data, name) as image:
            return _brightest(image)
    except ImageError:
        return None


def decode(data: bytes, name: str, *, white: float | None = None, header: Header | None = None) -> np.ndarray:
    """Decode the first picture in the bytes of a file called `name`.

    - An image with a side above `MAX_SIDE` is shrunk by a whole factor, each pixel the mean of those it
      replaces; a JPEG is decoded at a half, a quarter or an eighth before that.
    - The rotation or mirroring that EXIF asks for is done.
    - Of 16 bits a channel the high byte is kept; of grey ones, all up to `white` where that is given. Greys,
      palettes and CMYK become RGB by Pillow's formulas; colour profiles are not applied.
    - Transparency is laid on white, as viewers show it, but on black where it holds a light drawing: what
      is visible is lighter than middle grey and covers less than half of the image.

    Waits while other threads decode so much that all would take more than `MAX_MEMORY`. `header` is what
    `read_header` returns, where that is known already.

    Returns:
        RGB pixels, uint8 `(H, W, 3)`.

    Raises:
        ImageError: if the bytes are not a whole image of one of `FORMATS`, or are too large.
    """
    header = header or read_header(data, name)
    with _MEMORY.taking(header.memory):
        return _decoded(data, name, white)


def _decoded(data: bytes, name: str, white: float | None) -> np.ndarray:
    """Do what `decode` does; no picture is in memory any more once this has returned."""
    with _opened(data, name) as image:
        scale = _jpeg_scale(image)
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))  # of JPEG only
        image.load()
        if white is not None and image.mode.startswith("I;16") and (brightest := _brightest(image)) > white:
            raise ImageError(
                f"{name}: expected pixels of at most {white:g}, as in other images, received {brightest:g}: choose "
                "the value of white (--scale)."
            )
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        shrunk = _shrunk(image, white)
        if orientation in _TURNS:
            shrunk = shrunk.transpose(_TURNS[orientation])
        return np.array(_on_background(shrunk))


def _brightest(image: Image.Image) -> float:
    """Return the highest value of a picture with one channel, found without a copy of it."""
    return float(np.max(image.getextrema()))


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What EXIF's orientations ask for."""


class _Memory:
    """What threads that decode at the same time take together: one that would exceed `MAX_MEMORY` waits."""

    def __init__(self) -> None:
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, memory: int) -> Iterator[None]:
        """Wait until so many bytes are free, at most `MAX_MEMORY`, and take them while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken + memory <= MAX_MEMORY)
            self._taken += memory
        try:
            yield
        finally:
            with self._changed:
                self._taken -= memory
                self._changed.notify_all()


_MEMORY = _Memory()


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open the bytes of a file called `name`; whatever Pillow finds wrong until the block ends becomes a sentence.

    Raises:
        ImageError: if the bytes are no image of one of `FORMATS`, or too large.
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
                yield image
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


def _header(image: Image.Image, data: bytes, name: str) -> Header:
    """Return what is known of an image that is open, if it may be decoded.

    Raises:
        ImageError: if it is too large, or has more than 16 bits a channel.
    """
    width, height = image.size
    size = f"{width:,} × {height:,} pixels"
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise ImageError(_too_many(name, size))
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        raise ImageError(f"{name}: expected 8 or 16 bits a channel, received 32: save it as PNG or JPEG.")
    decoded = math.ceil(pixels / _jpeg_scale(image) ** 2)
    memory = len(data) + decoded * _bytes_of_pixel(image) + _working_memory(image, data)
    if memory > MAX_MEMORY:
        raise ImageError(
            f"{name}: expected an image that takes at most {MAX_MEMORY / 2**20:.0f} MiB to decode, received {size}, "
            f"which take {math.ceil(memory / 2**20):,} MiB as {image.format}: save it smaller, or as a plain JPEG."
        )
    bits = 1 if image.mode == "1" else 16 if image.mode.startswith("I;16") else 8 * len(image.getbands())
    return Header(width, height, image.mode, math.ceil(pixels * bits / 8), decoded, memory)


def _jpeg_scale(image: Image.Image) -> int:
    """Return by what factor the sides of a JPEG are shrunk while it is decoded; 1 for other formats."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return 1
    return next((scale for scale in (8, 4, 2) if max(image.size) >= scale * MAX_SIDE), 1)


def _bytes_of_pixel(image: Image.Image) -> int:
    """Return what a pixel takes in Pillow's memory."""
    if image.mode.startswith("I;16"):
        return 2
    return 1 if image.mode in ("1", "L", "P") else 4


def _working_memory(image: Image.Image, data: bytes) -> int:
    """Return how many bytes a format's decoder takes besides the file and the pixels that it gives."""
    pixels = math.prod(image.size)
    if image.format == "WEBP":
        # Two copies of the file; the canvas, the one before, and the pixels that are given back, of 4 bytes each.
        return 2 * len(data) + 12 * pixels
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        if not _jpeg_is_buffered(data):
            return 0
        # Of each component, as often as it is sampled: 16 bits a coefficient.
        most = max(across for _, across, _, _ in image.layer) * max(down for _, _, down, _ in image.layer)
        return math.ceil(2 * pixels * sum(across * down for _, across, down, _ in image.layer) / most)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        turned = 4 * pixels if tags.get(ExifTags.Base.Orientation, 1) != 1 else 0  # by Pillow, into another picture
        if tags.get(TiffImagePlugin.COMPRESSION, 1) == 1:
            return turned
        across = tags.get(TiffImagePlugin.TILEWIDTH, image.width)
        down = tags.get(TiffImagePlugin.TILELENGTH, min(tags.get(TiffImagePlugin.ROWSPERSTRIP, 2**32), image.height))
        channels = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
        bits = channels * max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        return len(data) + across * down * max(4, math.ceil(bits / 8)) + turned
    return 0


def _jpeg_is_buffered(data: bytes) -> bool:
    """Say whether a JPEG brings its components in several scans, so that all is kept until the last.

    Follows the markers up to the first scan; ITU-T T.81, annex B. What is no JPEG up to there is damaged, and as
    large as any.
    """
    position, components = 2, 0
    while position + 10 <= len(data):
        if data[position] != 0xFF:
            position += 1
            continue
        marker = data[position + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # these have no length
            position += 1
            continue
        if marker == 0xDA:
            return data[position + 4] < components
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components = data[position + 9]
            if marker not in (0xC0, 0xC1, 0xC9):  # progressive, or of a kind that is rarer still
                return True
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return True


def _shrunk(image: Image.Image, white: float | None) -> Image.Image:
    """Return the picture as RGB, or as RGBA where it has transparency, with no side above `MAX_SIDE`."""
    factor = math.ceil(max(image.size) / MAX_SIDE)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    shrunk = Image.new(mode, (math.ceil(image.width / factor), math.ceil(image.height / factor)))
    rows = factor * max(1, _STRIP // (image.width * factor))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        shrunk.paste(_eight_bits(strip, image.format, white).convert(mode).reduce(factor), (0, top // factor))
    return shrunk


def _eight_bits(strip: Image.Image, file_format: str | None, white: float | None) -> Image.Image:
    """Return a part of a picture with 8 bits a channel."""
    if strip.mode.startswith("I;16"):
        values = np.asarray(strip)
        values = values >> 8 if white is None or white == 65535 else np.rint(values * (255 / white))
        return Image.fromarray(values.astype(np.uint8))
    if strip.mode == "I" and file_format == "PPM":  # Pillow stretches its values to 16 bits
        return Image.fromarray((np.asarray(strip) >> 8).astype(np.uint8))
    return strip


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
