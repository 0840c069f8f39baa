"""NumPy's .npz: arrays called `x_train, y_train, x_test, y_test`, or `images, labels`, and the like.

Images are integers from 0 to 255 of the shape `(N, H, W)`, `(N, H, W, C)`, `(N, C, H, W)` or `(N, H·W·C)`,
C 1 or 3; labels are integers or texts of the shape `(N,)` or `(N, 1)`. Pickled objects are never read.
"""

import io
import math
import tokenize
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from core.datasets.files import File, Files, open_whole, share_read
from core.datasets.formats.source import (
    BLOCK_BYTES,
    MAX_IMAGES,
    MAX_SOURCE_SIDE,
    Block,
    Part,
    Source,
    example_images,
    numeric,
    others,
    preview_parts,
    read_parts,
    read_rows,
    shape_of_row,
)

_NAMES: tuple[tuple[str, str, Part | None], ...] = (
    ("x_train", "y_train", "train"),
    ("x_val", "y_val", "train"),
    ("x_test", "y_test", "test"),
    ("train_images", "train_labels", "train"),
    ("val_images", "val_labels", "train"),
    ("test_images", "test_labels", "test"),
    ("images", "labels", None),
    ("x", "y", None),
)
"""Arrays that belong together, in small letters, and the split that they are."""

_MAX_LABEL_BYTES = 400


class Array(NamedTuple):
    """An array in the archive: its file, shape, and type."""

    file: File
    shape: tuple[int, ...]
    dtype: np.dtype


class Pair(NamedTuple):
    """Images and their labels; `shape` is that of one image, `(H, W, C)`."""

    part: Part | None
    images: Array
    labels: Array
    shape: tuple[int, int, int]


def detect(files: Files) -> Source | None:
    """Return the pairs of arrays.

    Raises:
        ValueError: if no arrays have the names of such a pair, or an array cannot hold images or labels.
    """
    arrays = {file.name.removesuffix(".npy").lower(): file for file in files.members if file.name.endswith(".npy")}
    if not arrays or len(arrays) < len(files.members):
        return None
    pairs = [
        _pair(part, _array(arrays[images]), _array(arrays[labels]))
        for images, labels, part in _NAMES
        if images in arrays and labels in arrays
    ]
    if not pairs:
        raise ValueError(
            f"{files.name}: expected arrays called x_train, y_train, x_test and y_test, or images and labels, "
            f"received {', '.join(sorted(arrays))[:200]}."
        )
    counts: dict[str, int] = {}
    for pair in pairs:
        counts[pair.part or "train"] = counts.get(pair.part or "train", 0) + pair.images.shape[0]
    used = [array.file for pair in pairs for array in (pair.images, pair.labels)]
    skipped = others(files.members, used, "the images and labels")
    return Source("NumPy arrays", len(used), tuple(pairs), images=counts, skipped=skipped)


def read(found: Source) -> Iterator[Block]:
    """Yield all images with their labels."""
    return read_parts(found, _blocks)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each pair."""
    return preview_parts(found, _blocks)


def _pair(part: Part | None, images: Array, labels: Array) -> Pair:
    shape, name = images.shape, images.file.path
    if images.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected whole numbers from 0 to 255, received the type {images.dtype}: scale the images to "
            "0…255 and save them as uint8."
        )
    match shape:
        case (_, values):
            size = shape_of_row(values, name, "save the images with the shape (N, H, W, C).")
        case (_, height, width):
            size = height, width, 1
        case (_, height, width, 1 | 3 as channels) | (_, 1 | 3 as channels, height, width):
            size = height, width, channels
        case _:
            raise ValueError(f"{name}: expected images of the shape (N, H, W) or (N, H, W, 1 or 3), received {shape}.")
    if not (0 < shape[0] <= MAX_IMAGES and min(size) > 0 and max(size) <= MAX_SOURCE_SIDE):
        raise ValueError(
            f"{name}: expected 1 to {MAX_IMAGES:,} images of 1 to {MAX_SOURCE_SIDE:,} pixels a side, received {shape}."
        )
    if labels.shape not in ((shape[0],), (shape[0], 1)):
        raise ValueError(
            f"{labels.file.path}: expected a label for each of the {shape[0]:,} images, shape ({shape[0]},), "
            f"received {labels.shape}."
        )
    if labels.dtype.kind not in "iuU" or labels.dtype.itemsize > _MAX_LABEL_BYTES:
        raise ValueError(
            f"{labels.file.path}: expected whole numbers or texts of at most {_MAX_LABEL_BYTES // 4} characters, "
            f"received the type {labels.dtype}."
        )
    return Pair(part, images, labels, size)


def _array(file: File) -> Array:
    with open_whole(file) as stream:
        array, header = _read_header(stream, file)
    announced = math.prod(array.shape) * array.dtype.itemsize
    if announced != file.size - header:
        raise ValueError(
            f"{file.path}: expected {announced:,} bytes for the shape {array.shape}, received {file.size - header:,}."
        )
    return array


def _read_header(stream: IO[bytes], file: File) -> tuple[Array, int]:
    """Return an array's description and the length of the header, which the stream has then passed."""
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = reader(stream)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise ValueError(
            f"{file.path}: expected a NumPy array, but its header is damaged ({str(error)[:100]})."
        ) from None
    if dtype.hasobject:
        raise ValueError(f"{file.path}: expected numbers or texts, received Python objects, which are never read.")
    if by_column and len(shape) > 1:
        raise ValueError(
            f"{file.path}: expected an array stored by rows, received one stored by columns: save it with "
            "numpy.ascontiguousarray."
        )
    return Array(file, shape, dtype), stream.tell()


def _blocks(pair: Pair) -> Iterator[Block]:
    with open_whole(pair.labels.file) as stream:
        _read_header(stream, pair.labels.file)
        labels = np.concatenate(list(_rows(stream, pair.labels, BLOCK_BYTES))).reshape(-1)
    row = math.prod(pair.images.shape[1:]) * pair.images.dtype.itemsize
    start = 0
    with open_whole(pair.images.file) as stream:
        _read_header(stream, pair.images.file)
        for rows in _rows(stream, pair.images, max(1, BLOCK_BYTES // row)):
            if rows.min() < 0 or rows.max() > 255:
                raise ValueError(
                    f"{pair.images.file.path}: expected whole numbers from 0 to 255, received "
                    f"{rows.min() if rows.min() < 0 else rows.max()}."
                )
            images = rows.astype(np.uint8).reshape(len(rows), *_stored(pair))
            if _stored(pair) != pair.shape:
                images = np.moveaxis(images, 1, 3)
            classes = [numeric(str(label)) for label in labels[start : start + len(rows)].tolist()]
            start += len(rows)
            yield Block(pair.part, images, classes, pair.shape[:2], share_read(stream, pair.images.file))


def _stored(pair: Pair) -> tuple[int, int, int]:
    """Return the shape that an image has in its file: that of a row or of channels first may differ."""
    height, width, channels = pair.shape
    if pair.images.shape[1:] == (channels, height, width):
        return channels, height, width
    return pair.shape


def _rows(stream: IO[bytes], array: Array, at_once: int) -> Iterator[np.ndarray]:
    return read_rows(stream, array.file, array.shape, array.dtype, at_once)


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    file = io.BytesIO()
    np.savez(file, images=example_images(20), labels=np.arange(20) % 2)
    return {"images.npz": file.getvalue()}
