"""What the columns of a table of pixels are: the label, the pixels, the split, and what is none of these.

    columns = find_columns(rows, "digits.csv")
    columns.label, columns.pixels                # 0, (1, 2, …, 784)

Judged from some rows, as cells of text; whatever is guessed can be chosen.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from core.datasets.choices import Choices
from core.datasets.recognition.words import split_of
from core.system.text import quoted

LABELS = (
    *("label", "labels", "class", "target", "y", "letter", "digit", "category", "emotion", "species", "breed"),
    *(
        "class_id",
        "class_name",
        "classname",
        "class_label",
        "label_id",
        "label_name",
        "classes",
        "gesture",
        "character",
    ),
    *("symbol", "sign", "tag", "annotation", "diagnosis", "type", "kind", "emotions", "number", "has_cactus"),
)
"""What a column of classes is called, the more certain first, in small letters."""

_INDEX = {"", "index", "idx", "id", "unnamed: 0", "unnamed:0", "row", "nr", "no", "image_id", "imageid", "#"}
_FILE = {"filename", "file_name", "file", "path", "filepath", "image", "image_name", "img", "name", "image_path"}
_SPLIT = {"split", "usage", "set", "subset", "partition", "part", "dataset"}

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")

_LEAST_PIXELS = 9
_LOOKED_AT = 20
_SHOWN = 6


class NoLabelsError(ValueError):
    """A table with pixels, but without a column of classes; the message is a sentence without the file's name."""


class Columns(NamedTuple):
    """What each column is, by its number from 0.

    label: that of the classes; None in a table of pixels only, or one of labels only without a sign of it.
    pixels: those of the pixels, in their order; empty where `cell` holds them all.
    cell: that whose cells hold all pixels of an image, separated by spaces.
    split: that of the splits.
    names: of all columns; made up where there is no header.
    has_header: whether the first row holds the names.
    notes: what was guessed and what is not used, a sentence each, without the file's name.
    """

    label: int | None
    pixels: tuple[int, ...]
    cell: int | None
    split: int | None
    names: tuple[str, ...]
    has_header: bool
    notes: tuple[str, ...]


def find_columns(rows: Sequence[Sequence[str]], fits, choices: Choices, *, labelled: bool = True) -> Columns | None:
    """Return what the columns of a table are; None if it holds no pixels.

    Args:
        rows: the first ones, the header among them if there is one.
        fits: says whether an image may have so many values.
        labelled: whether there must be a column of classes; without, all numbers may be pixels.

    Raises:
        NoLabelsError: if there are pixels, but no column of classes is recognised.
        ValueError: if a column that was chosen is not there.
    """
    width = Counter(map(len, rows)).most_common(1)[0][0]
    rows = [row for row in rows if len(row) == width] or rows
    has_header = _has_header(rows) if choices.header is None else choices.header
    body = rows[1:] if has_header else rows
    names = [name.strip() for name in rows[0]] if has_header else [f"column {n}" for n in range(1, width + 1)]
    numeric = [_is_numeric(body, column) for column in range(width)]
    empty = {c for c in range(width) if body and not any(row[c].strip() for row in body)}
    if len(empty) == width:
        return None
    kinds = _Kinds(rows, body, names, numeric, empty, has_header, fits, choices)
    return kinds.find(labelled)


def is_number(cell: str) -> bool:
    """Say whether a cell is a number, with a point or a comma for decimals."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_numeric(body: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in body[:_LOOKED_AT]]
    good = sum(map(is_number, cells))
    # Without a row to judge by, whatever is not called otherwise may be a pixel.
    return good >= len(cells) * 0.75


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    first = [cell.strip() for cell in rows[0]]
    if len(rows) == 1:
        return not all(map(is_number, first))
    counting = [str(number) for number in range(len(first) + 1)]
    if len(first) > 3 and (first in (counting[:-1], counting[1:]) or _is_mangled(first)):
        return True
    if len(first) > 3 and (
        first[1:] in (counting[1:-1], counting[:-2]) or first[:-1] in (counting[:-2], counting[1:-1])
    ):
        return True
    named = [column for column, cell in enumerate(first) if cell and not is_number(cell)]
    # A class among numbers, as in "cats", "07", "1": a name does not come again further down its column, and names of
    # pixels that are numbers count.
    others = [cells for row in rows[1:] if (cells := [cell.strip() for cell in row]) != first]
    if any(first[column] == cells[column] for column in named for cells in others):
        return False
    if len(first) > 3 and len(named) == 1 and all(first) and first[named[0]].lower() not in LABELS:
        return False
    return any(_is_numeric(rows[1:], column) for column in named) or (
        bool(named) and first[named[0]].lower() in LABELS and len(named) > 1
    )


def _is_mangled(first: Sequence[str]) -> bool:
    """Say whether a row of equal numbers was once taken for names, and numbered as such: 0, 0.1, 0.2, … 0.10, 0.11."""
    runs = sum(re.fullmatch(r"\d+\.\d+", cell) is not None for cell in first)
    endings = {cell.rpartition(".")[2] for cell in first if "." in cell}
    return runs >= 12 and "10" in endings and len(set(first)) == len(first) and "1" in endings


class _Kinds:
    """Finds out what the columns are, one kind after the other."""

    def __init__(self, rows, body, names, numeric, empty, has_header, fits, choices: Choices):
        self.rows = rows
        self.body = body
        self.names = names
        self.numeric = numeric
        self.empty = empty
        self.has_header = has_header
        self.fits = fits
        self.choices = choices
        self.notes: list[str] = []

    def find(self, labelled: bool) -> Columns | None:
        columns = [column for column in range(len(self.names)) if column not in self.empty]
        if self.empty:
            self._ignore(sorted(self.empty), "nothing is in it")
        small = [name.lower() for name in self.names]
        cell = next((column for column in columns if self._holds_pixels(column)), None)
        split = next((column for column in columns if self.has_header and small[column] in _SPLIT
                      and self._says_splits(column)), None)  # fmt: skip
        label = self._chosen(columns)
        rest = [column for column in columns if column not in (cell, split, label)]
        if cell is not None:
            if label is None:
                label = self._label_of_names(rest) or self._label_among(rest)
            self._ignore([c for c in rest if c != label], "it is no pixel")
            return self._columns(label, (), cell, split)
        if label is None and self.has_header:
            label = self._label_of_names(rest)
        pixels = self._pixels(rest, label)
        if label is None and (labelled or len(pixels) + 1 == len(rest)):
            label, pixels = self._find_label(rest, pixels, labelled)
        if len(pixels) < _LEAST_PIXELS:
            return None
        used = {label, *pixels}
        self._ignore([c for c in rest if c not in used], "it is no pixel")
        return self._columns(label, tuple(pixels), None, split)

    def _columns(self, label, pixels, cell, split) -> Columns:
        return Columns(label, pixels, cell, split, tuple(self.names), self.has_header, tuple(self.notes))

    def _chosen(self, columns: Sequence[int]) -> int | None:
        wanted = self.choices.label_column
        if wanted is None:
            return None
        for column in columns:
            if self.names[column] == wanted:
                return column
        if wanted == "last":
            return columns[-1]
        if wanted == "first":
            return columns[0]
        if wanted.isdecimal() and 1 <= int(wanted) <= len(self.names):
            return int(wanted) - 1
        raise ValueError(
            f"--label-column: expected the name of a column, its number from 1 to {len(self.names)}, first or last, "
            f"received {quoted(wanted)}."
        )

    def _label_of_names(self, rest: Sequence[int]) -> int | None:
        if not self.has_header:
            return None
        small = [re.sub(r"[\s-]+", "_", self.names[column].lower()) for column in rest]
        return next((rest[small.index(name)] for name in LABELS if name in small), None)

    def _label_among(self, rest: Sequence[int]) -> int | None:
        """Return the one column that is left when indices and names of files are gone."""
        left = [column for column in rest if not self._is_extra(column)]
        if len(left) == 1:
            return left[0]
        if len(left) > 1:
            raise NoLabelsError(
                f"expected one column of classes, received {self._listed(left)}: say which it is (--label-column), or "
                "call it label."
            )
        return None

    def _is_extra(self, column: int) -> bool:
        small = self.names[column].lower()
        return self.has_header and small in _INDEX | _FILE | _SPLIT

    def _pixels(self, rest: Sequence[int], label: int | None) -> list[int]:
        """Return the columns of pixels: numbers, called alike but for numbers if there are names."""
        numbers = [column for column in rest if self.numeric[column] and column != label]
        if not self.has_header:
            return numbers
        stems: dict[str, list[int]] = {}
        for column in numbers:
            stems.setdefault(re.sub(r"\d+", "0", self.names[column].lower()), []).append(column)
        largest = max(stems.values(), key=len, default=[])
        alike = [column for row in stems.values() if len(row) >= 4 for column in row]
        plain = [column for column in numbers if not self._is_extra(column)]
        for candidates in (largest, alike, plain, numbers):
            if len(candidates) >= max(_LEAST_PIXELS, len(numbers) / 2) and self.fits(len(candidates)):
                return candidates
        return largest if len(largest) >= len(numbers) / 2 else plain

    def _find_label(self, rest: Sequence[int], pixels: list[int], labelled: bool) -> tuple[int | None, list[int]]:
        """Return the column of classes and the pixels without it, where no name says it."""
        of_pixels = set(pixels)
        left = [column for column in rest if column not in of_pixels]
        label = self._label_among(left) if len(pixels) >= _LEAST_PIXELS else None
        if label is None and len(pixels) > _LEAST_PIXELS:
            if self.fits(len(pixels) - 1) and (labelled or not self.fits(len(pixels))):
                if self.has_header and not (self._is_counted() or _is_mangled(self.names)):
                    label = None
                else:
                    label = self._edge(pixels)
            elif not self.has_header and self.fits(len(pixels) - 2) and self._counts_up(pixels[0]):
                self._ignore([pixels[0]], "it numbers the rows")
                pixels = pixels[1:]
                label = self._edge(pixels)
        if label is None:
            if len(pixels) < _LEAST_PIXELS or not labelled:
                return None, pixels
            raise NoLabelsError(
                f"expected a column of classes beside the pixels, received only {self._listed(pixels)}: call the "
                "column of classes label, or say which it is (--label-column)."
            )
        self.notes.append(
            f"the classes are taken from {self._called(label)}; choose another (--label-column) if that is wrong."
        )
        return label, [column for column in pixels if column != label]

    def _is_counted(self) -> bool:
        return all(name.isdecimal() for name in self.names)

    def _edge(self, pixels: Sequence[int]) -> int:
        """Return the first or the last column, whichever looks more like labels."""
        first, last = pixels[0], pixels[-1]
        kinds = {column: {row[column].strip() for row in self.body} for column in (first, last)}
        if len(kinds[last]) == 1 or len(self.body) < 2:
            return first
        if len(kinds[first]) == 1:
            return last
        return first if self._unlikeness(kinds[first]) <= self._unlikeness(kinds[last]) else last

    def _unlikeness(self, kinds: set[str]) -> float:
        """Return how unlike labels the values of a column are: many, with gaps, or no whole numbers."""
        try:
            values = sorted({float(value.replace(",", ".")) for value in kinds})
        except ValueError:
            return 0
        whole = all(value.is_integer() for value in values)
        gaps = (values[-1] - values[0] + 1) / len(values)
        return len(values) / max(1, len(self.body)) + gaps / 10 + (0 if whole else 10)

    def _counts_up(self, column: int) -> bool:
        cells = [row[column].strip() for row in self.body]
        return len(cells) > 1 and all(
            cell.isdecimal() and int(cell) == int(cells[0]) + place if cells[0].isdecimal() else False
            for place, cell in enumerate(cells)
        )

    def _holds_pixels(self, column: int) -> bool:
        """Say whether a column's cells are each a row of numbers."""
        cells = [row[column] for row in self.body[:_LOOKED_AT]]
        return bool(cells) and all(
            len(parts := values_of_cell(cell)) >= _LEAST_PIXELS and all(map(is_number, parts[:50])) for cell in cells
        )

    def _says_splits(self, column: int) -> bool:
        said = {row[column].strip() for row in self.body}
        return all(split_of(value) is not None for value in said if value)

    def _ignore(self, columns: Sequence[int], reason: str) -> None:
        if columns:
            self.notes.append(f"{self._listed(columns)} {'is' if len(columns) == 1 else 'are'} left out: {reason}.")

    def _called(self, column: int) -> str:
        return f"the column {quoted(self.names[column])}" if self.has_header else f"column {column + 1}"

    def _listed(self, columns: Sequence[int]) -> str:
        names = [repr(self.names[column]) if self.has_header else str(column + 1) for column in columns]
        if len(names) > _SHOWN:
            names = [*names[:3], "…", *names[-2:]]
        return f"column{'' if len(columns) == 1 else 's'} {', '.join(names)}"


def values_of_cell(cell: str) -> list[str]:
    """Return the numbers in a cell that holds a whole image, with or without brackets and commas."""
    return cell.strip().strip("[]()").replace(",", " ").split()
