"""The IDX format of MNIST: a magic number, big-endian sizes, then unsigned bytes; gzipped or not.

Format: the section "THE IDX FILE FORMAT" of the MNIST home page by LeCun, Cortes and Burges.

As a source it is pairs of files, images and labels, whose names differ in that word only:
`train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz`.
"""

import gzip
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from core.datasets.files import DAMAGE, File, Files, open_whole, share_read
from core.datasets.formats.source import (
    BLOCK_BYTES,
    MAX_IMAGES,
    MAX_SOURCE_SIDE,
    Block,
    Part,
    Source,
    example_images,
    others,
    part_of,
    preview_parts,
    read_parts,
    read_rows,
)

_UNSIGNED_BYTE = 0x08

_DENSEST = 1032
"""Deflate makes at most so many bytes of one: 258, its longest repetition, from two bits (zlib's technical notes)."""

_NAME = re.compile(r"idx|ubyte", re.IGNORECASE)


class Pair(NamedTuple):
    """Images and their labels: the part, both files, and the shape of the images `(N, H, W)` or `(N, H, W, C)`."""

    part: Part | None
    images: File
    labels: File
    shape: tuple[int, ...]


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes with so many `dimensions`.

    Raises:
        ValueError: if the file is not such a file, is cut short, or goes on after its last value.
    """
    if not path.is_file():
        raise ValueError(f"{path.name}: expected an IDX file, but there is none at {path}.")
    file = File(path.name, path.stat().st_size, lambda: path.open("rb"))
    with open_whole(file) as stream:
        shape = _read_shape(stream, file, (dimensions,))
        return np.concatenate(list(_rows(stream, file, shape, shape[0])) or [np.empty(shape, np.uint8)])


def detect(files: Files) -> Source | None:
    """Return the pairs of IDX files.

    Raises:
        ValueError: if images lack their labels, the numbers of both differ, or there are several data sets.
    """
    candidates = [file for file in files.members if _NAME.search(file.name) or len(files.members) <= 8]
    shapes = {file.path: shape for file in candidates if (shape := _shape(file))}
    by_path = {file.path: file for file in candidates}
    pairs = []
    for path, shape in shapes.items():
        if len(shape) == 1:
            continue
        labels = [other for other in shapes if len(shapes[other]) == 1 and _stem(other) == _stem(path)]
        if len(shapes) == 2 and not labels:  # two files belong together, whatever they are called
            labels = [other for other in shapes if len(shapes[other]) == 1]
        if not labels:
            raise ValueError(
                f"{path}: expected a file of labels beside it, such as train-labels-idx1-ubyte beside "
                "train-images-idx3-ubyte: put both into one folder."
            )
        if shapes[labels[0]] != shape[:1]:
            raise ValueError(
                f"{path}: expected a label for each of its {shape[0]:,} images, received the "
                f"{shapes[labels[0]][0]:,} of {labels[0]}."
            )
        pairs.append(Pair(part_of(by_path[path].name), by_path[path], by_path[labels[0]], shape))
    if not pairs:
        if shapes:
            raise ValueError(f"{next(iter(shapes))}: expected a file of images beside these labels.")
        return None
    if len({pair.part for pair in pairs}) < len(pairs):
        raise ValueError(
            f"{files.name}: expected one data set, received several: "
            f"{', '.join(pair.images.name for pair in pairs[:6])}. Import the files of one."
        )
    used = [file for pair in pairs for file in (pair.images, pair.labels)]
    counts = {pair.part or "train": pair.shape[0] for pair in pairs}
    skipped = others(files.members, used, "the pairs of images and labels")
    notes = ("EMNIST's images lie on their side; they are turned upright.",) if any(map(_is_emnist, pairs)) else ()
    return Source("IDX images and labels", len(used), tuple(pairs), images=counts, skipped=skipped, notes=notes)


def read(found: Source) -> Iterator[Block]:
    """Yield all images with their labels."""
    return read_parts(found, _blocks)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each pair."""
    return preview_parts(found, _blocks)


def _blocks(pair: Pair) -> Iterator[Block]:
    with open_whole(pair.labels) as stream:
        shape = _read_shape(stream, pair.labels, (1,))
        labels = np.concatenate(list(_rows(stream, pair.labels, shape, shape[0])))
    at_once = max(1, BLOCK_BYTES // math.prod(pair.shape[1:]))
    start = 0
    with open_whole(pair.images) as stream:
        shape = _read_shape(stream, pair.images, (3, 4))
        for rows in _rows(stream, pair.images, shape, at_once):
            images = rows if rows.ndim == 4 else rows[..., np.newaxis]
            if _is_emnist(pair):
                images = images.swapaxes(1, 2)
            classes = [str(label) for label in labels[start : start + len(rows)].tolist()]
            start += len(rows)
            yield Block(pair.part, images, classes, images.shape[1:3], share_read(stream, pair.images))


def _shape(file: File) -> tuple[int, ...] | None:
    """Return the shape of an IDX file of labels or images; None for any other file.

    Raises:
        ValueError: if it says to be one, but holds other numbers or announces what it cannot hold.
    """
    with file.open() as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            magic = stream.read(4)
        except DAMAGE:
            magic = b""
    if not _NAME.search(file.name) and (len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] not in (1, 3, 4)):
        return None
    with open_whole(file) as stream:
        shape = _read_shape(stream, file, (1, 3, 4))
    if shape[0] > MAX_IMAGES:
        raise ValueError(f"{file.path}: expected at most {MAX_IMAGES:,} images, received {shape[0]:,}.")
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise ValueError(f"{file.path}: expected images of 1 or 3 channels, received {shape[3]}.")
    if len(shape) > 1 and (0 in shape or max(shape[1:]) > MAX_SOURCE_SIDE):
        raise ValueError(
            f"{file.path}: expected images of 1 to {MAX_SOURCE_SIDE:,} pixels a side, received the shape {shape}."
        )
    return shape


def _read_shape(stream: IO[bytes], file: File, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Read the header; what is announced is compared with the file's length before any memory is taken."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or magic[3] not in dimensions:
        expected = " or ".join(map(str, dimensions))
        raise ValueError(
            f"{file.path}: expected an IDX file of bytes in {expected} dimension{'' if expected == '1' else 's'}, "
            f"received one that starts with {magic.hex(' ') or 'nothing'}."
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{file.path}: expected {magic[3]} sizes after the magic number, but the file ends there.")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    densest = _DENSEST if isinstance(stream, gzip.GzipFile) else 1
    if math.prod(shape) > file.size * densest:
        raise ValueError(
            f"{file.path}: expected {math.prod(shape):,} values for the shape {shape}, "
            f"received a file of {file.size:,} bytes, which cannot hold them."
        )
    return shape


def _rows(stream: IO[bytes], file: File, shape: tuple[int, ...], at_once: int) -> Iterator[np.ndarray]:
    """Yield what follows the header, so many rows at once: uint8 `(n, *shape[1:])`."""
    yield from read_rows(stream, file, shape, np.dtype(np.uint8), at_once)
    if stream.read(1):
        raise ValueError(f"{file.path}: expected {math.prod(shape):,} values for the shape {shape}, received more.")


def _stem(path: str) -> str:
    """Return what images and labels have in common in their names."""
    return re.sub(r"images?|labels?|idx\d|\.gz$|[^a-z0-9/]", "", path.lower())


def _is_emnist(pair: Pair) -> bool:
    return pair.images.name.lower().startswith("emnist")


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    images, labels = example_images(20), np.arange(20, dtype=np.uint8) % 2

    def written(array: np.ndarray) -> bytes:
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        return bytes([0, 0, _UNSIGNED_BYTE, array.ndim]) + sizes + array.tobytes()

    return {"train-images-idx3-ubyte": written(images), "train-labels-idx1-ubyte": written(labels)}
