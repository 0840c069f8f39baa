"""Bringing in images of one's own: looked at first, then written as a data set like any other.

    plan = inspect(Path("photos.zip"))           # what it is, a few images, a proposed size and colour
    report = import_dataset(Path("photos.zip"), name="Cats and dogs", size=(32, 32), colour="colour")
    load(report.name)

What lies at a path is recognised by itself; see `FORMATS`. The plan says all that was guessed, and each guess
can be decided otherwise; see `core.datasets.choices`. An import streams into a staging folder and appears whole
or not at all. What becomes of the splits is said in `core.datasets.division`.

Bytes from strangers are best read in a process that can be killed; `core.datasets.background_import` does so.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from core.datasets import check_free_title, name_of, names, storage
from core.datasets.choices import Choices, ValidationUse
from core.datasets.conversion import fit, is_grey, lost_by_cropping, preparation_of
from core.datasets.division import count_divided, divide, guess_division, note_on_validation, use_of_validation
from core.datasets.files import DAMAGE, File, Files, Skipped, open_files
from core.datasets.formats import find_formats, image_folders
from core.datasets.formats.source import MAX_IMAGES, Block, Guess, Part, Source
from core.datasets.recognition.counts import check_classes, doubts
from core.datasets.recognition.labels import check_label, in_order, name_classes
from core.datasets.recognition.unread import BEGINNING, describe
from core.datasets.specification import Fit, Preparation, Specification
from core.system.files import write_json
from core.system.text import quoted

FORMATS: tuple[ModuleType, ...] = find_formats()
"""What is recognised: pictures in folders before anything that lies beside them, the particular before the general."""

Colour = Literal["grey", "colour"]

CHANNELS: dict[Colour, int] = {"grey": 1, "colour": 3}

MIN_SIDE, MAX_SIDE = 8, 224
"""The sides that a data set's images may have, in pixels."""

USUAL_SIDE = 32
"""The side that is proposed for images of mixed or large sizes: small networks learn it fast."""

_KEPT_SIDE = 96
"""Images of one size, with no side above this, are proposed to be kept as they are."""

PHOTO_SIDE = 224
"""The side that is proposed for a few photographs, which a pretrained network learns from best."""

FEW_IMAGES = 2_000
_LEAST_PHOTO_SIDE = 128
"""Pictures that are smaller gain nothing from `PHOTO_SIDE`."""

MAX_CLASSES = 1000

_MAX_LABELS = 100_000
"""An import ends at so many labels: spellings of a class count as one only when all are known."""

MAX_STORED = 8 * 2**30
"""The most bytes that a data set's images may take."""

_MOST_LOST = 0.5
"""Where cropping would take more than this share of most images, they are padded instead."""

_TOLD_LOSS = 0.25
"""Where cropping takes more than this share of some image, it is told."""

_DESCRIBED, _KINDS = 50, 4
"""So many files are looked at to say what they are, and so many kinds are told, where none can be imported."""

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
        classes: the number of images of each class, by split, where all are known beforehand.
        splits: the files, folders or arrays that are each split; empty where a split is drawn.
        sizes: how many of the images looked at have each height and width, the most frequent first.
        colours: how many of the images looked at are grey, and how many are not.
        size: the proposed height and width.
        colour: the proposed colour.
        class_names: the classes, all or those of the images looked at.
        preparation: how images from outside would be prepared, in the proposed colour.
        fit: how images of other proportions would be brought into those proposed.
        guesses: what was recognised and can be decided otherwise.
        datasets: the folders of whole data sets of which one must be chosen; the plan is that of the first.
        samples: a few images, of as many classes as possible.
        skipped: files that would not be used.
        notes: what else is good to know, a sentence each.
    """

    format: str
    title: str
    files: int
    images: Mapping[Part, int] | None
    classes: dict[str, dict[str, int]] | None
    splits: dict[Part, tuple[str, ...]]
    sizes: dict[tuple[int, int], int]
    colours: dict[Colour, int]
    size: tuple[int, int]
    colour: Colour
    class_names: tuple[str, ...]
    preparation: Preparation
    fit: Fit
    guesses: tuple[Guess, ...]
    datasets: tuple[str, ...]
    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What an import did; stored as `report.json` beside the data set's manifest.

    `images` counts the train and the test split, `sizes` the images that had each height and width;
    `validation_images` of the train split were kept as those that came to validate on.
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
    validation_images: int = 0


def inspect(path: Path, choices: Choices | None = None) -> Plan:
    """Look at what lies at `path`, without writing anything.

    Raises:
        ValueError: if nothing is recognised there, what is recognised is damaged, or no network could learn it.
    """
    choices = choices or Choices()
    with open_files(path, choices.encoding) as files:
        return _Recognised(path, files, choices).plan


def import_dataset(
    path: Path,
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    colour: Colour | None = None,
    choices: Choices | None = None,
    on_progress: Callable[[float, str], None] = lambda _share, _sentence: None,
) -> Report:
    """Write what lies at `path` as a data set.

    Args:
        path: a file, a folder or an archive.
        name: what people read; the data set's own name is made of it. By default as in the plan.
        size: height and width of the images, in pixels. By default as in the plan.
        colour: by default as in the plan.
        choices: what is decided otherwise than in the plan.
        on_progress: is told how much of the source has been read, 0 to 1, and that in a sentence.

    Raises:
        ValueError: if nothing is recognised there, it is damaged, the same images are there already, or
            a choice cannot be met.
    """
    began = time.monotonic()
    storage.sweep()
    choices = choices or Choices()
    title = None if name is None else check_free_title(name)
    with open_files(path, choices.encoding) as files, storage.staging() as folder:
        recognised = _Recognised(path, files, choices)
        found, plan = recognised.source, recognised.plan
        if plan.datasets:
            raise ValueError(
                f"{files.name}: expected one data set, received several: {', '.join(plan.datasets[:6])}. Choose one, "
                f"for example by --dataset={plan.datasets[0]}."
            )
        shape = (*check_size(size or plan.size), CHANNELS[colour or plan.colour])
        written = _write(recognised.format.read(found), found, folder, shape, plan.fit, on_progress)
        use = use_of_validation({part for part, row in written.classes.items() if row}, choices.validation_as)
        if use is None and choices.validation_as is not None:
            raise ValueError(
                "Validation images (--validation-as): expected training images and a validation split beside them, "
                "received data without one of both: leave this choice out."
            )
        labels, class_names, joined = _number_classes(written, found, use)
        validation_images = len(labels["validation"]) if use == "given" else 0
        notes = [*recognised.notes, *joined, *divide(folder, labels, shape, choices.test_part, use)]
        counts = _counts_by_class(folder, class_names, validation_images)
        notes += [note for note in doubts(counts) if note not in notes]
        on_progress(1.0, "Checking what was written.")
        title = title or _proposed(plan.title)
        specification = Specification(
            name=name_of(title),
            title=title,
            class_names=class_names,
            preparation=choices.preparation or _prepared(folder),
            source=f"{found.source or found.format}, imported from {files.name} on {date.today().isoformat()}",
            licence=found.licence or "not stated",
            fit=plan.fit,
            validation_images=validation_images,
        )
        report = Report(
            name=specification.name,
            title=title,
            format=found.format,
            images={
                "train": sum(counts["train"].values()) + validation_images,
                "test": sum(counts["test"].values()),
            },
            shape=shape,
            class_names=class_names,
            preparation=specification.preparation,
            fingerprint=storage.complete(folder, specification),
            sizes={f"{height}×{width}": count for (height, width), count in written.sizes.most_common()},
            skipped=(*files.skipped, *found.skipped, *written.skipped),
            notes=tuple(dict.fromkeys(notes)),
            seconds=round(time.monotonic() - began, 3),
            validation_images=validation_images,
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


class _Recognised:
    """What lies at a path: its format, its source and the plan for it."""

    def __init__(self, path: Path, files: Files, choices: Choices):
        self.format, self.source = _detect(files, choices)
        blocks, unreadable = _look(self.format, self.source)
        counts = _named_counts(self.source)
        parts = set(self.source.images or {}) | set(self.source.splits)
        use = use_of_validation(parts, choices.validation_as)
        division = tuple(guess_division(parts, use, choices))
        self.notes = [*files.notes, *self.source.notes]
        if counts is not None:
            check_classes(count_divided(counts, use))
            doubtful = doubts(count_divided(counts, use))
        else:
            doubtful = []
        if use is not None:
            self.notes.append(note_on_validation(use, (self.source.images or {}).get("validation"), parts))
        self.plan = self._plan(path, files, choices, blocks, unreadable, counts, doubtful, division)

    def _plan(
        self,
        path: Path,
        files: Files,
        choices: Choices,
        blocks: list[Block],
        unreadable: list[Skipped],
        counts: dict[str, dict[str, int]] | None,
        doubtful: list[str],
        division: tuple[Guess, ...],
    ) -> Plan:
        source = self.source
        sizes: Counter[tuple[int, int]] = Counter()
        colours: Counter[Colour] = Counter()
        for block in blocks:
            sizes[block.size] += len(block.images)
            colours["grey" if is_grey(block.images) else "colour"] += len(block.images)
        colour: Colour = "colour" if colours["colour"] else "grey"
        size = _proposed_size(sizes, colour, source.images)
        shape = (*size, CHANNELS[colour])
        how, told = _choose_fit(sizes, size, choices)
        self.notes += told
        fitted = [fit(image, shape, how) for block in blocks for image in block.images[:_JUDGED]]
        naming = name_classes({name for block in blocks for name in block.classes})
        preparation = choices.preparation or preparation_of(fitted[:_JUDGED])
        if counts is not None and source.labels is not None:
            self.notes += name_classes(label for labels in source.labels.values() for label in labels).notes
        else:
            self.notes += naming.notes
            doubtful.append("The classes are those of the first rows; the import finds and counts all.")
        class_names = (
            source.class_names
            or (counts is not None and in_order({name for row in counts.values() for name in row}))
            or in_order(set(naming.names.values()))
        )
        self.notes = list(dict.fromkeys(self.notes))
        return Plan(
            format=source.format,
            title=source.title or _title_of(path),
            files=source.files,
            images=source.images,
            classes=counts,
            splits={part: tuple(names) for part, names in source.splits.items()},
            sizes=dict(sizes.most_common()),
            colours=dict(colours),
            size=size,
            colour=colour,
            class_names=tuple(class_names),
            preparation=preparation,
            fit=how,
            guesses=(
                *source.guesses,
                Guess("preparation", preparation, get_args(Preparation)),
                Guess("fit", how, get_args(Fit)),
                *division,
            ),
            datasets=source.datasets,
            samples=tuple(_samples(blocks)),
            skipped=(*files.skipped, *source.skipped, *unreadable),
            notes=(*self.notes, *doubtful),
        )


def _detect(files: Files, choices: Choices) -> tuple[ModuleType, Source]:
    """Return the first format that recognises the files.

    Raises:
        ValueError: what the first one that found something of its own says against it, if no other does better.
    """
    refusals: list[str] = []
    loose: str | None = None
    for format_ in FORMATS:
        try:
            found = format_.detect(files, choices)
        except ValueError as error:
            # Loose pictures say less about what was meant than a table or an array that lies beside them.
            loose = str(error) if format_ is image_folders else loose
            refusals += [] if format_ is image_folders else [str(error)]
            continue
        except DAMAGE as error:
            refusals.append(f"{files.name}: expected whole files, but one is damaged ({error}).")
            continue
        if found:
            return format_, found
    if refusals or loose:
        raise ValueError(refusals[0] if refusals else loose)
    raise ValueError(_unrecognised(files))


def _unrecognised(files: Files) -> str:
    """Say what files are, of which none can be imported."""
    kinds: dict[str, list[str]] = {}
    fixes = {}
    for file in files.members[:_DESCRIBED]:
        unread = describe(_beginning(file), file.name)
        kinds.setdefault(unread.what, []).append(file.path)
        fixes[unread.what] = unread.fix
    told = [
        f"{what} ({names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''})"
        for what, names in sorted(kinds.items(), key=lambda entry: -len(entry[1]))[:_KINDS]
    ]
    received = f"{', '.join(told)}. {fixes[max(kinds, key=lambda what: len(kinds[what]))]}" if told else "none."
    reason = f" {files.skipped[0].file}: {files.skipped[0].reason} {files.skipped[0].fix}" if files.skipped else ""
    return (
        f"{files.name}: expected folders of images by class, tables of pixels, Parquet tables, NumPy arrays, MATLAB "
        f"or IDX files, alone or in an archive, received {received}{reason}"
    )


def _beginning(file: File) -> bytes:
    try:
        with file.open() as stream:
            return stream.read(BEGINNING)
    except DAMAGE:
        return b""


def _look(format_: ModuleType, found: Source) -> tuple[list[Block], list[Skipped]]:
    seen = list(format_.preview(found))
    blocks = [entry for entry in seen if isinstance(entry, Block)]
    skipped = [entry for entry in seen if isinstance(entry, Skipped)]
    if not blocks:
        raise ValueError(
            f"Expected images, but none of those looked at can be read: {skipped[0].file}: {skipped[0].reason}"
        )
    return blocks, skipped


def _named_counts(found: Source) -> dict[str, dict[str, int]] | None:
    """Return the number of images of each class, by split, where all labels are known.

    Raises:
        ValueError: if a label is no text.
    """
    if found.labels is None:
        return None
    labels = {label for row in found.labels.values() for label in row}
    for label in sorted(labels):
        _check_label(label, found)
    naming = name_classes(labels)
    counts: dict[str, dict[str, int]] = {}
    for part, row in found.labels.items():
        for label, count in row.items():
            of_part = counts.setdefault(part, {})
            of_part[naming.names[label]] = of_part.get(naming.names[label], 0) + count
    return counts


def _check_label(label: str, found: Source) -> None:
    try:
        check_label(label)
    except ValueError as error:
        raise ValueError(f"{found.format}, class {quoted(label[:40])}: expected {error}.") from None


def _proposed_size(
    sizes: Counter[tuple[int, int]], colour: Colour, images: Mapping[Part, int] | None
) -> tuple[int, int]:
    large = sum(count for size, count in sizes.items() if min(size) >= _LEAST_PHOTO_SIDE)
    are_few = images is not None and sum(images.values()) <= FEW_IMAGES
    if colour == "colour" and are_few and large > sum(sizes.values()) / 2:
        return PHOTO_SIDE, PHOTO_SIDE
    height, width = next(iter(sizes)) if len(sizes) == 1 else (USUAL_SIDE, USUAL_SIDE)
    if max(height, width) > _KEPT_SIDE:
        return USUAL_SIDE, USUAL_SIDE
    return max(MIN_SIDE, height), max(MIN_SIDE, width)


def _choose_fit(sizes: Counter[tuple[int, int]], size: tuple[int, int], choices: Choices) -> tuple[Fit, list[str]]:
    """Return how images are brought into the proportions of a size, and what to tell about it."""
    losses = [(lost_by_cropping(own, size), count) for own, count in sizes.items()]
    most = max((loss for loss, _ in losses), default=0.0)
    much = sum(count for loss, count in losses if loss > _MOST_LOST)
    how: Fit = choices.fit or ("pad" if much > sum(sizes.values()) / 2 else "crop")
    if how == "pad" and choices.fit is None:
        return how, [
            f"Most images are far longer than wide or wider than long, so they are padded to {size[0]}×{size[1]} "
            "instead of cropped; choose another fit (--fit) if that is wrong."
        ]
    if how == "crop" and most > _TOLD_LOSS:
        return how, [
            f"Only the middle of images of other proportions is kept: up to {most:.0%} of an image is cut off. Padding "
            "or squeezing keep all of it (--fit)."
        ]
    return how, []


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
    """What `_write` has seen: each image's label, by split; its sizes; and what it could not read."""

    classes: dict[str, list[str]]
    sizes: Counter[tuple[int, int]]
    skipped: list[Skipped]


def _write(
    entries: Iterator[Block | Skipped],
    found: Source,
    folder: Path,
    shape: tuple[int, int, int],
    how: Fit,
    on_progress: Callable[[float, str], None],
) -> _Written:
    """Write the images of each split, in their final shape, into arrays that grow."""
    written = _Written({"train": [], "validation": [], "test": []}, Counter(), [])
    most = min(MAX_IMAGES, MAX_STORED // int(np.prod(shape)))
    known: dict[str, str] = {}  # so that equal labels are one object
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
            images[part].append(np.stack([fit(image, shape, how) for image in entry.images]))
            sizes[part].append(np.tile(entry.size, (len(entry.images), 1)))
            for label in set(entry.classes) - known.keys():
                _check_label(label, found)
                known[label] = label
            if len(known) > _MAX_LABELS:
                raise ValueError(f"Expected at most {MAX_CLASSES:,} classes, received more than {_MAX_LABELS:,}.")
            written.classes[part] += [known[label] for label in entry.classes]
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


def _number_classes(
    written: _Written, found: Source, use: ValidationUse | None
) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[str, ...]]:
    """Return the labels of each split, int64, the name of each label, and a sentence for each joining."""
    naming = name_classes(set().union(*written.classes.values()))
    classes = {part: [naming.names[label] for label in labels] for part, labels in written.classes.items()}
    check_classes(count_divided({part: Counter(row) for part, row in classes.items() if row}, use))
    seen = set(naming.names.values())
    if len(seen) > MAX_CLASSES:
        raise ValueError(f"Expected at most {MAX_CLASSES:,} classes, received {len(seen):,}.")
    class_names = found.class_names or tuple(in_order(seen))
    number = {name: label for label, name in enumerate(class_names)}
    labels = {part: np.array([number[name] for name in row], np.int64) for part, row in classes.items()}
    return labels, class_names, naming.notes


def _counts_by_class(folder: Path, class_names: Sequence[str], validation_images: int) -> dict[str, dict[str, int]]:
    """Return the number of images of each class that has some, by split; "validation" only where some were kept."""
    train, test = (np.load(folder / f"{part}_labels.npy") for part in ("train", "test"))
    learnt = len(train) - validation_images
    labels = {"train": train[:learnt], "test": test} | ({"validation": train[learnt:]} if validation_images else {})
    counts = {}
    for part, of_part in labels.items():
        of_labels = np.bincount(of_part, minlength=len(class_names))
        counts[part] = {name: count for name, count in zip(class_names, of_labels.tolist(), strict=True) if count}
    return counts


def _prepared(folder: Path) -> Preparation:
    # Read, not mapped: the kernel would count much of the file around each image as memory of this process.
    with (folder / "train_images.npy").open("rb") as file:
        np.lib.format.read_magic(file)
        (count, *shape), _, _ = np.lib.format.read_array_header_1_0(file)
        first, size = file.tell(), int(np.prod(shape))
        images = []
        for row in range(0, count, max(1, count // _JUDGED))[:_JUDGED]:
            file.seek(first + row * size)
            images.append(np.frombuffer(file.read(size), np.uint8).reshape(shape))
    return preparation_of(images)


def _title_of(path: Path) -> str:
    """Make a name of a file's name, without its endings."""
    stem = re.sub(
        r"(\.(csv|tsv|txt|zip|npz|npy|gz|tar|tgz|bz2|xz|idx\w*|ubyte|parquet|mat))+$",
        "",
        path.resolve().name,
        flags=re.IGNORECASE,
    )
    words = "".join(letter if letter.isprintable() else " " for letter in re.sub(r"[_\s]+", " ", stem))
    return words.strip()[:60] or "Images"


def _proposed(title: str) -> str:
    """Return the title, numbered if it is taken."""
    taken = set(names())
    numbered = (title, *(f"{title} {number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in numbered if name_of(candidate) not in taken)
