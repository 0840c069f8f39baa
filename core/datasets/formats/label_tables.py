"""Tables that say the class of image files: a column of file names, and a column of classes or one for each class.

    found = find_labels(tables, {"train": files, "test": files}, choices)
    found.labels                     # [(file, "train", "akita"), …]

Known are a name and a class a row, with or without the file's ending or folder; one-hot columns as Roboflow
writes them; and `metadata.csv` of Hugging Face's image folders.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.datasets.choices import Choices
from core.datasets.files import File, Skipped
from core.datasets.formats.source import Part, part_of
from core.datasets.formats.table import TableError, read_rows
from core.datasets.recognition.columns import LABELS
from core.datasets.recognition.words import stem_of
from core.system.text import quoted

_MAX_BYTES = 64 * 2**20

_LEAST_NAMED = 0.5
"""A column that names so large a share of its rows' files is one of file names."""


class Labels(NamedTuple):
    """The class of each file, the tables that say them, and the files that none names."""

    labels: list[tuple[File, Part | None, str]]
    tables: list[File]
    skipped: list[Skipped]
    notes: list[str]


def find_labels(
    candidates: Sequence[File], images: Mapping[Part | None, Sequence[File]], choices: Choices
) -> Labels | None:
    """Return the classes that tables say of images, by split; None if there is no such table."""
    all_images = [(file, part) for part, files in images.items() for file in files]
    by_name: dict[str, list[tuple[File, Part | None]]] = {}
    for file, part in all_images:
        for key in _keys(file.path):
            by_name.setdefault(key, []).append((file, part))
    labels: dict[str, tuple[File, Part | None, str]] = {}
    tables, notes = [], []
    for file in candidates:
        if not file.name.lower().endswith((".csv", ".tsv", ".txt")) or file.size > _MAX_BYTES:
            continue
        if found := _of_table(file, by_name, choices):
            rows, note = found
            tables.append(file)
            notes.append(note)
            for image, part, label in rows:
                if (known := labels.setdefault(image.path, (image, part, label)))[2] != label:
                    raise ValueError(
                        f"{file.path}: expected one class for each file, received {quoted(known[2])} and "
                        f"{quoted(label)} for {image.path}."
                    )
    if not labels:
        return None
    skipped = [
        Skipped(file.path, f"{', '.join(table.name for table in tables)} says no class for it.", "Add a row for it.")
        for file, _ in all_images
        if file.path not in labels
    ]
    return Labels(list(labels.values()), tables, skipped, notes)


def _keys(path: str) -> list[str]:
    """Return what a table may call a file: its path or its end, each with and without the ending."""
    parts = path.split("/")
    ends = ["/".join(parts[start:]) for start in range(len(parts))]
    return [*ends, *(end.removesuffix(parts[-1]) + stem_of(parts[-1]) for end in ends)]


def _of_table(
    table: File, by_name: Mapping[str, list[tuple[File, Part | None]]], choices: Choices
) -> tuple[list[tuple[File, Part | None, str]], str] | None:
    try:
        header, *rows = read_rows(table, choices)
    except (TableError, ValueError):
        return None
    if not rows or len(header) < 2:
        return None
    names = _column_of_names(rows, by_name)
    if names is None:
        header, rows = [f"column {number}" for number in range(1, len(header) + 1)], [header, *rows]
        names = _column_of_names(rows, by_name)
    if names is None:
        return None
    rest = [column for column in range(len(header)) if column != names]
    label = _column_of_labels(header, rows, rest, choices)
    found = []
    for row in rows:
        image = _named(row[names], by_name, table) if names < len(row) else None
        if image is None:
            continue
        if label is not None:
            written = row[label] if label < len(row) else ""
        else:
            hot = [header[column].strip() for column in rest if column < len(row) and row[column].strip() == "1"]
            if len(hot) != 1:
                raise ValueError(
                    f"{table.path}: expected one class for {quoted(row[names])}, received {len(hot)}: images of "
                    "several classes cannot be learnt."
                )
            (written,) = hot
        found.append((*image, written))
    if not found:
        return None
    column = f"its column {quoted(header[label])}" if label is not None else "its columns of 0 and 1"
    return found, f"{table.path} says the classes, in {column}."


def _column_of_names(rows: Sequence[Sequence[str]], by_name: Mapping[str, object]) -> int | None:
    """Return the column whose cells are names of the images."""
    width = max(map(len, rows))
    named = [
        sum(column < len(row) and row[column].strip().replace("\\", "/").removeprefix("./") in by_name for row in rows)
        for column in range(width)
    ]
    best = max(range(width), key=lambda column: named[column])
    return best if named[best] >= max(1, _LEAST_NAMED * min(len(rows), len(by_name) / 4)) else None


def _named(
    cell: str, by_name: Mapping[str, list[tuple[File, Part | None]]], table: File
) -> tuple[File, Part | None] | None:
    """Return the file that a cell names: of several, the one in the table's own folder, or of the table's split.

    Raises:
        ValueError: if it names several.
    """
    known = by_name.get(cell.strip().replace("\\", "/").removeprefix("./"), [])
    folder = table.path.rpartition("/")[0]
    near = [entry for entry in known if folder and entry[0].path.startswith(f"{folder}/")] or known
    # Without a word about it, labels are given for training.
    of_part = [entry for entry in near if entry[1] == (part_of(table.name) or "train")] or near
    if len(of_part) > 1:
        raise ValueError(
            f"{table.path}: expected the name of one file, received {quoted(cell)}, as several are called: "
            f"{', '.join(entry[0].path for entry in of_part[:3])}. Write their folders too."
        )
    return of_part[0] if of_part else None


def _column_of_labels(
    header: Sequence[str], rows: Sequence[Sequence[str]], rest: Sequence[int], choices: Choices
) -> int | None:
    """Return the column of classes; None where each class has a column of zeros and ones."""
    small = [cell.strip().lower() for cell in header]
    if choices.label_column is not None:
        for column in rest:
            if choices.label_column in (header[column].strip(), str(column + 1)):
                return column
        raise ValueError(f"--label-column: expected one of {', '.join(header[c] for c in rest)}.")
    if len(rest) > 1 and all(
        {row[column].strip() for column in rest if column < len(row)} <= {"0", "1"} for row in rows
    ):
        return None
    named = [column for name in LABELS for column in rest if small[column] == name]
    if named or len(rest) == 1:
        return (named or rest)[0]
    repeated = [
        column for column in rest if 1 < len({row[column] for row in rows if column < len(row)}) <= len(rows) / 2
    ]
    if len(repeated) == 1:
        return repeated[0]
    raise ValueError(
        f"Expected a column of classes, received {', '.join(header[column] for column in rest)[:200]}: say which it is "
        "(--label-column), or call it label."
    )
