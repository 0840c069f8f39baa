"""Images that are files of their own, PNG or JPEG: decoded by a few threads, in their order, those damaged left out.

    white = find_deep_white(images, choices)          # of images with 16 bits
    for entry in decode_images(images, len(images)):  # Blocks of one image, or Skipped
        ...

What lies in folders is read with it, and what lies in the cells of a table.
"""

import math
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from core.datasets.choices import Choices
from core.datasets.decoding import MAX_BYTES, Header, ImageError, brightest_of_deep, decode, read_header
from core.datasets.files import DAMAGE, File, Skipped
from core.datasets.formats.source import Block, Part
from core.datasets.recognition.brightness import find_white, note_on

LOOKED_AT = 60
"""So many images are looked at for a preview."""

LOOKED_AT_PIXELS = 300_000_000
"""No further image is looked at once so many pixels have been decoded, which takes seconds."""

_HARMLESS_UNPACKED = 2**28
"""Images that unpack to more bytes than this, all together, must not have shrunk by more than `_MAX_RATIO`."""

_MAX_RATIO = 250
"""Blank pixels shrink by 300 to 1,000, scanned pages by 35."""

_THREADS = min(2, os.cpu_count() or 1)
"""Files and shrunk images of so many are in memory; of what is decoded, `decoding` keeps account."""


class Labelled(NamedTuple):
    """A file with its split and its label, and the value of white in it if it has 16 bits."""

    file: File
    part: Part | None
    class_name: str
    white: float | None = None


class DeepWhite(NamedTuple):
    """The value of white of images with 16 bits, and what to tell about it."""

    white: float
    note: str | None


def find_deep_white(images: Iterable[Labelled], choices: Choices) -> DeepWhite | None:
    """Return the value of white, found in the images given; None where none of them has 16 bits."""
    brightest = 0.0
    total = _Total()
    for image in images:
        if total.decoded > LOOKED_AT_PIXELS:
            break
        data = read_whole(image.file)
        try:
            header = read_header(data, image.file.name)
        except ImageError:
            continue  # told when it is read
        if header.mode.startswith("I;16"):
            total.add(image.file, header)
            brightest = max(brightest, brightest_of_deep(data, image.file.name, header) or 0)
    if not brightest:
        return None
    white = choices.scale or find_white(max(brightest, 256), deep=True)
    return DeepWhite(white, note_on(white, brightest, "Images of 16 bits") if white != 65535 else None)


def read_whole(file: File) -> bytes:
    """Return the bytes of a file, one more than are decoded at most; none where it is damaged."""
    try:
        with file.open() as stream:
            return stream.read(MAX_BYTES + 1)
    except DAMAGE:
        return b""


def decode_images(images: Iterable[Labelled], count: int, most: float = math.inf) -> Iterator[Block | Skipped]:
    """Yield the images, of which there are `count`, in their order, decoded by a few threads that are never far ahead.

    No further one is begun once so many pixels as `most` have been decoded.
    """
    queue = iter(enumerate(images, start=1))
    total = _Total()
    with ThreadPoolExecutor(_THREADS) as threads:
        running = [
            (number, image, threads.submit(_decode, image, total)) for number, image in islice(queue, 2 * _THREADS)
        ]
        while running:
            number, image, future = running.pop(0)
            outcome = future.result()
            for next_number, next_image in islice(queue, int(total.decoded <= most)):
                running.append((next_number, next_image, threads.submit(_decode, next_image, total)))
            if isinstance(outcome, Skipped):
                yield outcome
                continue
            pixels, size = outcome
            yield Block(image.part, pixels[np.newaxis], [image.class_name], size, number / count)


class _Total:
    """What the images that have been opened come to, counted by several threads."""

    def __init__(self) -> None:
        self.decoded = 0
        self._saved = 0
        self._unpacked = 0
        self._lock = threading.Lock()

    def add(self, file: File, header: Header) -> None:
        """Count an image that is to be decoded.

        Raises:
            ValueError: if it is one too many of those that hardly say anything with very many pixels.
        """
        with self._lock:
            self.decoded += header.decoded
            self._saved += file.size
            self._unpacked += header.unpacked
            if self._unpacked <= max(_HARMLESS_UNPACKED, _MAX_RATIO * self._saved):
                return
        raise ValueError(
            f"{file.path}: expected images whose files are compressed by at most {_MAX_RATIO} times, received "
            f"{header.width:,} × {header.height:,} pixels in {math.ceil(file.size / 1000):,} kB, and others like it: "
            "save them smaller."
        )


def _decode(image: Labelled, total: _Total) -> tuple[np.ndarray, tuple[int, int]] | Skipped:
    """Return the pixels of a file, uint8 `(H, W, 3)`, and its height and width, or why there are none.

    Raises:
        ValueError: as `_Total.add` does.
    """
    file = image.file
    if file.size > MAX_BYTES:
        return Skipped(file.path, f"It has {file.size / 2**20:,.0f} MiB.", f"Save it below {MAX_BYTES // 2**20} MiB.")
    try:
        with file.open() as stream:
            data = stream.read(MAX_BYTES + 1)
        header = read_header(data, file.name)
    except ImageError as error:
        return _skip_undecodable(file, error)
    except DAMAGE as error:
        return Skipped(file.path, f"It is damaged ({error}).", "Put a whole copy in its place.")
    total.add(file, header)
    try:
        pixels = decode(data, file.name, white=image.white, header=header)
    except ImageError as error:
        return _skip_undecodable(file, error)
    return pixels, (header.height, header.width)


def _skip_undecodable(file: File, error: ImageError) -> Skipped:
    reason = str(error).removeprefix(f"{file.name}: ")
    return Skipped(file.path, f"{reason[:1].upper()}{reason[1:]}", "Save it anew as PNG or JPEG.")
