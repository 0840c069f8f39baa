"""Bringing in images of one's own: looked at first, then written as a data set like any other.

    plan = inspect(Path("photos.zip"))           # what it is, a few images, a proposed size and colour
    report = import_dataset(Path("photos.zip"), name="Cats and dogs", size=(32, 32), colour="colour")
    load(report.name)

What lies at a path is recognised by itself; see `FORMATS`. An import streams into a staging folder
and appears whole or not at all. Without a test split, a fifth of the images is held out for one,
each class in proportion, always the same ones.

Bytes from strangers are best read in a process that can be killed; `core.datasets.background_import` does so.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from core.datasets import check_title, names, storage
from core.datasets.conversion import fit, is_grey, preparation_of
from core.datasets.files import Files, Skipped, open_files
from core.datasets.formats import find_formats
from core.datasets.formats.source import MAX_IMAGES, Block, Source, in_order
from core.datasets.specification import Preparation, Specification
from core.datasets.splitting import hold_out_test
from core.system.files import write_json

FORMATS: tuple[ModuleType, ...] = find_formats()
"""What is recognised, the more particular before the more general."""

Colour = Literal["grey", "colour"]

CHANNELS: dict[Colour, int] = {"grey": 1, "colour": 3}

MIN_SIDE, MAX_SIDE = 8, 96
"""The sides that a data set's images may have, in pixels."""

USUAL_SIDE = 32
"""The side that is proposed for images of mixed sizes or with a side above `MAX_SIDE`: small networks learn it fast."""

MAX_CLASSES = 1000

MAX_STORED = 8 * 2**30
"""The most bytes that a data set's images may take."""

TEST_SHARE = 0.2
_SPLIT_SEED = 42

_SAMPLES = 12
_JUDGED = 1000
"""So many images decide how images from outside are to be prepared."""


class Sample(NamedTuple):
    """An image as it comes, uint8 `(H, W, 1 or 3)` of at most 1,200 pixels a side, and its class."""

    image: np.ndarray
    class_name: str


@dataclass(frozen=True)
class Plan:
    """What an import would do, as far as a quick look tells.

    Attributes:
        format: what was recognised, in words.
        title: the proposed name.
        files: how many files hold the images.
        images: the number of images of each split, as the source announces it; None if it does not.
        sizes: how many of the images looked at have each height and width, the most frequent first.
        colours: how many of the images looked at are grey, and how many are not.
        size: the proposed height and width.
        colour: the proposed colour.
        class_names: the classes, all or those of the images looked at.
        preparation: how images from outside would be prepared, in the proposed colour.
        samples: a few images, of as many classes as possible.
        skipped: files that would not be used.
        notes: what else is good to know, a sentence each.
    """

    format: str
    title: str
    files: int
    images: dict[str, int] | None
    sizes: dict[tuple[int, int], int]
    colours: dict[Colour, int]
    size: tuple[int, int]
    colour: Colour
    class_names: tuple[str, ...]
    preparation: Preparation
    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What an import did; stored as `report.json` beside the data set's manifest.

    `images` counts the train and the test split, `sizes` the images that had each height and width.
    """

    name: str
    title: str
    format: str
    images: dict[str, int]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    preparation: Preparation
    fingerprint: str
    sizes: dict[str, int]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    seconds: float


def inspect(path: Path) -> Plan:
    """Look at what lies at `path`, without writing anything.

    Raises:
        ValueError: if nothing is recognised there, or what is recognised is damaged.
    """
    with open_files(path) as files:
        format_, found = _detect(files)
        return _plan(path, found, *_look(format_, found))


def import_dataset(
    path: Path,
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    colour: Colour | None = None,
    on_progress: Callable[[float, str], None] = lambda _share, _sentence: None,
) -> Report:
    """Write what lies at `path` as a data set.

    Args:
        path: a file, a folder or a zip.
        name: what people read; the data set's own name is made of it. By default as in the plan.
        size: height and width of the images, in pixels. By default as in the plan.
        colour: by default as in the plan.
        on_progress: is told how much of the source has been read, 0 to 1, and that in a sentence.

    Raises:
        ValueError: if nothing is recognised there, it is damaged, the same images are there already, or
            a choice cannot be met.
    """
    began = time.monotonic()
    storage.sweep()
    title = None if name is None else _free(check_title(name))
    with open_files(path) as files, storage.staging() as folder:
        format_, found = _detect(files)
        plan = _plan(path, found, *_look(format_, found))
        shape = (*check_size(size or plan.size), CHANNELS[colour or plan.colour])
        written = _write(format_.read(found), folder, shape, on_progress)
        labels, class_names = _number_classes(written, found)
        notes = [*found.notes, *_divide(folder, labels, shape)]
        on_progress(1.0, "Checking what was written.")
        title = title or _proposed(plan.title)
        specification = Specification(
            name=_name(title),
            title=title,
            class_names=class_names,
            preparation=_prepared(folder),
            source=f"{found.source or found.format}, imported from {files.name} on {date.today().isoformat()}",
            licence=found.licence or "not stated",
        )
        counts = {part: _rows(folder, part) for part in ("train", "test")}
        report = Report(
            name=specification.name,
            title=title,
            format=found.format,
            images=counts,
            shape=shape,
            class_names=class_names,
            preparation=specification.preparation,
            fingerprint=storage.complete(folder, specification),
            sizes={f"{height}×{width}": count for (height, width), count in written.sizes.most_common()},
            skipped=(*files.skipped, *found.skipped, *written.skipped),
            notes=tuple(notes),
            seconds=round(time.monotonic() - began, 3),
        )
        write_json(folder / "report.json", report_as_json(report))
        storage.publish(folder, specification.name)
    return report


def report_of(name: str) -> Report | None:
    """Return the report of the import that made the data set `name`; None if it was not imported."""
    path = storage.place() / name / "report.json"
    return report_from_json(json.loads(path.read_text())) if name in names() and path.exists() else None


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width if a data set's images may have them.

    Raises:
        ValueError: if they may not.
    """
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise ValueError(f"Size: expected sides of {MIN_SIDE} to {MAX_SIDE} pixels, received {size[0]}×{size[1]}.")
    return size


def report_as_json(report: Report) -> dict[str, Any]:
    """Return a report as values that JSON has."""
    return asdict(report) | {"skipped": [entry._asdict() for entry in report.skipped]}


def report_from_json(values: dict[str, Any]) -> Report:
    """Return the report that `report_as_json` has written."""
    values = dict(values)
    lists = {key: tuple(values[key]) for key in ("shape", "class_names", "notes")}
    former = values.pop("left_out", ())  # as earlier versions of Duet have written it
    skipped = [Skipped(entry["file"], entry["why"], entry["mend"]) for entry in former]
    skipped += [Skipped(**entry) for entry in values.get("skipped", ())]
    return Report(**values | lists | {"skipped": tuple(skipped)})


def _detect(files: Files) -> tuple[ModuleType, Source]:
    for format_ in FORMATS:
        if found := format_.detect(files):
            return format_, found
    reason = f" {files.skipped[0].file}: {files.skipped[0].reason}" if files.skipped else ""
    raise ValueError(
        f"{files.name}: expected folders of images by class, a CSV of pixels, a .npz or IDX files, alone or in a zip, "
        f"received something else.{reason}"
    )


def _look(format_: ModuleType, found: Source) -> tuple[list[Block], list[Skipped]]:
    seen = list(format_.preview(found))
    blocks = [entry for entry in seen if isinstance(entry, Block)]
    skipped = [entry for entry in seen if isinstance(entry, Skipped)]
    if not blocks:
        raise ValueError(
            f"Expected images, but none of those looked at can be read: {skipped[0].file}: {skipped[0].reason}"
        )
    return blocks, skipped


def _plan(path: Path, found: Source, blocks: list[Block], skipped: list[Skipped]) -> Plan:
    sizes: Counter[tuple[int, int]] = Counter()
    colours: Counter[Colour] = Counter()
    for block in blocks:
        sizes[block.size] += len(block.images)
        colours["grey" if is_grey(block.images) else "colour"] += len(block.images)
    size = next(iter(sizes)) if len(sizes) == 1 else (USUAL_SIDE, USUAL_SIDE)
    if max(size) > MAX_SIDE:
        size = USUAL_SIDE, USUAL_SIDE
    size = max(MIN_SIDE, size[0]), max(MIN_SIDE, size[1])
    colour: Colour = "colour" if colours["colour"] else "grey"
    shape = (*size, CHANNELS[colour])
    fitted = [fit(image, shape) for block in blocks for image in block.images[:_JUDGED]]
    return Plan(
        format=found.format,
        title=found.title or _title_of(path),
        files=found.files,
        images=found.images,
        sizes=dict(sizes.most_common()),
        colours=dict(colours),
        size=size,
        colour=colour,
        class_names=tuple(
            found.class_names or in_order({name: None for block in blocks for name in block.classes}.keys())
        ),
        preparation=preparation_of(fitted[:_JUDGED]),
        samples=tuple(_samples(blocks)),
        skipped=(*found.skipped, *skipped),
        notes=found.notes,
    )


def _samples(blocks: list[Block]) -> Iterator[Sample]:
    """Choose images: the first of each class, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    turns = []
    for place, block in enumerate(blocks):
        for row, name in enumerate(block.classes):
            turns.append((seen[name], place, row))
            seen[name] += 1
    for _, place, row in sorted(turns)[:_SAMPLES]:
        yield Sample(blocks[place].images[row], blocks[place].classes[row])


class _Written(NamedTuple):
    """What `_write` has seen: each image's class, by split; its sizes; and what it could not read."""

    classes: dict[str, list[str]]
    sizes: Counter[tuple[int, int]]
    skipped: list[Skipped]


def _write(
    entries: Iterator[Block | Skipped],
    folder: Path,
    shape: tuple[int, int, int],
    on_progress: Callable[[float, str], None],
) -> _Written:
    """Write the images of each split, in their final shape, into arrays that grow."""
    written = _Written({"train": [], "test": []}, Counter(), [])
    most = min(MAX_IMAGES, MAX_STORED // int(np.prod(shape)))
    with ExitStack() as opened:
        images = {}
        sizes = {}
        for part in written.classes:
            images[part] = opened.enter_context(
                storage.GrowingArray(folder / f"{part}_images.npy", shape, np.uint8),
            )
            sizes[part] = opened.enter_context(storage.GrowingArray(folder / f"{part}_sizes.npy", (2,), np.int32))
        for entry in entries:
            if isinstance(entry, Skipped):
                written.skipped.append(entry)
                continue
            part = entry.part or "train"
            images[part].append(np.stack([fit(image, shape) for image in entry.images]))
            sizes[part].append(np.tile(entry.size, (len(entry.images), 1)))
            written.classes[part] += entry.classes
            written.sizes[entry.size] += len(entry.images)
            total = sum(map(len, written.classes.values()))
            if total > most:
                raise ValueError(
                    f"Expected at most {most:,} images of this size, received more: choose a smaller size."
                )
            on_progress(entry.share, f"{total:,} images read.")
    if not any(written.classes.values()):
        first = written.skipped[0]
        raise ValueError(f"Expected images, but none of them can be read: {first.file}: {first.reason}")
    return written


def _number_classes(written: _Written, found: Source) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return the labels of each split, int64, and the name of each label."""
    seen = set().union(*written.classes.values())
    if len(seen) < 2:
        raise ValueError(f"Expected images of at least two classes, received only {next(iter(seen))!r}.")
    if len(seen) > MAX_CLASSES:
        raise ValueError(f"Expected at most {MAX_CLASSES:,} classes, received {len(seen):,}.")
    class_names = found.class_names or tuple(in_order(seen))
    number = {name: label for label, name in enumerate(class_names)}
    labels = {part: np.array([number[name] for name in classes], np.int64) for part, classes in written.classes.items()}
    return labels, class_names


def _divide(folder: Path, labels: dict[str, np.ndarray], shape: tuple[int, int, int]) -> Iterator[str]:
    """See to it that both splits have images, write the labels, and yield a sentence about each thing done."""
    if not all(map(len, labels.values())):
        (only,) = (part for part, values in labels.items() if len(values))
        held_out = hold_out_test(labels[only], share=TEST_SHARE, seed=_SPLIT_SEED)
        if not held_out.any():
            raise ValueError("Expected a class of at least two images, received only one of each.")
        for kind, row, dtype in (("images", shape, np.uint8), ("sizes", (2,), np.int32)):
            _distribute(folder, only, kind, row, dtype, held_out)
        labels = {"train": labels[only][~held_out], "test": labels[only][held_out]}
        yield (
            f"There was no test split, so {TEST_SHARE:.0%} of the images are held out for it, each class in proportion."
        )
    missing = set(labels["test"].tolist()) - set(labels["train"].tolist())
    if missing:
        yield f"{len(missing)} of the classes have test images only, so no network can learn them."
    for part, values in labels.items():
        np.save(folder / f"{part}_labels.npy", values)
    paths = [folder / f"{part}_sizes.npy" for part in labels]
    if all((np.load(path, mmap_mode="r") == shape[:2]).all() for path in paths):
        for path in paths:
            path.unlink()


def _distribute(folder: Path, only: str, kind: str, row: tuple[int, ...], dtype: type, held_out: np.ndarray) -> None:
    """Divide the one array that has rows into those of the two splits, in their order, some rows at a time."""
    whole = (folder / f"{only}_{kind}.npy").rename(folder / f"all_{kind}.npy")
    at_once = max(1, 2**22 // int(np.prod(row)))
    with ExitStack() as opened:
        parts = {
            part: opened.enter_context(storage.GrowingArray(folder / f"{part}_{kind}.npy", row, dtype))
            for part in ("train", "test")
        }
        with whole.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            for start in range(0, len(held_out), at_once):
                tested = held_out[start : start + at_once]
                rows = np.fromfile(file, dtype, len(tested) * int(np.prod(row))).reshape(-1, *row)
                parts["train"].append(rows[~tested])
                parts["test"].append(rows[tested])
    whole.unlink()


def _rows(folder: Path, part: str) -> int:
    return len(np.load(folder / f"{part}_labels.npy", mmap_mode="r"))


def _prepared(folder: Path) -> Preparation:
    images = np.load(folder / "train_images.npy", mmap_mode="r")
    return preparation_of(images[:: max(1, len(images) // _JUDGED)][:_JUDGED])


def _title_of(path: Path) -> str:
    """Make a name of a file's name, without its endings."""
    stem = re.sub(r"(\.(csv|tsv|txt|zip|npz|npy|gz|idx\w*|ubyte))+$", "", path.resolve().name, flags=re.IGNORECASE)
    words = "".join(letter if letter.isprintable() else " " for letter in re.sub(r"[_\s]+", " ", stem))
    return words.strip()[:60] or "Images"


def _name(title: str) -> str:
    """Return the name that runs record for a title: its small letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "images"


def _free(title: str) -> str:
    if _name(title) in names():
        raise ValueError(f"Name: expected one that is free, received {title!r}: choose another.")
    return title


def _proposed(title: str) -> str:
    """Return the title, numbered if it is taken."""
    taken = set(names())
    numbered = (title, *(f"{title} {number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in numbered if _name(candidate) not in taken)
