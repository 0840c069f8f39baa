"""The IDX format of MNIST: a magic number, big-endian sizes, then unsigned bytes; gzipped or not.

Format: the section "THE IDX FILE FORMAT" of the MNIST home page by LeCun, Cortes and Burges.

As a source it is pairs of files, images and labels, whose names differ in that word only:
`train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz`. There, other types of numbers are read as well.
"""

import gzip
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from core.datasets.choices import Choices
from core.datasets.files import DAMAGE, File, Files, Skipped, is_gzip, open_whole, share_read
from core.datasets.formats.source import (
    BLOCK_BYTES,
    MAX_IMAGES,
    MAX_SOURCE_SIDE,
    Block,
    Guess,
    Part,
    Source,
    example_images,
    others,
    part_of_file,
    preview_parts,
    read_parts,
    read_rows,
    splits_by,
)
from core.datasets.recognition.brightness import find_white, note_on, to_bytes
from core.datasets.recognition.orientation import judge_orientation
from core.datasets.recognition.unread import BEGINNING, describe

_BYTES: dict[int, str] = {0x08: ">u1"}
"""The type of MNIST's files."""

_TYPES: dict[int, str] = {**_BYTES, 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""All types of the format, by the third byte of its magic number, in NumPy's words."""

_DENSEST = 1032
"""Deflate makes at most so many bytes of one: 258, its longest repetition, from two bits (zlib's technical notes)."""

_NAME = re.compile(r"idx|ubyte", re.IGNORECASE)


class Pair(NamedTuple):
    """Images and their labels: the part, both files, and the shape of the images `(N, H, W)` or `(N, H, W, C)`.

    `white` is the value that becomes 255; `turned` says whether rows and columns are exchanged.
    """

    part: Part | None
    images: File
    labels: File
    shape: tuple[int, ...]
    white: float = 255
    turned: bool = False


class Header(NamedTuple):
    """What a file announces: its shape, and the type of its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes with so many `dimensions`.

    Raises:
        ValueError: if the file is not such a file, is cut short, or goes on after its last value.
    """
    if not path.is_file():
        raise ValueError(f"{path.name}: expected an IDX file, but there is none at {path}.")
    file = File(path.name, path.stat().st_size, lambda: path.open("rb"))
    with open_whole(file) as stream:
        header = _read_header(stream, file, (dimensions,), _BYTES)
        return np.concatenate(list(_rows(stream, file, header, header.shape[0])) or [np.empty(header.shape, np.uint8)])


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the pairs of IDX files.

    Raises:
        ValueError: if images lack their labels, the numbers of both differ, or there are several data sets.
    """
    candidates = [file for file in files.members if _NAME.search(file.name) or len(files.members) <= 8]
    parts: dict[str, Part | None] = {}
    for file in candidates:
        if (part := part_of_file(file, choices)) != "unused":
            parts[file.path] = part
    by_path = {file.path: file for file in candidates if file.path in parts}
    shapes = {path: header.shape for path, file in by_path.items() if (header := _header(file))}
    copies = _drop_copies(shapes)
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
        pairs.append(Pair(parts[path], by_path[path], by_path[labels[0]], shape))
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
    left = [file for file in files.members if file.path not in copies]
    skipped = (
        *(Skipped(path, f"It is the same as {other}.", "Nothing needs to be done.") for path, other in copies.items()),
        *others(left, used, "the pairs of images and labels"),
    )
    return _judged(pairs, used, skipped, choices)


def _judged(pairs: list[Pair], used: list[File], skipped: tuple[Skipped, ...], choices: Choices) -> Source:
    """Return the source of the pairs, with white and orientation judged from their first images."""
    first = [next(_values(pair), np.empty((0, 1, 1, 1), np.uint8)) for pair in pairs]
    highest = max((float(values.max()) for values in first if values.size), default=0.0)
    lowest = min((float(values.min()) for values in first if values.size), default=0.0)
    fractional = any(values.dtype.kind == "f" and (values != np.rint(values)).any() for values in first)
    try:
        white = choices.scale or find_white(highest, lowest, fractional=fractional)
    except ValueError as error:
        raise ValueError(f"{pairs[0].images.path}: expected {error}.") from None
    labels = [_labels(pair) for pair in pairs]
    note = None if choices.scale else note_on(white, highest, "Values")
    pairs = [pair._replace(white=white) for pair in pairs]
    turn = judge_orientation(
        [pair.images.name for pair in pairs],
        ((to_bytes(values, white, ""), row[: len(values)]) for values, row in zip(first, labels, strict=True)),
        choices,
    )
    pairs = [pair._replace(turned=turn.turned) for pair in pairs]
    guesses = [Guess("scale", white)]
    if turn.is_guess:
        guesses.append(Guess("orientation", "transposed" if turn.turned else "as-is", ("as-is", "transposed")))
    counts = {pair.part or "train": Counter(row) for pair, row in zip(pairs, labels, strict=True)}
    return Source(
        "IDX images and labels",
        len(used),
        tuple(pairs),
        images={part: sum(row.values()) for part, row in counts.items()},
        labels=counts,
        splits=splits_by([(pair.part, pair.images.path) for pair in pairs]),
        skipped=skipped,
        notes=tuple(note for note in (note, turn.note) if note),
        guesses=tuple(guesses),
    )


def _drop_copies(shapes: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """Take out files that lie beside themselves, gzipped; return them with those that stay."""
    copies = {}
    for path in list(shapes):
        plain = path.removesuffix(".gz")
        if plain != path and shapes.get(plain) == shapes[path]:
            copies[path] = plain
            del shapes[path]
    return copies


def read(found: Source) -> Iterator[Block]:
    """Yield all images with their labels."""
    return read_parts(found, _blocks)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each pair."""
    return preview_parts(found, _blocks)


def _blocks(pair: Pair) -> Iterator[Block]:
    labels = _labels(pair)
    start = 0
    for values, share in _values_and_shares(pair):
        images = to_bytes(values, pair.white, pair.images.path)
        if pair.turned:
            images = images.swapaxes(1, 2)
        yield Block(pair.part, images, labels[start : start + len(images)], images.shape[1:3], share)
        start += len(images)


def _values(pair: Pair) -> Iterator[np.ndarray]:
    """Yield the images of a pair as they are stored, `(n, H, W, C)`."""
    return (values for values, _ in _values_and_shares(pair))


def _values_and_shares(pair: Pair) -> Iterator[tuple[np.ndarray, float]]:
    with open_whole(pair.images) as stream:
        header = _read_header(stream, pair.images, (3, 4), _TYPES)
        at_once = max(1, BLOCK_BYTES // (math.prod(pair.shape[1:]) * header.dtype.itemsize))
        for rows in _rows(stream, pair.images, header, at_once):
            yield rows if rows.ndim == 4 else rows[..., np.newaxis], share_read(stream, pair.images)


def _labels(pair: Pair) -> list[str]:
    """Return the labels of a pair, as texts."""
    with open_whole(pair.labels) as stream:
        header = _read_header(stream, pair.labels, (1,), _TYPES)
        rows = list(_rows(stream, pair.labels, header, header.shape[0]))
    return [str(label) for label in np.concatenate(rows).tolist()] if rows else []


def _header(file: File) -> Header | None:
    """Return what a file of labels or images announces; None for any other file.

    Raises:
        ValueError: if it says to be one, but announces what it cannot hold.
    """
    with file.open() as raw:
        packed = is_gzip(raw)
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            magic = stream.read(4)
        except DAMAGE:
            magic = b""
    if not _NAME.search(file.name) and (
        len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] not in (1, 3, 4)
    ):
        return None
    with open_whole(file) as stream:
        header = _read_header(stream, file, (1, 3, 4), _TYPES)
    shape = header.shape
    if shape[0] > MAX_IMAGES:
        raise ValueError(f"{file.path}: expected at most {MAX_IMAGES:,} images, received {shape[0]:,}.")
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise ValueError(f"{file.path}: expected images of 1 or 3 channels, received {shape[3]}.")
    if len(shape) > 1 and (0 in shape or max(shape[1:]) > MAX_SOURCE_SIDE):
        raise ValueError(
            f"{file.path}: expected images of 1 to {MAX_SOURCE_SIDE:,} pixels a side, received the shape {shape}."
        )
    return header


def _read_header(stream: IO[bytes], file: File, dimensions: tuple[int, ...], types: dict[int, str]) -> Header:
    """Read the header; what is announced is compared with the file's length before any memory is taken."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in types or magic[3] not in dimensions:
        expected = " or ".join(map(str, dimensions))
        kind = "bytes" if types is _BYTES else "numbers"
        unread = describe(magic + stream.read(BEGINNING), file.name)
        known = f" ({unread.what}). {unread.fix}" if "unknown" not in unread.what and magic[:1] != b"\0" else "."
        raise ValueError(
            f"{file.path}: expected an IDX file of {kind} in {expected} dimension{'' if expected == '1' else 's'}, "
            f"received one that starts with {magic.hex(' ') or 'nothing'}{known if types is _TYPES else '.'}"
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{file.path}: expected {magic[3]} sizes after the magic number, but the file ends there.")
    header = Header(tuple(np.frombuffer(sizes, ">u4").tolist()), np.dtype(types[magic[2]]))
    densest = _DENSEST if isinstance(stream, gzip.GzipFile) else 1
    if math.prod(header.shape) * header.dtype.itemsize > file.size * densest:
        raise ValueError(
            f"{file.path}: expected {math.prod(header.shape):,} values for the shape {header.shape}, "
            f"received a file of {file.size:,} bytes, which cannot hold them."
        )
    return header


def _rows(stream: IO[bytes], file: File, header: Header, at_once: int) -> Iterator[np.ndarray]:
    """Yield what follows the header, so many rows at once: `(n, *shape[1:])` of the header's type."""
    shape = header.shape
    yield from read_rows(stream, file, shape, header.dtype, at_once)
    if stream.read(1):
        raise ValueError(f"{file.path}: expected {math.prod(shape):,} values for the shape {shape}, received more.")


def _stem(path: str) -> str:
    """Return what images and labels have in common in their names."""
    return re.sub(r"images?|labels?|idx\d|\.gz$|[^a-z0-9/]", "", path.lower())


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    images, labels = example_images(20), np.arange(20, dtype=np.uint8) % 2

    def written(array: np.ndarray) -> bytes:
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        return bytes([0, 0, 0x08, array.ndim]) + sizes + array.tobytes()

    return {"train-images-idx3-ubyte": written(images), "train-labels-idx1-ubyte": written(labels)}
