"""Sign Language MNIST: Kaggle's tables of 28×28 grey hands, one class for each letter that needs no motion.

Labels are the letters' places in the alphabet, 0 to 24 without 9: J and Z are drawn in the air. They
become 24 classes, A to Y. A table is taken for one of these if it has Kaggle's header, no other labels, and either
"sign" and "mnist" or "language" in its name or all 24 labels.
"""

from collections.abc import Iterator
from dataclasses import replace

from core.datasets.choices import Choices
from core.datasets.files import Files
from core.datasets.formats import pixel_csv
from core.datasets.formats.source import Block, Source, example_images
from core.datasets.recognition.words import words_of

POSITION = 10  # its tables are tables of pixels, too

LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"

_LETTER_OF = {str(ord(letter) - ord("A")): letter for letter in LETTERS}
_COLUMNS = ("label", *(f"pixel{number}" for number in range(1, 785)))


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the tables of signs, if all tables among the files are such."""
    found = pixel_csv.detect(files, choices)
    if found is None or found.labels is None:
        return None
    if any(table.columns.names != _COLUMNS or table.columns.label != 0 for table in found.parts):
        return None
    written = {label for labels in found.labels.values() for label in labels}
    if not {_place(label) for label in written} <= _LETTER_OF.keys():
        return None
    if not all(_is_named_so(table) for table in found.parts) and len(written) < len(LETTERS):
        return None
    return replace(
        found,
        format="Sign Language MNIST",
        labels={
            part: {_LETTER_OF[_place(label)]: count for label, count in labels.items()}
            for part, labels in found.labels.items()
        },
        class_names=tuple(LETTERS),
        title="Sign Language MNIST",
        source="Sign Language MNIST (tecperson, Kaggle)",
        licence="CC0, public domain",
    )


def read(found: Source) -> Iterator[Block]:
    """Yield the images of all tables, their classes named by letters."""
    for block in pixel_csv.read(found):
        yield _named(block)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each table."""
    for block in pixel_csv.preview(found):
        yield _named(block)


def _is_named_so(table: pixel_csv.Table) -> bool:
    words = set(words_of(table.file.name))
    return "sign" in words and bool(words & {"mnist", "language"})


def _named(block: Block) -> Block:
    return block._replace(classes=[_LETTER_OF[_place(label)] for label in block.classes])


def _place(label: str) -> str:
    """Return a whole number without its decimals."""
    return label.partition(".")[0] if label.partition(".")[2].strip("0") == "" else label


def example() -> dict[str, bytes]:
    """Return a small source of this format: two images a letter."""
    labels = list(_LETTER_OF) * 2
    rows = example_images(len(labels), side=28).reshape(len(labels), -1)
    lines = [",".join((label, *map(str, row.tolist()))) for label, row in zip(labels, rows, strict=True)]
    return {"sign_mnist_train.csv": "\n".join([",".join(_COLUMNS), *lines, ""]).encode()}
