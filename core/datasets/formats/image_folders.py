"""Folders of images, one for each class: `cats/1.jpg`, `train/cats/1.jpg`, or `train`, `val` and `test`.

Folders around all of them do not count, nor what lies beside the splits. Below the folder of a class, images
may lie in further folders. Where images lie in no classes' folders, a table that names the class of each file
takes their place; see `core.datasets.formats.label_tables`.
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from PIL import Image

from core.datasets.choices import Choices
from core.datasets.decoding import MAX_BYTES, looks_like_image
from core.datasets.files import DAMAGE, File, Files, Skipped
from core.datasets.formats import label_tables
from core.datasets.formats.encoded_images import (
    LOOKED_AT,
    LOOKED_AT_PIXELS,
    Labelled,
    decode_images,
    find_deep_white,
    read_whole,
)
from core.datasets.formats.source import Block, Guess, Part, Source, example_images
from core.datasets.recognition.layout import Layout, find_layout
from core.datasets.recognition.unread import BEGINNING, describe

POSITION = 5  # pictures in folders come before anything that lies beside them

_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".pgm", ".ppm", ".pbm", ".pnm"),
)

_NEVER = (
    *(".csv", ".tsv", ".txt", ".json", ".xml", ".md", ".py", ".ipynb", ".yaml", ".yml", ".html", ".pdf", ".npy"),
    *(".npz", ".gz", ".mat", ".parquet", ".pkl", ".zip", ".tar", ".log"),
)
"""Endings of files that are not opened to see whether they are images."""


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the images that lie in folders of classes, or that a table gives classes.

    Raises:
        ValueError: if there are images, but nothing says their classes.
    """
    images: list[File] = []
    rest: list[File] = []
    for file in files.members:
        (images if _is_image(file) else rest).append(file)
    if not images:
        return None
    layout = find_layout(
        [file.path for file in images],
        [file.size for file in images],
        choices,
        lambda one, other: read_whole(images[one]) == read_whole(images[other]),
    )
    labelled = [Labelled(images[position], part, name) for position, part, name in layout.images]
    skipped = list(layout.skipped)
    format_, notes = "Folders of images", list(layout.notes)
    if not labelled:
        by_part = {part: [images[position] for position in row] for part, row in layout.unlabelled.items()}
        found = label_tables.find_labels(rest, by_part, choices)
        if found is None:
            raise ValueError(_without_classes(files.name, images, layout, rest))
        labelled = [Labelled(file, part, label) for file, part, label in found.labels]
        skipped += found.skipped
        notes += found.notes
        rest = [file for file in rest if file not in found.tables]
        format_ = "Images with a table of labels"
    else:
        skipped += _skip_unlabelled(layout, images)
    skipped += [_skip(file) for file in rest]
    labels: dict[Part, Counter[str]] = {}
    for image in labelled:
        labels.setdefault(image.part or "train", Counter())[image.class_name] += 1
    guesses = []
    if layout.splits or choices.splits is not None:
        guesses.append(Guess("splits", choices.splits is not False, (True, False)))
    if layout.classes:
        guesses.append(Guess("classes", layout.classes, ("outer", "inner")))
    source = Source(
        format_,
        len(labelled),
        tuple(labelled),
        images={part: sum(counts.values()) for part, counts in labels.items()},
        labels=labels,
        splits={part: folders for part, folders in layout.splits.items() if part in labels},
        skipped=tuple(skipped),
        notes=tuple(notes),
        guesses=tuple(guesses),
        datasets=layout.datasets,
    )
    return _with_white(source, choices)


def read(found: Source) -> Iterator[Block | Skipped]:
    """Yield each image as it is decoded, RGB; those that cannot be decoded as left out."""
    yield from decode_images(found.parts, len(found.parts))


def preview(found: Source) -> Iterator[Block | Skipped]:
    """Yield images from all over the folders, fewer where they are large."""
    images = _from_all_over(found.parts)
    yield from decode_images(images, len(images), LOOKED_AT_PIXELS)


def _from_all_over(images: Sequence[Labelled]) -> list[Labelled]:
    """Choose images: the first of each class, then the second of each, and so on."""
    by_class: dict[str, list[Labelled]] = {}
    for image in images:
        by_class.setdefault(image.class_name, []).append(image)
    turns = sorted(
        ((position, name) for name, images in by_class.items() for position in range(min(len(images), LOOKED_AT))),
    )
    return [by_class[name][position] for position, name in turns[:LOOKED_AT]]


def _is_image(file: File) -> bool:
    """Say whether a file may be an image: by its ending, or by its content if its ending says nothing."""
    name = file.name.lower()
    if name.endswith(_SUFFIXES):
        return True
    if name.endswith(_NEVER):
        return False
    return looks_like_image(_beginning(file))


def _beginning(file: File) -> bytes:
    try:
        with file.open() as stream:
            return stream.read(BEGINNING)
    except DAMAGE:
        return b""


def _skip(file: File) -> Skipped:
    """Say of a file that is no image what it is."""
    if file.name.lower().endswith((".csv", ".tsv", ".csv.gz")):
        return Skipped(file.path, "It is a table beside the images.", "Import it on its own, if it holds images.")
    if file.name.lower().endswith(".txt"):
        return Skipped(file.path, "It is no image.", "Remove it, or save it as PNG or JPEG.")
    unread = describe(_beginning(file), file.name)
    return Skipped(file.path, f"It is no image, but {unread.what}.", unread.fix)


def _skip_unlabelled(layout: Layout, images: Sequence[File]) -> list[Skipped]:
    """Leave out the images of splits without folders of classes, beside splits that have them."""
    left = []
    for part, positions in layout.unlabelled.items():
        if len(positions) > 3:
            folder = ((part and layout.splits.get(part)) or ["."])[0]
            left.append(
                Skipped(f"{folder}/", f"Its {len(positions):,} images lie in no class's folder.",
                        "Put them into folders that are called as their classes.")
            )  # fmt: skip
        else:
            left += [
                Skipped(images[position].path, "It lies in no class's folder.",
                        "Put it into a folder that is called as its class.")
                for position in positions
            ]  # fmt: skip
    return left


def _without_classes(name: str, images: Sequence[File], layout: Layout, rest: Sequence[File]) -> str:
    """Say where the classes of images were looked for."""
    where = ", ".join(sorted(f"{folder}/" for folders in layout.splits.values() for folder in folders)) or name
    tables = [file.name for file in rest if file.name.lower().endswith((".csv", ".tsv", ".txt", ".json"))][:3]
    beside = f" {', '.join(tables)} beside them does not name these files and their classes." if tables else ""
    stems = {image.name.split(".")[0].rstrip("0123456789_- ") for image in images}
    named = ""
    if 2 <= len(stems) <= len(images) / 2 and all(stems):
        shown = ", ".join(sorted(stems)[:4])
        named = f" Their names begin with {shown}: if those are the classes, make a folder of each."
    return (
        f"{name}: expected images in a folder for each class, such as train/cats/1.jpg, received {len(images):,} in "
        f"{where} that lie in no class's folder: put them into folders called as their classes, or put a table of "
        f"file names and classes, such as labels.csv, beside them.{beside}{named}"
    )


def _with_white(source: Source, choices: Choices) -> Source:
    """Find the value of white of images with 16 bits, from some of them."""
    deep = find_deep_white((image for image in _from_all_over(source.parts) if _may_be_deep(image.file)), choices)
    if deep is None:
        return source
    return replace(
        source,
        parts=tuple(image._replace(white=deep.white) for image in source.parts),
        notes=(*source.notes, *([deep.note] if deep.note else [])),
        guesses=(*source.guesses, Guess("scale", deep.white)),
    )


def _may_be_deep(file: File) -> bool:
    return file.size <= MAX_BYTES and file.name.lower().endswith((".png", ".tif", ".tiff", ".pgm"))


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    files = {}
    for number, image in enumerate(example_images(20)):
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "PNG")
        files[f"{'cats' if number % 2 else 'dogs'}/{number}.png"] = encoded.getvalue()
    return files
