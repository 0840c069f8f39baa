"""Tables of pixels: one image a row, with its class in one column and a pixel value in each other one.

The class is the column called label, class, target or the like; without such a name it is the first or the last
column, whichever looks like one. A table of pixels only goes with one of labels only that has as many rows.
H·W columns are grey, H·W·3 columns are red, green and blue of each pixel side by side. Images are
square unless the file or the last column is called after their size, such as `letters-20x30.csv`. All pixels may
also stand in one cell, as in FER2013. Values go up to 255 or to whatever white is found to be.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from core.datasets.choices import Choices
from core.datasets.files import File, Files, Skipped
from core.datasets.formats.source import (
    BLOCK_BYTES,
    Block,
    Guess,
    Part,
    Source,
    example_images,
    others,
    part_of_file,
    read_parts,
    shape_of_row,
    splits_by,
    square_of,
)
from core.datasets.formats.table import Dialect, TableError, open_rows, sniff, split_lines
from core.datasets.recognition.brightness import find_white, note_on, to_bytes
from core.datasets.recognition.columns import Columns, NoLabelsError, find_columns, values_of_cell
from core.datasets.recognition.labels import check_label
from core.datasets.recognition.orientation import judge_orientation
from core.datasets.recognition.words import split_of, words_of
from core.system.text import quoted

POSITION = 20

_SUFFIX = re.compile(r"\.(csv|tsv|txt|dat|data|tra|tes)(\.gz)?$", re.IGNORECASE)

_MAX_SIDE = 256
_MAX_CELL = 32
_MAX_LABEL = 1000
_LOOKED_AT = 200

_MAX_TABLES = 1000
"""More texts than this are notes beside images."""

_COUNTED = 256 * 2**20
"""The labels of tables of so many bytes in all are counted for the plan; a gzipped byte counts as eight."""

_SHARE = 0.01
"""Values that fewer than this share of the first ones have are errors rather than another scale."""

_SHOWN = 30
"""So many characters of a wrong value are shown."""


class Table(NamedTuple):
    """A file and how its rows are read.

    part: its split; None where the source does not say, or a column does.
    columns: what its columns are.
    shape: height, width and channels of an image.
    white: the value that becomes 255.
    fractional: whether values have decimals.
    turned: whether rows and columns of the images are exchanged.
    labels: the file with the classes, where this one has pixels only.
    """

    file: File
    part: Part | None
    dialect: Dialect
    columns: Columns
    shape: tuple[int, int, int]
    white: float = 255
    fractional: bool = False
    turned: bool = False
    labels: "Table | None" = None


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the tables among the files, if any has a label and pixels.

    Raises:
        ValueError: if one is damaged, its pixels make no image, or none has labels.
    """
    candidates = [file for file in files.members if _SUFFIX.search(file.name) or len(files.members) == 1]
    if len(candidates) > _MAX_TABLES:
        return None
    tables, bare, skipped, copies, refusals = [], [], [], [], []
    for file in candidates:
        if (part := part_of_file(file, choices)) == "unused":
            continue
        if _is_copy(file, candidates):
            copies.append(file)
            continue
        try:
            match _table(file, part, choices):
                case Table() as table if table.columns.label is None:
                    bare.append(table)
                case Table() as table:
                    tables.append(table)
        except NoLabelsError as error:
            refusals.append(f"{file.path}: {error}")
            skipped.append(Skipped(file.path, "It has no label column.", "Add the classes as a column called label."))
            with suppress(ValueError):  # one column of them may be the classes after all, under another name
                bare += filter(None, [_table(file, part, choices, labelled=False)])
    if not tables or bare:
        paired = _pair(bare, [file for file in candidates if file not in copies], choices)
        tables += paired
        read = {entry.file.path for entry in paired}
        skipped = [entry for entry in skipped if entry.file not in read]
    if not tables:
        if refusals:
            raise ValueError(refusals[0])
        return None
    used = [file for table in tables for file in (table.file, *([table.labels.file] if table.labels else []))]
    reported = {entry.file for entry in skipped} | {file.path for file in copies}
    skipped += [
        Skipped(file.path, "It is a copy of a table beside it.", "Nothing needs to be done.") for file in copies
    ]
    skipped += [entry for entry in others(files.members, used, "the tables of pixels") if entry.file not in reported]
    return _judged(tables, used, skipped, choices)


def read(found: Source) -> Iterator[Block]:
    """Yield the rows of all tables."""
    return read_parts(found, _blocks)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first rows of each table."""
    for table in found.parts:
        rows = 0
        for block in _blocks(table, _LOOKED_AT):
            rows += len(block.images)
            yield block
            if rows >= _LOOKED_AT:
                break


def _judged(tables: list[Table], used: Sequence[File], skipped: Sequence[Skipped], choices: Choices) -> Source:
    """Return the source of the tables, with white and orientation judged from their first rows."""
    notes = [f"{table.file.path}: {note}" for table in tables for note in table.columns.notes]
    lows, highs, fractional = [], [], False
    for table in tables:
        values = _first_values(table)
        lows.append(_extreme(values, low=True))
        highs.append(_extreme(values, low=False))
        fractional |= bool((values != np.rint(values)).mean() > _SHARE) if values.size else False
    try:
        white = choices.scale or find_white(max(highs), min(lows), fractional=fractional)
    except ValueError as error:
        raise ValueError(f"{tables[0].file.path}: expected {error}.") from None
    if choices.scale is None and (note := note_on(white, max(highs), "Values")):
        notes.append(note)
    tables = [table._replace(white=white, fractional=fractional) for table in tables]
    counted = _count_labels(tables)
    guesses = [
        Guess("label_column", _name_of_label(tables[0]), tables[0].columns.names[:50]),
        Guess("header", tables[0].columns.has_header, (True, False)),
        Guess("scale", white),
        Guess("encoding", tables[0].dialect.encoding),
    ]
    turn = judge_orientation([table.file.name for table in tables], _first_images(tables), choices)
    if turn.note:
        notes.append(turn.note)
    if turn.is_guess:
        guesses.append(Guess("orientation", "transposed" if turn.turned else "as-is", ("as-is", "transposed")))
    tables = [table._replace(turned=turn.turned) for table in tables]
    return Source(
        "CSV of pixels",
        len(used),
        tuple(tables),
        images=None if counted is None else {part: sum(labels.values()) for part, labels in counted.items()},
        labels=counted,
        splits=splits_by([(table.part, table.file.path) for table in tables]),
        skipped=tuple(skipped),
        notes=tuple(notes),
        guesses=tuple(guesses),
    )


def _name_of_label(table: Table) -> str:
    columns = (table.labels or table).columns
    return columns.names[columns.label] if columns.label is not None else ""


def _first_images(tables: Sequence[Table]) -> Iterator[tuple[np.ndarray, Sequence[str]]]:
    for table in tables:
        for block in _blocks(table._replace(turned=False), _LOOKED_AT):
            yield block.images, block.classes
            break


def _extreme(values: np.ndarray, *, low: bool) -> float:
    """Return the smallest or largest value, without a few that are rather errors of single cells."""
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0
    beyond = values < 0 if low else values > 255
    if 0 < beyond.mean() < _SHARE:
        values = values[~beyond]
    return float(values.min() if low else values.max())


def _is_copy(file: File, candidates: Sequence[File]) -> bool:
    """Say whether a file lies twice in an archive, in another folder but of the same name and length."""
    others = [other for other in candidates if (other.name, other.size) == (file.name, file.size)]
    return min(others, key=lambda other: (other.path.count("/"), other.path)) is not file


def _table(file: File, part: Part | None, choices: Choices, *, labelled: bool = True) -> Table | None:
    """Return how a file is read; None if it is something else.

    Raises:
        NoLabelsError: if it has pixels but no classes, and must be `labelled`.
        ValueError: if the pixels make no image.
    """
    try:
        dialect, rows = sniff(file, choices)
    except TableError:
        return None
    if not rows or max(map(len, rows)) < 2:
        return None
    name = f"{file.path}, {rows[0][-1]}" if re.fullmatch(r"\s*\d{1,4}x\d{1,4}\s*", rows[0][-1]) else file.path
    columns = find_columns(rows, lambda values: _fits(values, name), choices, labelled=labelled)
    if columns is None:
        return None
    values = len(columns.pixels)
    if columns.cell is not None:
        first = rows[1 if columns.has_header else 0]
        values = len(values_of_cell(first[columns.cell]))
    shape = shape_of_row(
        values,
        name,
        "keep only the label and the pixels, or put the size into the file's name, such as images-20x30.csv.",
    )
    if max(shape) > _MAX_SIDE:
        raise ValueError(f"{file.path}: expected images of at most {_MAX_SIDE} pixels a side, received {shape[0]}.")
    part = None if columns.split is not None else part
    return Table(file, part, dialect, columns, shape)


def _fits(values: int, name: str) -> bool:
    if square_of(values):
        return True
    try:
        shape_of_row(values, name, "")
    except ValueError:
        return False
    return True


def _pair(bare: Sequence[Table], candidates: Sequence[File], choices: Choices) -> list[Table]:
    """Return the tables of pixels that have one of labels beside them, of the same split and as many rows."""
    images = {table.file.path for table in bare}
    labels = []
    for file in candidates:
        if file.path not in images and (table := _labels(file, choices)):
            labels.append(table)
    paired = []
    for table in bare:
        alike = [other for other in labels if other.part == table.part]
        if len(alike) > 1:
            alike = [other for other in alike if _rest(other.file) == _rest(table.file)] or alike
        if len(alike) == 1:
            paired.append(table._replace(labels=alike[0]))
    return paired


def _rest(file: File) -> set[str]:
    """Return the words of a name that say neither images nor labels."""
    kinds = {"images", "image", "labels", "label", "x", "y", "csv", "features", "targets", "target", "data"}
    return {word for word in words_of(file.name) if word not in kinds and not word.isdigit()}


def _labels(file: File, choices: Choices) -> Table | None:
    """Return a table of labels only: one column, or one beside a number of the row."""
    try:
        dialect, rows = sniff(file, choices)
    except TableError:
        return None
    width = max(map(len, rows), default=0)
    if not rows or width > 2 or not re.search(r"(?i)label|target|class|(^|[^a-z])y([^a-z]|$)", file.name):
        return None
    first, second = rows[0], rows[min(1, len(rows) - 1)]
    has_header = choices.header if choices.header is not None else (
        re.search(r"[A-Za-z]", first[-1]) is not None and re.search(r"[A-Za-z]", second[-1]) is None
    ) or first[-1].strip().lower() in ("label", "labels", "class", "target", "y", "x", "0")  # fmt: skip
    names = tuple(first) if has_header else ("column 1", "column 2")[:width]
    columns = Columns(width - 1, (), None, None, names, bool(has_header), ())
    part = part_of_file(file, choices)
    return Table(file, None if part == "unused" else part, dialect, columns, (0, 0, 0))


def _count_labels(tables: Sequence[Table]) -> dict[Part, Counter[str]] | None:
    """Return the number of images of each label, by split; None if it would take too long."""
    sizes = [(table.labels or table).file for table in tables]
    if sum(file.size * (8 if file.name.lower().endswith(".gz") else 1) for file in sizes) > _COUNTED:
        return None
    counts: dict[Part, Counter[str]] = {}
    for table in tables:
        source = table.labels or table
        with open_rows(source.file, source.dialect, *_longest(source)) as (rows, _):
            rows = _body(rows, source)
            while batch := list(itertools.islice(rows, 1000)):
                labels, parts = _labels_and_parts(batch, source)
                for label, part in zip(labels, parts, strict=True):
                    counts.setdefault(part or table.part or "train", Counter())[label] += 1
    return counts


def _first_values(table: Table) -> np.ndarray:
    """Return the values of the first rows as they are written, float64 `(n, H·W·C)`; none if one is no number."""
    with open_rows(table.file, table.dialect, *_longest(table)) as (rows, _):
        lines = list(itertools.islice(_body(rows, table), _LOOKED_AT))
    values = _values(lines, table, np.float64)
    return np.empty((0, 1)) if values is None else values


def _blocks(table: Table, most_rows: int | None = None) -> Iterator[Block]:
    """Yield a table's rows as images, those of each split on their own.

    Raises:
        ValueError: if there are none, or a cell is not what it should be; its row and column are named.
    """
    width = max(1, int(np.prod(table.shape)))
    at_once = min(max(1, BLOCK_BYTES // (4 * width)), most_rows or BLOCK_BYTES)
    with open_rows(table.file, table.dialect, *_longest(table)) as (rows, share_read):
        rows = _body(rows, table)
        labels_elsewhere = _labels_elsewhere(table)
        first = True
        while batch := list(itertools.islice(rows, at_once)):
            values = _read_values(batch, table)
            if table.labels:
                labels = list(itertools.islice(labels_elsewhere, len(batch)))
                parts: list[Part | None] = [None] * len(batch)
                _check_rows(len(labels) == len(batch), table, table.labels)
            else:
                labels, parts = _labels_and_parts(batch, table)
            images = values.reshape(-1, *table.shape)
            if table.turned:
                images = images.swapaxes(1, 2)
            for part in dict.fromkeys(parts):
                chosen = [place for place, other in enumerate(parts) if other == part]
                yield Block(
                    part or table.part,
                    images if len(chosen) == len(parts) else images[chosen],
                    [labels[place] for place in chosen],
                    images.shape[1:3],
                    share_read(),
                )
            first = False
        if first:
            raise ValueError(f"{table.file.path}: expected a row for each image, received none.")
        if most_rows is None and table.labels:
            _check_rows(next(labels_elsewhere, None) is None, table, table.labels)


def _labels_elsewhere(table: Table) -> Iterator[str]:
    """Yield the labels of the table beside one of pixels only; none where it has its own."""
    if table.labels is None:
        return
    with open_rows(table.labels.file, table.labels.dialect) as (rows, _):
        for row in _body(rows, table.labels):
            yield from _labels_and_parts([row], table.labels)[0]


def _check_rows(agree: bool, table: Table, labels: Table) -> None:
    if not agree:
        raise ValueError(f"{table.file.path}: expected as many rows as in {labels.file.path}, received others.")


def _body(rows: Iterator[tuple[int, str]], table: Table) -> Iterator[tuple[int, str]]:
    return itertools.islice(rows, 1, None) if table.columns.has_header else rows


def _longest(table: Table) -> tuple[int, str]:
    """Return the most characters of a row, and what to say of a longer one."""
    values = len(table.columns.names) if table.columns.cell is None else int(np.prod(table.shape))
    return (
        values * _MAX_CELL + _MAX_LABEL,
        f"{len(table.columns.names):,} values of at most {_MAX_CELL} characters",
    )


def _labels_and_parts(batch: Sequence[tuple[int, str]], table: Table) -> tuple[list[str], list[Part | None]]:
    """Return the label and the split of each row; the split is None where no column says it.

    Raises:
        ValueError: if a label is no text, or a row is too short.
    """
    columns, separator = table.columns, table.dialect.separator
    last, label_column = len(columns.names) - 1, columns.label
    assert label_column is not None, "a table without labels is read with that of its labels"
    labels: list[str] = []
    parts: list[Part | None] = []
    for number, line in batch:
        if columns.split is None and separator is not None and '"' not in line and label_column in (0, last):
            cells: list[str] = []
            label = line.partition(separator)[0] if label_column == 0 else line.rpartition(separator)[2]
        else:
            (cells,) = split_lines([line], separator)
            if len(cells) < len(columns.names):
                raise ValueError(_wrong_width(number, len(cells), table))
            label = cells[label_column]
        try:
            labels.append(check_label(label.strip()))
        except ValueError as error:
            raise ValueError(
                f"{table.file.path}, row {number:,}, column {columns.names[label_column]}: expected {error}."
            ) from None
        part = split_of(cells[columns.split].strip()) if columns.split is not None else None
        parts.append(part.role if part and part.role != "unlabelled" else None)
    return labels, parts


def _read_values(batch: Sequence[tuple[int, str]], table: Table) -> np.ndarray:
    """Return the pixels of rows, uint8 `(n, H·W·C)`.

    Raises:
        ValueError: if a row has another number of cells, or a cell no pixel; both are named.
    """
    if table.white == 255 and not table.fractional:
        values = _values(batch, table, np.uint8)
    else:
        values = _values(batch, table, np.float64)
    if values is not None:
        try:
            return to_bytes(values, table.white, table.file.path)
        except ValueError:
            pass  # the slow way names the cell
    return np.stack([_checked(number, line, table) for number, line in batch])


def _values(batch: Sequence[tuple[int, str]], table: Table, dtype: type) -> np.ndarray | None:
    """Return the values of rows as they usually are, `(n, H·W·C)`; None if any row is unusual."""
    separator, columns = table.dialect.separator, table.columns
    width = int(np.prod(table.shape))
    lines = [line for _, line in batch]
    if not lines:
        return None
    if columns.cell is not None:
        cells = list(split_lines(lines, separator))
        if any(len(row) != len(columns.names) for row in cells):
            return None
        lines, separator, wanted = [" ".join(values_of_cell(row[columns.cell])) for row in cells], None, None
    else:
        wanted = None if len(columns.pixels) == len(columns.names) else columns.pixels
        if separator is not None and not _has_width(lines, separator, len(columns.names)):
            return None
    if table.dialect.comma:
        lines = [line.replace(",", ".") for line in lines]
    values: np.ndarray
    try:
        values = np.loadtxt(lines, dtype, comments=None, delimiter=separator, ndmin=2, usecols=wanted, quotechar='"')
    except (ValueError, DeprecationWarning, IndexError, OverflowError):
        return _whole_floats(batch, table) if dtype == np.uint8 else None
    return values if values.shape == (len(lines), width) else None


def _whole_floats(batch: Sequence[tuple[int, str]], table: Table) -> np.ndarray | None:
    """Return whole numbers that are written with decimals, such as 12.0."""
    values = _values(batch, table, np.float64)
    if values is None or not (np.rint(values) == values).all() or values.min() < 0 or values.max() > 255:
        return None
    return values.astype(np.uint8)


def _has_width(lines: Sequence[str], separator: str, width: int) -> bool:
    """Say whether all rows have so many cells."""
    for line in lines:
        if '"' in line:
            (cells,) = split_lines([line], separator)
            if len(cells) != width:
                return False
        elif line.count(separator) != width - 1:
            return False
    return True


def _checked(number: int, line: str, table: Table) -> np.ndarray:
    """Return the pixels of one row, uint8 `(H·W·C,)`, or say what is wrong with it."""
    columns = table.columns
    (cells,) = split_lines([line], table.dialect.separator)
    if len(cells) != len(columns.names):
        raise ValueError(_wrong_width(number, len(cells), table))
    if columns.cell is not None:
        cells = values_of_cell(cells[columns.cell])
        if len(cells) != np.prod(table.shape):
            raise ValueError(
                f"{table.file.path}, row {number:,}: expected {np.prod(table.shape):,} pixels, received {len(cells):,}."
            )
        names, wanted = tuple(f"pixel {place}" for place in range(1, len(cells) + 1)), tuple(range(len(cells)))
    else:
        names, wanted = columns.names, columns.pixels
    values = np.empty(len(wanted), np.uint8)
    for place, column in enumerate(wanted):
        cell = cells[column].strip().strip('"').strip()
        try:
            value = float(cell.replace(",", ".") if table.dialect.comma else cell)
        except ValueError:
            value = -1.0
        # What float() takes besides numbers as people write them.
        good = 0 <= value <= table.white and "_" not in cell and cell.isascii()
        if not good or (table.white == 255 and not table.fractional and not value.is_integer()):
            kind = "a whole number" if table.white == 255 else "a number"
            raise ValueError(
                f"{table.file.path}, row {number:,}, column {names[column][:_SHOWN]}: "
                f"expected {kind} from 0 to {table.white:g}, received {quoted(cell[:_SHOWN])}."
            )
        values[place] = round(value * 255 / table.white)
    return values


def _wrong_width(number: int, received: int, table: Table) -> str:
    return f"{table.file.path}, row {number:,}: expected {len(table.columns.names):,} values, received {received:,}."


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    rows = example_images(20).reshape(20, -1)
    lines = [",".join(map(str, (number % 2, *row.tolist()))) for number, row in enumerate(rows)]
    header = ",".join(("label", *(f"pixel{number}" for number in range(1, rows.shape[1] + 1))))
    return {"images.csv": "\n".join([header, *lines, ""]).encode()}
