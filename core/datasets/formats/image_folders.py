"""Folders of images, one for each class: `cats/1.jpg`, `train/cats/1.jpg`, or `train`, `val` and `test`.

Folders around all of them do not count, nor what lies beside the splits. Below the folder of a class, images
may lie in further folders. Where images lie in no classes' folders, a table that names the class of each file
takes their place; see `core.datasets.formats.label_tables`.
"""

import io
import math
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.datasets.choices import Choices
from core.datasets.decoding import (
    MAX_BYTES,
    Header,
    ImageError,
    brightest_of_deep,
    decode,
    looks_like_image,
    read_header,
)
from core.datasets.files import DAMAGE, File, Files, Skipped
from core.datasets.formats import label_tables
from core.datasets.formats.source import Block, Guess, Part, Source, example_images
from core.datasets.recognition.brightness import find_white, note_on
from core.datasets.recognition.layout import Layout, find_layout
from core.datasets.recognition.unread import BEGINNING, describe

POSITION = 5  # pictures in folders come before anything that lies beside them

_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".pgm", ".ppm", ".pbm", ".pnm"),
)

_NEVER = (
    *(".csv", ".tsv", ".txt", ".json", ".xml", ".md", ".py", ".ipynb", ".yaml", ".yml", ".html", ".pdf", ".npy"),
    *(".npz", ".gz", ".mat", ".parquet", ".pkl", ".zip", ".tar", ".log"),
)
"""Endings of files that are not opened to see whether they are images."""

_LOOKED_AT = 60

_LOOKED_AT_PIXELS = 300_000_000
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


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the images that lie in folders of classes, or that a table gives classes.

    Raises:
        ValueError: if there are images, but nothing says their classes.
    """
    images: list[File] = []
    rest: list[File] = []
    for file in files.members:
        (images if _is_image(file) else rest).append(file)
    if not images:
        return None
    layout = find_layout(
        [file.path for file in images],
        [file.size for file in images],
        choices,
        lambda one, other: _whole(images[one]) == _whole(images[other]),
    )
    labelled = [Labelled(images[position], part, name) for position, part, name in layout.images]
    skipped = list(layout.skipped)
    format_, notes = "Folders of images", list(layout.notes)
    if not labelled:
        by_part = {part: [images[position] for position in row] for part, row in layout.unlabelled.items()}
        found = label_tables.find_labels(rest, by_part, choices)
        if found is None:
            raise ValueError(_without_classes(files.name, images, layout, rest))
        labelled = [Labelled(file, part, label) for file, part, label in found.labels]
        skipped += found.skipped
        notes += found.notes
        rest = [file for file in rest if file not in found.tables]
        format_ = "Images with a table of labels"
    else:
        skipped += _skip_unlabelled(layout, images)
    skipped += [_skip(file) for file in rest]
    labels: dict[Part, Counter[str]] = {}
    for image in labelled:
        labels.setdefault(image.part or "train", Counter())[image.class_name] += 1
    guesses = []
    if layout.splits or choices.splits is not None:
        guesses.append(Guess("splits", choices.splits is not False, (True, False)))
    if layout.classes:
        guesses.append(Guess("classes", layout.classes, ("outer", "inner")))
    source = Source(
        format_,
        len(labelled),
        tuple(labelled),
        images={part: sum(counts.values()) for part, counts in labels.items()},
        labels=labels,
        splits={part: folders for part, folders in layout.splits.items() if part in labels},
        skipped=tuple(skipped),
        notes=tuple(notes),
        guesses=tuple(guesses),
        datasets=layout.datasets,
    )
    return _with_white(source, choices)


def read(found: Source) -> Iterator[Block | Skipped]:
    """Yield each image as it is decoded, RGB; those that cannot be decoded as left out."""
    yield from _decoded(found.parts)


def preview(found: Source) -> Iterator[Block | Skipped]:
    """Yield images from all over the folders, fewer where they are large."""
    yield from _decoded(_from_all_over(found.parts), _LOOKED_AT_PIXELS)


def _from_all_over(images: Sequence[Labelled]) -> list[Labelled]:
    """Choose images: the first of each class, then the second of each, and so on."""
    by_class: dict[str, list[Labelled]] = {}
    for image in images:
        by_class.setdefault(image.class_name, []).append(image)
    turns = sorted(
        ((position, name) for name, images in by_class.items() for position in range(min(len(images), _LOOKED_AT))),
    )
    return [by_class[name][position] for position, name in turns[:_LOOKED_AT]]


def _is_image(file: File) -> bool:
    """Say whether a file may be an image: by its ending, or by its content if its ending says nothing."""
    name = file.name.lower()
    if name.endswith(_SUFFIXES):
        return True
    if name.endswith(_NEVER):
        return False
    return looks_like_image(_beginning(file))


def _beginning(file: File) -> bytes:
    try:
        with file.open() as stream:
            return stream.read(BEGINNING)
    except DAMAGE:
        return b""


def _skip(file: File) -> Skipped:
    """Say of a file that is no image what it is."""
    if file.name.lower().endswith((".csv", ".tsv", ".csv.gz")):
        return Skipped(file.path, "It is a table beside the images.", "Import it on its own, if it holds images.")
    if file.name.lower().endswith(".txt"):
        return Skipped(file.path, "It is no image.", "Remove it, or save it as PNG or JPEG.")
    unread = describe(_beginning(file), file.name)
    return Skipped(file.path, f"It is no image, but {unread.what}.", unread.fix)


def _skip_unlabelled(layout: Layout, images: Sequence[File]) -> list[Skipped]:
    """Leave out the images of splits without folders of classes, beside splits that have them."""
    left = []
    for part, positions in layout.unlabelled.items():
        if len(positions) > 3:
            folder = ((part and layout.splits.get(part)) or ["."])[0]
            left.append(
                Skipped(f"{folder}/", f"Its {len(positions):,} images lie in no class's folder.",
                        "Put them into folders that are called as their classes.")
            )  # fmt: skip
        else:
            left += [
                Skipped(images[position].path, "It lies in no class's folder.",
                        "Put it into a folder that is called as its class.")
                for position in positions
            ]  # fmt: skip
    return left


def _without_classes(name: str, images: Sequence[File], layout: Layout, rest: Sequence[File]) -> str:
    """Say where the classes of images were looked for."""
    where = ", ".join(sorted(f"{folder}/" for folders in layout.splits.values() for folder in folders)) or name
    tables = [file.name for file in rest if file.name.lower().endswith((".csv", ".tsv", ".txt", ".json"))][:3]
    beside = f" {', '.join(tables)} beside them does not name these files and their classes." if tables else ""
    stems = {image.name.split(".")[0].rstrip("0123456789_- ") for image in images}
    named = ""
    if 2 <= len(stems) <= len(images) / 2 and all(stems):
        shown = ", ".join(sorted(stems)[:4])
        named = f" Their names begin with {shown}: if those are the classes, make a folder of each."
    return (
        f"{name}: expected images in a folder for each class, such as train/cats/1.jpg, received {len(images):,} in "
        f"{where} that lie in no class's folder: put them into folders called as their classes, or put a table of "
        f"file names and classes, such as labels.csv, beside them.{beside}{named}"
    )


def _with_white(source: Source, choices: Choices) -> Source:
    """Find the value of white of images with 16 bits, from some of them."""
    brightest = 0.0
    looked_at = [image for image in _from_all_over(source.parts) if _may_be_deep(image.file)]
    total = _Total()
    for image in looked_at:
        if total.decoded > _LOOKED_AT_PIXELS:
            break
        data = _whole(image.file)
        try:
            header = read_header(data, image.file.name)
        except ImageError:
            continue  # told when it is read
        if header.mode.startswith("I;16"):
            total.add(image.file, header)
            brightest = max(brightest, brightest_of_deep(data, image.file.name, header) or 0)
    if not brightest:
        return source
    white = choices.scale or find_white(max(brightest, 256), deep=True)
    note = note_on(white, brightest, "Images of 16 bits") if white != 65535 else None
    return replace(
        source,
        parts=tuple(image._replace(white=white) for image in source.parts),
        notes=(*source.notes, *([note] if note else [])),
        guesses=(*source.guesses, Guess("scale", white)),
    )


def _may_be_deep(file: File) -> bool:
    return file.size <= MAX_BYTES and file.name.lower().endswith((".png", ".tif", ".tiff", ".pgm"))


def _whole(file: File) -> bytes:
    try:
        with file.open() as stream:
            return stream.read(MAX_BYTES + 1)
    except DAMAGE:
        return b""


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


def _decoded(images: Sequence[Labelled], most: float = math.inf) -> Iterator[Block | Skipped]:
    """Yield the images in their order, decoded by a few threads that are never far ahead.

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
            yield Block(image.part, pixels[np.newaxis], [image.class_name], size, number / len(images))


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


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    files = {}
    for number, image in enumerate(example_images(20)):
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "PNG")
        files[f"{'cats' if number % 2 else 'dogs'}/{number}.png"] = encoded.getvalue()
    return files
