"""Parquet tables as Hugging Face has them: `data/train-00000-of-00002.parquet` with columns `image` and `label`.

The image is a struct of `bytes` and `path`, or bytes alone, of a PNG, a JPEG or another format that folders of images
may have. The label is an integer or a text; the names of classes come from the schema's `huggingface` metadata. A
table is read some rows at a time.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from PIL import Image

from core.datasets.choices import Choices
from core.datasets.files import DAMAGE, File, Files, Skipped
from core.datasets.formats.encoded_images import (
    LOOKED_AT,
    LOOKED_AT_PIXELS,
    Labelled,
    decode_images,
    find_deep_white,
)
from core.datasets.formats.source import (
    MAX_IMAGES,
    Block,
    Guess,
    Part,
    Source,
    example_images,
    others,
    part_of_file,
    splits_by,
)
from core.datasets.recognition.columns import LABELS
from core.datasets.recognition.labels import check_label, name_classes
from core.datasets.recognition.unread import BEGINNING, describe
from core.datasets.recognition.words import split_of
from core.system.text import quoted

# pyarrow is imported where a table is opened: it takes a third of a second, and most imports are none of its.

_ENDINGS = (".parquet", ".parq", ".pq")

_IMAGES = ("image", "img", "images", "picture", "photo", "pixels", "jpg", "png", "bytes")
_FIRST_LABELS = ("label", "labels", "fine_label")
"""Names of columns, the likeliest first."""

_AT_ONCE = 16
"""Rows with images that are held at once: a page of a hostile table may unpack to many times its size."""

_LABELS_AT_ONCE = 4096
_BUFFER = 2**20
_MAX_METADATA = 64 * 2**20

_LOOKED_AT_GROUPS = 6
"""So many groups of rows, from all over a table, are looked at: its rows are often ordered by class."""

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})")


class Table(NamedTuple):
    """A table with images and labels.

    Attributes:
        image: the path of the column with the bytes of images, such as `image.bytes`.
        label: the name of the column with labels.
        names: those of the labels from 0 on, where the schema says them.
        rows: how many have a label.
        white: the value of white of images with 16 bits.
    """

    file: File
    part: Part | None
    image: str
    label: str
    names: tuple[str, ...] | None
    rows: int = 0
    white: float | None = None


class _Columns(NamedTuple):
    """The columns that may hold images and labels, the likeliest first, and the names that labels have."""

    images: tuple[str, ...]
    labels: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    all: tuple[str, ...]


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the tables that have images and labels.

    Raises:
        ValueError: if none has both, one is damaged, or a choice names what is not there.
    """
    found = [file for file in files.members if file.name.lower().endswith(_ENDINGS)]
    if not found:
        return None
    datasets = sorted({_dataset_of(file) for file in found})
    wanted = datasets[0]
    if choices.dataset is not None:
        wanted = choices.dataset.strip("/")
        if wanted not in datasets:
            raise ValueError(f"--dataset: expected one of {', '.join(datasets)}, received {quoted(choices.dataset)}.")
    tables, skipped, columns = _tables([file for file in found if _dataset_of(file) == wanted], choices)
    labels: dict[Part, Counter[str]] = {}
    notes = _missing_shards(tables)
    counted: list[Table] = []
    for table in tables:
        with_none = Counter(label for _, rows in _batches(table, (table.label,), _LABELS_AT_ONCE) for label in rows)
        without = with_none[None]
        counts = Counter({label: count for label, count in with_none.items() if label is not None})
        if not counts:
            skipped.append(Skipped(table.file.path, "None of its rows has a label.", "Nothing needs to be done."))
            continue
        if without:
            notes.append(f"{table.file.path}: {without:,} rows have no label and are left out.")
        labels.setdefault(table.part or "train", Counter()).update(counts)
        counted.append(table._replace(rows=counts.total()))
    if not counted:
        raise ValueError(f"{files.name}: expected a label for each image, but no row has one in {tables[0].label}.")
    for table in counted:
        _check_embedded(table)
    deep = find_deep_white(islice(_from_all_over(counted), LOOKED_AT), choices)
    guesses = [Guess("label_column", tables[0].label, columns.labels)]
    if deep is not None:
        counted = [table._replace(white=deep.white) for table in counted]
        notes += [deep.note] if deep.note else []
        guesses.append(Guess("scale", deep.white))
    told = {entry.file for entry in skipped}
    return Source(
        "Parquet tables of images",
        len(counted),
        tuple(counted),
        images={part: counts.total() for part, counts in labels.items()},
        labels=labels,
        splits=splits_by([(table.part, table.file.path) for table in counted]),
        class_names=_class_names(counted[0], labels),
        skipped=(
            *skipped,
            *others(
                [file for file in files.members if file.path not in told], [table.file for table in counted],
                "the tables of images",
            ),
        ),
        notes=tuple(notes),
        guesses=tuple(guesses),
        datasets=tuple(datasets) if len(datasets) > 1 and choices.dataset is None else (),
    )  # fmt: skip


def read(found: Source) -> Iterator[Block | Skipped]:
    """Yield each image as it is decoded, RGB; those that cannot be decoded as left out."""
    for number, table in enumerate(found.parts):
        for entry in decode_images(_rows(table), table.rows):
            if isinstance(entry, Block):
                yield entry._replace(share=(number + entry.share) / len(found.parts))
            else:
                yield entry


def preview(found: Source) -> Iterator[Block | Skipped]:
    """Yield images from all over the tables."""
    yield from decode_images(islice(_from_all_over(found.parts), LOOKED_AT), LOOKED_AT, LOOKED_AT_PIXELS)


def _dataset_of(file: File) -> str:
    """Return the folder of the data set that a table belongs to: folders called as a split are parts of one."""
    folders = file.path.split("/")[:-1]
    return "/".join(folder for folder in folders if split_of(folder) is None) or "."


def _tables(files: Sequence[File], choices: Choices) -> tuple[list[Table], list[Skipped], _Columns]:
    """Return the tables with columns of images and labels, what is left out and why, and the columns of the first."""
    tables: list[Table] = []
    skipped: list[Skipped] = []
    first: _Columns | None = None
    parts = {file.path: _part_of(file, choices) for file in files}
    has_splits = any(parts.values())
    for file in files:
        part = parts[file.path]
        if part == "unused" or (has_splits and part is None):
            skipped.append(
                Skipped(
                    file.path, "It is no training, validation or test split.", "Choose it as one (--train, --test)."
                )
            )
            continue
        columns = _columns(file)
        if not columns.images:
            skipped.append(
                Skipped(
                    file.path,
                    f"It has no column of images, but {_listed(columns.all)}.",
                    "Save the images as a struct of bytes and path, or as bytes.",
                )
            )
            continue
        label = _label_column(columns, choices)
        if label is None:
            skipped.append(
                Skipped(
                    file.path,
                    f"It has no column of labels, but {_listed(columns.all)}.",
                    "Choose the column of classes (--label-column).",
                )
            )
            continue
        first = first or columns
        tables.append(Table(file, part, columns.images[0], label, columns.names.get(label)))
    if first is None:
        raise ValueError(f"{skipped[0].file}: {skipped[0].reason} {skipped[0].fix}")
    return tables, skipped, first


def _part_of(file: File, choices: Choices) -> Any:
    """Return the split that a table was chosen for, or that it or a folder around it is called."""
    part = part_of_file(file, choices)
    folder = file.path.rpartition("/")[0]
    if part is None and folder and choices.splits is not False:
        return _part_of(File(folder, 0, file.open), Choices())
    return part


def _columns(file: File) -> _Columns:
    """Return what the schema of a table says.

    Raises:
        ValueError: if the file is none, is damaged, or announces too many rows.
    """
    import pyarrow as pa
    from pyarrow import types

    with _opened(file) as table:
        schema = table.schema_arrow
        rows = table.metadata.num_rows
    if rows > MAX_IMAGES:
        raise ValueError(f"{file.path}: expected at most {MAX_IMAGES:,} images, received {rows:,}.")
    images, labels = [], []

    def is_binary(kind: pa.DataType) -> bool:
        return types.is_binary(kind) or types.is_large_binary(kind)

    for column in schema:
        kind = column.type
        if schema.names.count(column.name) > 1:  # cannot be told from the other
            continue
        if types.is_struct(kind) and any(field.name == "bytes" and is_binary(field.type) for field in kind):
            images.append(f"{column.name}.bytes")
        elif is_binary(kind):
            images.append(column.name)
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind):
            labels.append(column.name)
    features = _features(schema.metadata)
    names = {
        name: tuple(map(str, feature["names"]))
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
    }
    likely = [*_FIRST_LABELS, *LABELS]
    return _Columns(
        tuple(sorted(images, key=lambda name: _place(name.removesuffix(".bytes"), _IMAGES))),
        tuple(sorted(labels, key=lambda name: (name not in names, _place(name, likely)))),
        names,
        tuple(schema.names),
    )


def _place(name: str, likely: Sequence[str]) -> int:
    """Return how far from the likeliest name a column's is."""
    return likely.index(name.lower()) if name.lower() in likely else len(likely)


def _features(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """Return what Hugging Face's library has written about each column; nothing where it has not."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _label_column(columns: _Columns, choices: Choices) -> str | None:
    """Return the column of labels: the chosen one, one that the schema says classes of, or one that is called so."""
    wanted = choices.label_column
    if wanted is not None:
        if wanted in columns.labels:
            return wanted
        number = int(wanted) if wanted.isdecimal() and len(wanted) < 6 else len(columns.all) if wanted == "last" else 0
        if 1 <= number <= len(columns.all) and columns.all[number - 1] in columns.labels:
            return columns.all[number - 1]
        raise ValueError(
            f"--label-column: expected a column of integers or texts, one of {_listed(columns.labels)}, received "
            f"{quoted(wanted)}."
        )
    known = (*_FIRST_LABELS, *LABELS)
    likely = [name for name in columns.labels if name in columns.names or name.lower() in known]
    return likely[0] if likely else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")


def _missing_shards(tables: Sequence[Table]) -> list[str]:
    """Return a sentence for each split of whose numbered files some are missing."""
    numbers: dict[tuple[str, int], set[int]] = {}
    for table in tables:
        if shard := _SHARD.search(table.file.name):
            numbers.setdefault((table.file.name[: shard.start()], int(shard[2])), set()).add(int(shard[1]))
    return [
        f"{name}: only {len(here):,} of its {count:,} files are here, so images are missing."
        for (name, count), here in numbers.items()
        if len(here) < count
    ]


def _class_names(table: Table, labels: Mapping[Part, Counter[str]]) -> tuple[str, ...] | None:
    """Return the classes that have images in the order of the schema; None where it does not say one."""
    naming = name_classes({label for counts in labels.values() for label in counts}).names
    names = [naming[name] for name in table.names or () if name in naming]
    return tuple(names) if set(names) == set(naming.values()) and len(set(names)) == len(names) else None


@contextmanager
def _opened(file: File) -> Iterator[Any]:
    """Open a table; whatever damage is met while it is read becomes a sentence.

    Raises:
        ValueError: if it is none or is damaged.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with file.open() as stream:
            beginning = stream.read(BEGINNING)
        if not beginning.startswith(b"PAR1"):
            unread = describe(beginning, file.name)
            raise ValueError(f"{file.path}: expected a Parquet table, received {unread.what}. {unread.fix}")
        with file.open() as stream:
            yield ParquetFile(
                pa.PythonFile(stream, mode="r"),
                buffer_size=_BUFFER,
                pre_buffer=False,
                thrift_string_size_limit=_MAX_METADATA,
                thrift_container_size_limit=_MAX_METADATA,
                arrow_extensions_enabled=False,
            )
    except (pa.ArrowException, *DAMAGE) as error:
        reason = str(error).partition("\n")[0][:100]
        raise ValueError(
            f"{file.path}: expected a whole Parquet table, but it is damaged ({reason}): get it anew."
        ) from error


def _batches(
    table: Table, columns: Sequence[str], at_once: int, groups: Sequence[int] | None = None
) -> Iterator[tuple[Any, list[str | None]]]:
    """Yield some rows of a table at a time, as pyarrow has them, with their labels, None where there is none."""
    known: dict[Any, str | None] = {}
    with _opened(table.file) as opened:
        for batch in opened.iter_batches(at_once, row_groups=groups, columns=list(columns), use_threads=False):
            values = batch.column(table.label).to_pylist()
            for value in set(values) - known.keys():
                known[value] = _label_of(value, table)
            yield batch, [known[value] for value in values]


def _label_of(value: Any, table: Table) -> str | None:
    """Return the label that a cell says.

    Raises:
        ValueError: if it has no name, or is no text that can be stored.
    """
    if value is None or (table.names is not None and value == -1):  # Hugging Face's sign of an unknown class
        return None
    if table.names is not None and isinstance(value, int):
        if not 0 <= value < len(table.names):
            raise ValueError(
                f"{table.file.path}: expected labels from 0 to {len(table.names) - 1:,} in {table.label}, as the "
                f"schema names so many classes, received {value:,}."
            )
        value = table.names[value]
    try:
        return check_label(str(value))
    except ValueError as error:
        raise ValueError(f"{table.file.path}, column {table.label}: expected {error}.") from None


def _rows(table: Table, groups: Sequence[int] | None = None, first: int = 1) -> Iterator[Labelled]:
    """Yield the images of a table that have labels, as files; the first row has the number `first`."""
    number = first
    for batch, labels in _batches(table, (table.image, table.label), _AT_ONCE, groups):
        for data, label in zip(_cells(batch, table), labels, strict=True):
            if label is not None:
                content = data.as_py() or b""
                file = File(f"{table.file.path}, row {number:,}", len(content), partial(io.BytesIO, content))
                yield Labelled(file, table.part, label, table.white)
            number += 1


def _cells(batch: Any, table: Table) -> Any:
    """Return the column of some rows that has the bytes of images."""
    if table.image in batch.schema.names:
        return batch.column(table.image)
    return batch.column(table.image.removesuffix(".bytes")).field("bytes")


def _check_embedded(table: Table) -> None:
    """Do nothing if the images are in the table.

    Raises:
        ValueError: if its first rows have only the paths of files.
    """
    batch, _ = next(_batches(table, (table.image, table.label), _AT_ONCE), (None, []))
    if batch is not None and batch.num_rows and _cells(batch, table).null_count == batch.num_rows:
        raise ValueError(
            f"{table.file.path}: expected the bytes of each image in the table, received only paths of files: save it "
            "with the images embedded, or import the folder of the files."
        )


def _from_all_over(tables: Sequence[Table]) -> Iterator[Labelled]:
    """Yield some images of each table, the first of groups of rows from all over it."""
    for table in tables:
        with _opened(table.file) as opened:
            sizes = [opened.metadata.row_group(group).num_rows for group in range(opened.metadata.num_row_groups)]
        chosen = range(0, len(sizes), max(1, len(sizes) // _LOOKED_AT_GROUPS))[:_LOOKED_AT_GROUPS]
        each = max(1, LOOKED_AT // (len(tables) * max(1, len(chosen))))
        for group in chosen:
            yield from islice(_rows(table, [group], 1 + sum(sizes[:group])), each)


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = []
    for image in example_images(20):
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "PNG")
        rows.append({"bytes": encoded.getvalue(), "path": None})
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    table = pa.table({"image": rows, "label": [number % 2 for number in range(20)]}, schema=schema)
    content = io.BytesIO()
    parquet.write_table(table, content)
    return {"data/train-00000-of-00001.parquet": content.getvalue()}
