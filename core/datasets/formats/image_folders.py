"""Folders of images, one for each class: `cats/1.jpg`, `train/cats/1.jpg`, or `train`, `val` and `test`.

Folders around all of them do not count. Below the folder of a class, images may lie in further
folders. What `val` holds is used for training, since every run draws its own validation images.
"""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.datasets.decoding import FORMATS, MAX_BYTES, ImageError, decode
from core.datasets.files import DAMAGE, File, Files, Skipped
from core.datasets.formats.source import Block, Part, Source, example_images, part_of

POSITION = 90  # anything may lie in folders

_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")

_LOOKED_AT = 60

_THREADS = min(2, os.cpu_count() or 1)
"""Each may hold an image of 64 megapixels, so more would break the promise of bounded memory."""

_MAX_CLASS_NAME = 100


class Labelled(NamedTuple):
    """A file with the split and the class that its folders say."""

    file: File
    part: Part | None
    class_name: str


def detect(files: Files) -> Source | None:
    """Return the images that lie in folders of classes."""
    images = [file for file in files.members if _may_be_image(file)]
    folders = {file.path: file.path.split("/")[:-1] for file in images}
    skipped = [
        Skipped(file.path, "It is no image.", "Remove it, or save it as PNG or JPEG.")
        for file in files.members
        if not _may_be_image(file)
    ]
    inner = _without_common(list(folders.values()))
    tops = {path[0] for path in inner if path}
    has_parts = bool(tops) and all(map(part_of, tops)) and any(len(path) > 1 for path in inner)
    labelled = []
    if has_parts:
        inner = _classes_below_parts(inner)
    for file, path in zip(images, inner, strict=True):
        part, path = (part_of(path[0]), path[1:]) if has_parts and path else (None, path)
        if path:
            labelled.append(Labelled(file, part, path[0].strip()[:_MAX_CLASS_NAME] or "unnamed"))
        else:
            skipped.append(
                Skipped(file.path, "It lies in no class's folder.", "Put it into a folder that is called as its class.")
            )
    if not labelled:
        return None
    counts: dict[str, int] = {}
    for image in labelled:
        counts[image.part or "train"] = counts.get(image.part or "train", 0) + 1
    notes = []
    if any(part_of(top) == "train" for top in tops) and len(tops) > len(counts):
        notes.append(
            "The validation images are used for training: every run draws validation images of its own from there."
        )
    return Source(
        "Folders of images",
        len(labelled),
        tuple(labelled),
        images=counts,
        skipped=tuple(skipped),
        notes=tuple(notes if has_parts else ()),
    )


def read(found: Source) -> Iterator[Block | Skipped]:
    """Yield each image as it is decoded, RGB; those that cannot be decoded as left out."""
    yield from _decoded(found.parts)


def preview(found: Source) -> Iterator[Block | Skipped]:
    """Yield images from all over the folders."""
    by_class: dict[str, list[Labelled]] = {}
    for image in found.parts:
        by_class.setdefault(image.class_name, []).append(image)
    # The first of each class, then the second of each, and so on.
    turns = sorted(
        ((position, name) for name, images in by_class.items() for position in range(min(len(images), _LOOKED_AT))),
    )
    yield from _decoded([by_class[name][position] for position, name in turns[:_LOOKED_AT]])


def _may_be_image(file: File) -> bool:
    return file.name.lower().endswith(_SUFFIXES) or "." not in file.name


def _without_common(paths: Sequence[list[str]]) -> list[list[str]]:
    """Drop the outermost folder as long as it is around everything and classes remain below it."""
    paths = [list(path) for path in paths]
    while True:
        deep = [path for path in paths if path]
        if len({path[0] for path in deep}) != 1 or not any(len(path) > 1 for path in deep):
            return paths
        # Files beside the outermost folder are in no class's folder, as they were before.
        paths = [path[1:] for path in paths]


def _classes_below_parts(paths: Sequence[list[str]]) -> list[list[str]]:
    """Drop folders that are around all classes of a split, as in `train/train/cats/1.jpg`."""
    tops = {path[0] for path in paths if path}
    result = [list(path) for path in paths]
    for top in tops:
        rows = [row for row, path in enumerate(paths) if path and path[0] == top]
        for row, rest in zip(rows, _without_common([paths[row][1:] for row in rows]), strict=True):
            result[row] = [top, *rest]
    return result


def _decoded(images: Sequence[Labelled]) -> Iterator[Block | Skipped]:
    """Yield the images in their order, decoded by a few threads that are never far ahead."""
    queue = iter(enumerate(images, start=1))
    with ThreadPoolExecutor(_THREADS) as threads:
        running = [
            (number, image, threads.submit(_decode, image.file)) for number, image in islice(queue, 2 * _THREADS)
        ]
        while running:
            number, image, future = running.pop(0)
            outcome = future.result()
            for next_number, next_image in islice(queue, 1):
                running.append((next_number, next_image, threads.submit(_decode, next_image.file)))
            if isinstance(outcome, Skipped):
                yield outcome
                continue
            pixels, size = outcome
            yield Block(image.part, pixels[np.newaxis], [image.class_name], size, number / len(images))


def _decode(file: File) -> tuple[np.ndarray, tuple[int, int]] | Skipped:
    """Return the pixels of a file, uint8 `(H, W, 3)`, and its height and width, or why there are none."""
    if file.size > MAX_BYTES:
        return Skipped(file.path, f"It has {file.size / 2**20:,.0f} MiB.", f"Save it below {MAX_BYTES // 2**20} MiB.")
    try:
        with file.open() as stream:
            data = stream.read(MAX_BYTES + 1)
        pixels = decode(data, file.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
    except ImageError as error:
        reason = str(error).removeprefix(f"{file.name}: ")
        return Skipped(file.path, f"{reason[:1].upper()}{reason[1:]}", "Save it anew as PNG or JPEG.")
    except DAMAGE as error:
        return Skipped(file.path, f"It is damaged ({error}).", "Put a whole copy in its place.")
    return pixels, (height, width)


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    files = {}
    for number, image in enumerate(example_images(20)):
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "PNG")
        files[f"{'cats' if number % 2 else 'dogs'}/{number}.png"] = encoded.getvalue()
    return files
