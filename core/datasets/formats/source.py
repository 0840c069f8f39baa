"""What the formats share: what they detect, and how they hand over images.

A format is a module with four functions. `detect(files, choices)` looks at the files' names and beginnings
and returns a `Source`, or None where they are something else. `read(source)` yields all images as
`Block`s, and a `Skipped` for each file that turns out to be unreadable; `preview(source)` yields a few
from all over, for the preview. All three raise `ValueError` with one sentence for a damaged source. `example()`
returns a small source, bytes by file name, on which `tests/datasets/formats/test_every_format.py` tries the format.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal, NamedTuple, get_args

import numpy as np

from core.datasets.choices import Choices
from core.datasets.files import File, Skipped
from core.datasets.recognition.words import split_of, stem_of

Part = Literal["train", "validation", "test"]

PARTS: tuple[Part, ...] = get_args(Part)

BLOCK_BYTES = 4 * 2**20
"""About as many bytes of images are held at once."""

MAX_SOURCE_SIDE = 1200
"""The longest side of an image that is read; images in files are shrunk to it while they are decoded."""

MAX_IMAGES = 2_000_000
"""The most images of a data set."""


class Block(NamedTuple):
    """Images of one size and what is known about each.

    part: the split they belong to; None where the source does not say. For images of several splits one each.
    images: uint8 `(n, H, W, C)`, C 1 or 3.
    classes: the label of each one as it is written.
    size: height and width before they were decoded.
    share: how much of the source has been read by now, 0 to 1.
    """

    part: Part | None
    images: np.ndarray
    classes: Sequence[str]
    size: tuple[int, int]
    share: float


class Guess(NamedTuple):
    """Something that was recognised and can be decided otherwise.

    name: the field of `Choices`.
    value: what was guessed, as that field has it.
    options: what else it can be; empty where anything can be entered.
    """

    name: str
    value: Any
    options: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Source:
    """A source that a format has recognised.

    Attributes:
        format: what it is, in words.
        files: how many files hold its images.
        parts: what the format's `read` goes by.
        images: the number of images of each part, where the source says it beforehand.
        labels: the number of images of each label as written, by part, where all labels are known beforehand.
        splits: the files, folders or arrays that are each split.
        class_names: all classes in order, where they are known beforehand.
        skipped: the files that do not belong to it.
        notes: what the person who imports should know, a sentence each.
        guesses: what can be decided otherwise.
        datasets: the folders of whole data sets of which one must be chosen.
        title, source, licence: what is known about a particular data set.
    """

    format: str
    files: int
    parts: tuple[Any, ...]
    images: Mapping[Part, int] | None = None
    labels: Mapping[Part, Mapping[str, int]] | None = None
    splits: Mapping[Part, Sequence[str]] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    guesses: tuple[Guess, ...] = ()
    datasets: tuple[str, ...] = ()
    title: str | None = None
    source: str | None = None
    licence: str | None = None


def read_parts(found: Source, blocks: Callable[[Any], Iterator[Block]]) -> Iterator[Block]:
    """Yield what `blocks` yields of each part of a source, their shares counted over all of them."""
    for number, part in enumerate(found.parts):
        for block in blocks(part):
            yield block._replace(share=(number + block.share) / len(found.parts))


def preview_parts(found: Source, blocks: Callable[[Any], Iterator[Block]]) -> Iterator[Block]:
    """Yield the first of what `blocks` yields of each part of a source."""
    for part in found.parts:
        yield next(blocks(part))


def read_rows(
    stream: IO[bytes], file: File, shape: tuple[int, ...], dtype: np.dtype, at_once: int
) -> Iterator[np.ndarray]:
    """Yield the rows of an array of `shape` whose values come next in a stream, so many at once: `(n, *shape[1:])`.

    Raises:
        ValueError: if the file ends before its last value.
    """
    row = math.prod(shape[1:])
    for start in range(0, shape[0], max(1, at_once)):
        size = min(at_once, shape[0] - start) * row * dtype.itemsize
        values = stream.read(size)
        if len(values) < size:
            raise ValueError(
                f"{file.path}: expected {math.prod(shape):,} values for the shape {shape}, "
                f"received {start * row + len(values) // dtype.itemsize:,}."
            )
        yield np.frombuffer(values, dtype).reshape(-1, *shape[1:])


def part_of(name: str) -> Part | None:
    """Return the split that a file is named after; those without classes count as none."""
    split = split_of(stem_of(name))
    return None if split is None or split.role == "unlabelled" else split.role


def part_of_file(file: File, choices: Choices) -> Part | Literal["unused"] | None:
    """Return the split that a file was chosen for or is named after; None without either.

    Once the splits are chosen, a file that is none of them is "unused".
    """
    chosen = {part: getattr(choices, part) for part in PARTS if getattr(choices, part)}
    for part, path in chosen.items():
        wanted = path.strip("/")
        if wanted in (file.path, file.name, stem_of(file.name)) or file.path.startswith(f"{wanted}/"):
            return part
    if chosen:
        return "unused"
    return None if choices.splits is False else part_of(file.name)


def splits_by(parts: Sequence[tuple[Part | None, str]]) -> dict[Part, list[str]]:
    """Return what is each split, from pairs of a split and a name."""
    splits: dict[Part, list[str]] = {}
    for part, name in parts:
        if part is not None:
            splits.setdefault(part, []).append(name)
    return splits


def others(files: Sequence[File], used: Sequence[File], what: str) -> tuple[Skipped, ...]:
    """Return the files that are not `used`, left out because they do not belong to `what`."""
    paths = {file.path for file in used}
    return tuple(
        Skipped(file.path, f"It does not belong to {what}.", "Import it on its own, if it holds images.")
        for file in files
        if file.path not in paths
    )


def shape_of_row(values: int, name: str, fix: str) -> tuple[int, int, int]:
    """Return the height, width and channels of images that are rows of so many values.

    A size in `name`, such as 20x30 for 20 rows of 30 pixels, decides; otherwise images are square. The
    channels of a pixel lie side by side.

    Raises:
        ValueError: if no image has so many values; the message begins with `name` and ends with `fix`.
    """
    for height, width in re.findall(r"(?<!\d)(\d{1,4})x(\d{1,4})(?!\d)", name.lower()):
        for channels in (1, 3):
            if int(height) * int(width) * channels == values:
                return int(height), int(width), channels
    if shape := square_of(values):
        return shape
    raise ValueError(
        f"{name}: expected H·W or H·W·3 values for an image, received {values:,}, which make no square: {fix}"
    )


def square_of(values: int) -> tuple[int, int, int] | None:
    """Return the height, width and channels of square images of so many values; None if there are none such."""
    for channels in (1, 3):
        side = math.isqrt(values // channels)
        if side > 0 and side * side * channels == values:
            return side, side, channels
    return None


def example_images(count: int, side: int = 8) -> np.ndarray:
    """Return images that differ from one another, uint8 `(count, side, side)`, for the example of a format."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side), dtype=np.uint8)
