"""Text files of rows and cells, in whichever way they were written: encoding, separator, quotes, comments.

    dialect, rows = sniff(file, choices)              # the first rows, as cells
    with open_rows(file, dialect) as (rows, share):
        for number, line in rows: ...                 # all rows, as text, with their numbers

Rows are counted as a spreadsheet counts them, the first being 1.
"""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from core.datasets.choices import Choices
from core.datasets.files import File, open_whole, share_read
from core.datasets.recognition.encoding import guess_encoding
from core.datasets.recognition.unread import describe
from core.system.text import quoted

_SAMPLE = 2**20
_MAX_LINE = 4 * 2**20
"""The longest row, in characters."""

_ROWS = 1000
"""So many rows at most are looked at."""

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)

_SEPARATORS = (";", "\t", "|", ",")


class TableError(ValueError):
    """A file that is no table."""


class Dialect(NamedTuple):
    """How a table is written.

    encoding: in Python's words.
    separator: between cells; None for spaces.
    comma: whether decimals come after a comma.
    skipped: the number of lines before the first row.
    hashed: whether the first row begins with a sign of a comment, which does not count.
    """

    encoding: str
    separator: str | None
    comma: bool
    skipped: int
    hashed: bool


def sniff(file: File, choices: Choices) -> tuple[Dialect, list[list[str]]]:
    """Return how a table is written, and its first rows.

    Raises:
        TableError: if the file is no text, or is empty.
        ValueError: if it is damaged.
    """
    with open_whole(file) as stream:
        data = stream.read(_SAMPLE)
        if data.count(b"\n") + data.count(b"\r") < 2:
            data += stream.read(3 * _SAMPLE)
        is_whole = not stream.read(1)
    if not data.strip():
        raise TableError(f"{file.path}: expected a table, received an empty file.")
    encoding = choices.encoding or _encoding_of(data)
    if encoding.startswith("utf-8") and (data.count(0) * 100 > len(data) or data.startswith((b"%PDF", b"PK\3\4"))):
        raise TableError(f"{file.path}: expected a table, received {describe(data[:512], file.name).what}.")
    try:
        text = data.decode(encoding, "replace")
    except LookupError:
        raise ValueError(
            f"--encoding: expected one that Python knows, such as cp1252, received {quoted(encoding)}."
        ) from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not is_whole and len(lines) > 1:
        lines.pop()  # the last one is cut
    lines = lines[: _ROWS + 20]
    skipped, separator, hashed = 0, None, False
    while lines and (not lines[0].strip() or re.fullmatch(r"(?i)\s*\"?sep=.\"?\s*", lines[0]) or _is_comment(lines)):
        if match := re.fullmatch(r"(?i)\s*\"?sep=(.)\"?\s*", lines[0]):
            separator = match[1]
        lines.pop(0)
        skipped += 1
    if not lines:
        raise TableError(f"{file.path}: expected a table, received only comments.")
    if lines[0].lstrip().startswith("#"):
        hashed = True
        lines[0] = lines[0].lstrip().removeprefix("#")
    lines = [line for line in lines if line.strip()][:_ROWS]
    separator = separator or _separator_of(lines[1:] or lines)
    if separator == " ":
        separator = None
    rows = list(split_lines(lines, separator))
    comma = separator not in (",", None) and any(
        re.fullmatch(r"\d+,\d+", cell.strip()) for row in rows[1:20] for cell in row
    )
    return Dialect(encoding, separator, comma, skipped, hashed), rows


def split_lines(lines: Sequence[str], separator: str | None) -> Iterator[list[str]]:
    """Yield the cells of lines; quotes around cells and doubled quotes in them go."""
    for line in lines:
        if '"' in line and separator is not None:
            yield next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        else:
            yield line.split(separator)


@contextmanager
def open_rows(
    file: File, dialect: Dialect, longest: int = _MAX_LINE, expected: str = f"at most {_MAX_LINE:,} characters"
) -> Iterator[tuple[Iterator[tuple[int, str]], Callable[[], float]]]:
    """Open a table: its rows that are not empty with their numbers, and how much has been read.

    Args:
        longest: the most characters of a row.
        expected: what to say of a longer one, after "expected".

    Raises:
        ValueError: if a row is longer than that, the file is damaged or in another encoding.
    """
    with open_whole(file) as stream:
        text = io.TextIOWrapper(stream, dialect.encoding, newline=None)
        try:
            yield _rows(text, file, dialect, longest, expected), lambda: share_read(stream, file)
        finally:
            text.detach()


def read_rows(file: File, choices: Choices) -> list[list[str]]:
    """Return all rows of a table as cells.

    Raises:
        TableError: if the file is no table.
        ValueError: if it is damaged.
    """
    dialect, _ = sniff(file, choices)
    with open_rows(file, dialect) as (rows, _):
        return list(split_lines([line for _, line in rows], dialect.separator))


def _rows(
    text: io.TextIOWrapper, file: File, dialect: Dialect, longest: int, expected: str
) -> Iterator[tuple[int, str]]:
    for number in itertools.count(1):
        try:
            line = text.readline(longest + 1)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{file.path}, row {number:,}: expected text in {dialect.encoding}, received other bytes "
                f"({error.reason}): save it as CSV UTF-8, or choose the encoding (--encoding)."
            ) from None
        if not line:
            return
        if len(line) > longest:
            raise ValueError(f"{file.path}, row {number:,}: expected {expected}, received a longer line.")
        if number <= dialect.skipped or not line.strip():
            continue
        if number == dialect.skipped + 1 and dialect.hashed:
            line = line.lstrip().removeprefix("#")
        yield number, line.rstrip("\n")


def _encoding_of(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    start = data[:4000]
    if len(start) >= 20 and start.count(0) > len(start) / 3:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.start > len(data) - 4:  # the sample ends within a letter
            return "utf-8"
        return guess_encoding(re.findall(rb"[^,;\t\r\n\"]*[\x80-\xff][^,;\t\r\n\"]*", data)[:2000])
    return "utf-8"


def _is_comment(lines: Sequence[str]) -> bool:
    """Say whether the first line is a comment rather than names of columns behind a sign of one."""
    if not lines[0].lstrip().startswith("#"):
        return False
    following = [line for line in lines[1:20] if line.strip() and not line.lstrip().startswith("#")]
    if not following:
        return True
    found = _separator_of(following)
    separator = None if found == " " else found
    return len(lines[0].lstrip().removeprefix("#").split(separator)) != len(following[0].split(separator))


def _separator_of(lines: Sequence[str]) -> str:
    """Return the separator: of those that most rows have equally often, the most frequent."""
    counted = {}
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines[:20]]
    for separator in _SEPARATORS:
        (count, rows), *_ = Counter(line.count(separator) for line in bare).most_common(1)
        counted[separator] = count if rows > len(bare) / 2 else 0
        if not counted[separator] and len(bare) > 1:
            present = [line.count(separator) for line in bare if separator in line]
            counted[separator] = min(present) if len(present) > len(bare) / 2 else 0
    best = max(_SEPARATORS, key=lambda separator: counted[separator])
    if counted[best]:
        return best
    return " " if all(len(line.split()) > 1 for line in bare if line.strip()) else ","
