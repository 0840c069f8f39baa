"""Tables of pixels: one image a row, with its class in one column and a pixel value in each other one.

The class is the column called label, class, target or the like; without a header it is the first one.
H·W columns are grey, H·W·3 columns are red, green and blue of each pixel side by side. Images are
square unless the file or the last column is called after their size, such as `letters-20x30.csv`.
Values are whole numbers from 0 to 255, separated by commas, semicolons or tabs; rows are counted as a
spreadsheet counts them, with the header as row 1.
"""

import gzip
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np

from core.datasets.files import DAMAGE, File, Files, open_whole, share_read
from core.datasets.formats.source import (
    BLOCK_BYTES,
    Block,
    Part,
    Source,
    example_images,
    numeric,
    others,
    part_of,
    preview_parts,
    read_parts,
    shape_of_row,
)

POSITION = 20

_LABELS = ("label", "labels", "class", "target", "y", "letter", "digit", "category", "emotion", "species")

_SUFFIX = re.compile(r"\.(csv|tsv|txt)(\.gz)?$", re.IGNORECASE)

_MAX_SIDE = 256
_MAX_HEADER = 4 * 2**20
_MAX_CELL = 24
_LOOKED_AT = 200

_MAX_TABLES = 1000
"""More texts than this are notes beside images."""

_SHOWN = 30
"""So many characters of a wrong value are shown."""


class Table(NamedTuple):
    """A file and how its rows are read: the part, separator, names and number of the label's column, image shape."""

    file: File
    part: Part | None
    separator: str
    columns: tuple[str, ...]
    label: int
    shape: tuple[int, int, int]
    has_header: bool


def detect(files: Files) -> Source | None:
    """Return the tables among the files, if any has a label and pixels."""
    candidates = [file for file in files.members if _SUFFIX.search(file.name)]
    if len(candidates) > _MAX_TABLES:
        return None
    tables, unlabelled = [], []
    for file in _without_copies(candidates):
        match _table(file):
            case Table() as table:
                tables.append(table)
            case "unlabelled":
                unlabelled.append(file.path)
    if not tables:
        return None
    skipped = [
        entry._replace(reason="It has no label column.", fix="Add the classes as a column called label.")
        if entry.file in unlabelled
        else entry
        for entry in others(files.members, [table.file for table in tables], "the tables of pixels")
    ]
    return Source("CSV of pixels", len(tables), tuple(tables), skipped=tuple(skipped))


def read(found: Source, name_class: Callable[[str], str] = numeric) -> Iterator[Block]:
    """Yield the rows of all tables.

    Args:
        name_class: gives the name of the class that is written in a label's cell, or raises
            `ValueError` with what was expected.
    """
    return read_parts(found, lambda table: _blocks(table, name_class))


def preview(found: Source, name_class: Callable[[str], str] = numeric) -> Iterator[Block]:
    """Yield the first rows of each table."""
    return preview_parts(found, lambda table: _blocks(table, name_class, _LOOKED_AT))


def labels_at_the_beginning(table: Table, rows: int) -> set[str]:
    """Return what the label column of the first rows says."""
    with open_whole(table.file) as stream:
        lines = itertools.islice(_lines(stream, table), rows)
        return {numeric(_cell(_split_label(line, table)[0])) for _, line in lines}


def _without_copies(candidates: Sequence[File]) -> list[File]:
    """Drop files that lie twice in an archive, in different folders but of one name and length."""
    known = {}
    for file in sorted(candidates, key=lambda file: (file.path.count("/"), file.path)):
        known.setdefault((file.name, file.size), file)
    return list(known.values())


def _table(file: File) -> Table | str | None:
    """Return how a file is read, "unlabelled" if it has pixels but no classes, None if it is something else.

    Raises:
        ValueError: if the pixels make no image.
    """
    try:
        with file.open() as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            first = stream.readline(_MAX_HEADER)
    except DAMAGE as error:
        raise ValueError(f"{file.path}: expected a whole file, but it is damaged ({error}).") from error
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(f"{file.path}: expected UTF-8 text, received UTF-16: save it as CSV UTF-8.")
    line = first.decode("utf-8-sig", "replace").strip()
    separator = max(",;\t", key=line.count)
    cells = tuple(_cell(cell) for cell in line.split(separator))
    if len(cells) < 10:
        return None
    has_header = not all(re.fullmatch(r"\d{1,3}(\.0*)?", cell) for cell in cells[1:])
    named = [number for number, cell in enumerate(cells) if has_header and cell.lower() in _LABELS]
    if not has_header:
        cells, named = ("label", *(f"pixel{number}" for number in range(1, len(cells)))), [0]
    if not named:
        is_pixels = all(re.search(r"\d", cell) for cell in cells) and len(set(cells)) == len(cells)
        return "unlabelled" if is_pixels else None
    name = f"{file.path}, {cells[-1]}" if re.search(r"\dx\d", cells[-1]) else file.path
    shape = shape_of_row(
        len(cells) - 1,
        name,
        "keep only the label and the pixels, or put the size into the file's name, such as images-20x30.csv.",
    )
    if max(shape) > _MAX_SIDE:
        raise ValueError(f"{file.path}: expected images of at most {_MAX_SIDE} pixels a side, received {shape[0]}.")
    return Table(file, part_of(file.name), separator, cells, named[0], shape, has_header)


def _blocks(table: Table, name_class: Callable[[str], str], most_rows: int | None = None) -> Iterator[Block]:
    """Yield a table's rows as images.

    Raises:
        ValueError: if there are none, or a cell is not what it should be; its row and column are named.
    """
    width = len(table.columns) - 1
    rows = min(max(1, BLOCK_BYTES // (4 * width)), most_rows or BLOCK_BYTES)
    with open_whole(table.file) as stream:
        lines = _lines(stream, table)
        first = True
        while batch := list(itertools.islice(lines, rows)):
            split = [_split_label(line, table) for _, line in batch]
            values = _values([rest for _, rest in split], table)
            if values is None:
                values = np.stack([_checked(number, line, table) for number, line in batch])
            classes = [
                _class(number, label, table, name_class) for (number, _), (label, _) in zip(batch, split, strict=True)
            ]
            images = values.reshape(-1, *table.shape)
            yield Block(table.part, images, classes, table.shape[:2], share_read(stream, table.file))
            first = False
        if first:
            raise ValueError(f"{table.file.path}: expected a row for each image, received none.")


def _lines(stream: IO[bytes], table: Table) -> Iterator[tuple[int, str]]:
    """Yield the rows that are not empty, with their numbers; none is longer than its cells may be."""
    longest = len(table.columns) * _MAX_CELL + 1000
    if table.has_header:
        stream.readline(_MAX_HEADER)
    for number in itertools.count(2 if table.has_header else 1):
        line = stream.readline(longest + 1)
        if not line:
            return
        if len(line) > longest:
            raise ValueError(
                f"{table.file.path}, row {number:,}: expected {len(table.columns):,} values of at most {_MAX_CELL} "
                "characters, received a longer line."
            )
        if line.strip():
            yield number, line.decode("utf-8-sig", "replace").rstrip("\r\n")


def _split_label(line: str, table: Table) -> tuple[str, str]:
    """Return the label's cell and the others of a row; both are wrong where the row is."""
    if table.label == 0:
        label, _, rest = line.partition(table.separator)
    elif table.label == len(table.columns) - 1:
        rest, _, label = line.rpartition(table.separator)
    else:
        cells = line.split(table.separator)
        label = cells.pop(table.label) if table.label < len(cells) else ""
        rest = table.separator.join(cells)
    return label, rest


def _values(rows: list[str], table: Table) -> np.ndarray | None:
    """Return the pixels of rows as they usually are, uint8 `(n, H·W·C)`; None if any row is unusual."""
    try:
        values = np.loadtxt(rows, np.uint8, comments=None, delimiter=table.separator, ndmin=2)
    except (ValueError, DeprecationWarning):
        return None
    return values if values.shape == (len(rows), len(table.columns) - 1) else None


def _checked(number: int, line: str, table: Table) -> np.ndarray:
    """Return the pixels of one row, uint8 `(H·W·C,)`, or say what is wrong with it."""
    cells = line.split(table.separator)
    if len(cells) != len(table.columns):
        raise ValueError(
            f"{table.file.path}, row {number:,}: expected {len(table.columns):,} values, received {len(cells):,}."
        )
    values = np.empty(len(cells), np.uint8)
    for column, cell in enumerate(cells):
        if column == table.label:
            continue
        try:
            value = float(_cell(cell))
        except ValueError:
            value = -1.0
        if not (0 <= value <= 255 and value.is_integer()):
            raise ValueError(
                f"{table.file.path}, row {number:,}, column {table.columns[column][:_SHOWN]}: "
                f"expected a whole number from 0 to 255, received {_cell(cell)[:_SHOWN]!r}."
            )
        values[column] = value
    return np.delete(values, table.label)


def _class(number: int, cell: str, table: Table, name_class: Callable[[str], str]) -> str:
    value = _cell(cell)
    try:
        if not value or not value.isprintable() or len(value) > 100 or value.lower() in ("nan", "inf", "-inf"):
            raise ValueError("a class")
        return name_class(value)
    except ValueError as error:
        raise ValueError(
            f"{table.file.path}, row {number:,}, column {table.columns[table.label]}: "
            f"expected {error}, received {value[:_SHOWN]!r}."
        ) from None


def _cell(text: str) -> str:
    return text.strip().strip('"').strip()


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    rows = example_images(20).reshape(20, -1)
    lines = [",".join(map(str, (number % 2, *row.tolist()))) for number, row in enumerate(rows)]
    header = ",".join(("label", *(f"pixel{number}" for number in range(1, rows.shape[1] + 1))))
    return {"images.csv": "\n".join([header, *lines, ""]).encode()}
