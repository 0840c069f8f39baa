import io
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from core.datasets import decoding
from core.datasets.decoding import MAX_BYTES, MAX_MEMORY, MAX_SIDE, ImageError, decode, read_header
from tests.bad_files import tiled_tiff

RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)


def saved(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def picture(rows, mode):
    """An image from rows of pixel values."""
    image = Image.new(mode, (len(rows[0]), len(rows)))
    image.putdata([pixel for row in rows for pixel in row])
    return image


def palette(rows, colours):
    image = picture(rows, "P")
    image.putpalette([channel for colour in colours for channel in colour])
    return image


def turned(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def png_of(width, height, bits=1, data=b""):
    """A grey PNG with the header and, compressed, the data asked for."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


ROW = picture([[RED, GREEN, BLUE]], "RGB")
SIXTEEN = Image.fromarray(np.array([[0, 255, 256, 32768, 65535]], np.uint16))

GOLDEN = {
    "rgb png": (saved(ROW, "PNG"), [[RED, GREEN, BLUE]]),
    "rgb bmp": (saved(ROW, "BMP"), [[RED, GREEN, BLUE]]),
    "lossless webp": (saved(ROW, "WEBP", lossless=True), [[RED, GREEN, BLUE]]),
    "compressed tiff": (saved(ROW, "TIFF", compression="tiff_lzw"), [[RED, GREEN, BLUE]]),
    "grey": (saved(picture([[0, 100, 255]], "L"), "PNG"), [[(0, 0, 0), (100, 100, 100), (255, 255, 255)]]),
    "1-bit": (saved(picture([[0, 255, 0]], "1"), "PNG"), [[BLACK, WHITE, BLACK]]),
    "16-bit png": (saved(SIXTEEN, "PNG"), [[(v, v, v) for v in (0, 0, 1, 128, 255)]]),
    "16-bit tiff": (saved(SIXTEEN, "TIFF"), [[(v, v, v) for v in (0, 0, 1, 128, 255)]]),
    "cmyk": (saved(picture([[(0, 255, 255, 0), (0, 0, 0, 255), (0, 0, 0, 0)]], "CMYK"), "TIFF"), [[RED, BLACK, WHITE]]),
    "palette": (saved(palette([[2, 0, 1]], [RED, GREEN, BLUE]), "PNG"), [[BLUE, RED, GREEN]]),
    "palette with a transparent colour": (
        saved(palette([[0, 1, 1]], [RED, GREEN]), "PNG", transparency=1),
        [[RED, WHITE, WHITE]],
    ),
    "first of two frames": (
        saved(palette([[0, 1]], [RED, BLUE]), "GIF", save_all=True, append_images=[palette([[1, 1]], [RED, BLUE])]),
        [[RED, BLUE]],
    ),
    "black drawing on nothing": (
        saved(picture([[(0, 0, 0, 255), (0, 0, 0, 0), (0, 0, 0, 0)]], "RGBA"), "PNG"),
        [[BLACK, WHITE, WHITE]],
    ),
    "white drawing on nothing": (
        saved(picture([[(255, 255, 255, 255), (255, 255, 255, 0), (0, 0, 0, 0)]], "RGBA"), "PNG"),
        [[WHITE, BLACK, BLACK]],
    ),
    "white window with a transparent corner": (
        saved(picture([[(255, 255, 255, 255), (255, 255, 255, 255), (0, 0, 0, 0)]], "RGBA"), "PNG"),
        [[WHITE, WHITE, WHITE]],
    ),
    "grey with alpha": (
        saved(picture([[(0, 255), (0, 0), (0, 51)]], "LA"), "PNG"),
        [[BLACK, WHITE, (204, 204, 204)]],
    ),
    "nothing at all": (saved(picture([[(9, 9, 9, 0)]], "RGBA"), "PNG"), [[WHITE]]),
    "lying on its side": (saved(ROW, "PNG", exif=turned(6)), [[RED], [GREEN], [BLUE]]),
    "upside down": (saved(ROW, "PNG", exif=turned(3)), [[BLUE, GREEN, RED]]),
    "mirrored": (saved(ROW, "PNG", exif=turned(2)), [[BLUE, GREEN, RED]]),
    "tiff on its side": (saved(ROW, "TIFF", tiffinfo={ExifTags.Base.Orientation: 8}), [[BLUE], [GREEN], [RED]]),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_gives_the_documented_pixels(case):
    data, expected = GOLDEN[case]
    pixels = decode(data, case)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.array(expected))


def test_turns_a_jpeg_by_its_exif():
    left_dark = Image.fromarray(np.repeat([[0, 255]], 16, axis=0).repeat(16, axis=1).astype(np.uint8))
    pixels = decode(saved(left_dark, "JPEG", exif=turned(6)), "photo.jpg")
    assert pixels.shape == (32, 16, 3)
    assert pixels[:12].max() < 20
    assert pixels[-12:].min() > 235


@pytest.mark.parametrize(("file_format", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "L"), ("PNG", "I;16")])
def test_shrinks_what_is_too_large(file_format, mode):
    image = Image.linear_gradient("L").resize((3000, 1700))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    pixels = decode(saved(image.convert(mode), file_format), "large")
    assert max(pixels.shape) <= MAX_SIDE
    assert pixels.shape[1] / pixels.shape[0] == pytest.approx(3000 / 1700, rel=0.01)
    assert pixels.mean() == pytest.approx(127.5, abs=1)


WHOLE = saved(Image.effect_noise((64, 64), 50), "PNG")

REFUSED = {
    "empty.png": (b"", "expected an image, received an empty file"),
    "text.png": (b"This is not\nan image.", "received a text"),
    "drawing.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "received an SVG drawing"),
    "page.png": (b"<!DOCTYPE html><script>alert(1)</script>", "received a web page"),
    "paper.pdf": (b"%PDF-1.7 ...", "received a PDF document"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "received a HEIC or AVIF picture or a film"),
    "bytes.png": (bytes(range(128, 256)), "received something else"),
    "header.png": (WHOLE[:20], "damaged"),
    "truncated.png": (WHOLE[: len(WHOLE) // 2], "damaged"),
    "magic.gif": (b"GIF89a", "received a damaged GIF"),
    "float.tiff": (saved(Image.new("F", (2, 2)), "TIFF"), "expected 8 or 16 bits a channel, received 32"),
    "9k.png": (png_of(9_000, 9_000), "expected at most 64 megapixels, received 9,000 × 9,000 pixels"),
    "20k.png": (png_of(20_000, 20_000, data=bytes(20_000 * 2_501)), "expected at most 64 megapixels"),
    "50k.png": (png_of(50_000, 50_000), "expected at most 64 megapixels"),
    "progressive.jpg": (
        saved(Image.new("RGB", (6400, 6300)), "JPEG", progressive=True, subsampling=0),
        "expected an image that takes at most 208 MiB to decode, received 6,400 × 6,300 pixels, which take 241 MiB",
    ),
    "8k.webp": (saved(Image.new("L", (8000, 8000)), "WEBP"), "received 8,000 × 8,000 pixels, which take 977 MiB"),
    "one tile.tif": (tiled_tiff(32, 20_000), "received 32 × 32 pixels, which take 1,526 MiB as TIFF"),
    "long.png": (bytes(MAX_BYTES + 1), "expected at most 64 MiB, received 65 MiB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_a_sentence_that_names_the_file(name):
    data, reason = REFUSED[name]
    begin = time.perf_counter()
    with pytest.raises(ImageError) as caught:
        decode(data, name)
    assert time.perf_counter() - begin < 0.5
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert reason in message
    assert message.endswith(".")
    assert " at 0x" not in message


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("side", [20_000, 50_000])
def test_refuses_a_pixel_bomb_within_200_megabytes(side):
    program = (
        "import resource, sys; from pathlib import Path; from core.datasets.decoding import decode\n"
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 200_000_000,) * 2)\n"
        "decode(sys.stdin.buffer.read(), 'bomb.png')"
    )
    ended = subprocess.run([sys.executable, "-c", program], input=png_of(side, side), capture_output=True, check=False)
    assert b"ImageError: bomb.png: expected at most 64 megapixels" in ended.stderr


LARGE = {
    "colour.png": lambda: saved(Image.new("RGB", (7350, 7350)), "PNG"),
    "transparent.png": lambda: saved(Image.new("RGBA", (7350, 7350)), "PNG", exif=turned(6)),
    "16 bits.png": lambda: saved(Image.new("I;16", (8000, 8000)), "PNG"),
    "plain.jpg": lambda: saved(Image.new("RGB", (8000, 8000)), "JPEG"),
    "progressive.jpg": lambda: saved(Image.new("RGB", (8000, 8000)), "JPEG", progressive=True),
    "lossless.webp": lambda: saved(Image.new("RGBA", (3650, 3650)), "WEBP", lossless=True),
    "turned.tif": lambda: saved(
        Image.new("RGB", (4000, 4000)), "TIFF", compression="tiff_lzw", tiffinfo={ExifTags.Base.Orientation: 6}
    ),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", LARGE)
def test_takes_the_memory_that_it_promises(name):
    program = (
        "import re, sys; from pathlib import Path; from core.datasets.decoding import decode\n"
        "data = sys.stdin.buffer.read()\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) * 1024\n"
        "before = peak(); decode(data, 'large'); print(peak() - before)"
    )
    ended = subprocess.run([sys.executable, "-c", program], input=LARGE[name](), capture_output=True, check=True)
    assert int(ended.stdout) < MAX_MEMORY + 32 * 2**20  # what the strip that is shrunk takes, in several modes


def test_threads_wait_for_memory_that_others_have_taken(monkeypatch):
    data = saved(Image.new("RGB", (600, 600)), "PNG")
    monkeypatch.setattr(decoding, "MAX_MEMORY", 2 * read_header(data, "a.png").memory)
    at_once, most, lock = 0, 0, threading.Lock()
    whole = Image.Image.reduce

    def reduce(image, *arguments):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return whole(image, *arguments)

    monkeypatch.setattr(Image.Image, "reduce", reduce)
    with ThreadPoolExecutor(8) as threads:
        decoded = list(threads.map(lambda _: decode(data, "a.png").shape, range(8)))
    assert decoded == [(600, 600, 3)] * 8
    assert most == 2


@pytest.mark.parametrize(
    ("options", "factor"),
    [({}, 0), ({"progressive": True}, 3), ({"progressive": True, "subsampling": 0}, 6)],
)
def test_knows_which_jpeg_is_kept_whole(options, factor):
    data = saved(Image.effect_noise((2000, 1000), 50).convert("RGB"), "JPEG", **options)
    assert read_header(data, "a.jpg").memory == len(data) + 4 * 2_000_000 + factor * 2_000_000


VALID = [
    saved(ROW.resize((12, 9)), "PNG", exif=turned(6)),
    saved(ROW.resize((12, 9)), "JPEG", exif=turned(5)),
    saved(ROW.resize((12, 9)), "JPEG", progressive=True),
    saved(ROW.resize((12, 9)), "WEBP"),
    saved(ROW.resize((12, 9)), "BMP"),
    saved(ROW.resize((12, 9)), "TIFF", compression="tiff_lzw"),
    saved(ROW.resize((12, 9)).convert("CMYK"), "TIFF"),
    GOLDEN["first of two frames"][0],
    GOLDEN["palette with a transparent colour"][0],
    GOLDEN["16-bit png"][0],
]


@st.composite
def damaged_files(draw):
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "insert", "remove"])):
            case "change":
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[place:]
            case "insert":
                data[place:place] = draw(st.binary(max_size=8))
            case "remove":
                del data[place : place + draw(st.integers(1, 8))]
    return bytes(data)


@given(damaged_files())
@settings(max_examples=300, deadline=None)
def test_damage_gives_pixels_or_the_one_error(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            pixels = decode(data, "damaged")
        except ImageError:
            return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert min(pixels.shape[:2]) >= 1
    assert max(pixels.shape[:2]) <= MAX_SIDE
