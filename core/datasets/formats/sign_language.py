"""Sign Language MNIST: Kaggle's tables of 28×28 grey hands, one class for each letter that needs no motion.

Labels are the letters' places in the alphabet, 0 to 24 without 9: J and Z are drawn in the air. They
become 24 classes, A to Y. A table is taken for one of these if it has Kaggle's header and either
"sign" in its name or all 24 labels near its beginning.
"""

from collections.abc import Iterator
from dataclasses import replace

from core.datasets.files import Files
from core.datasets.formats import pixel_csv
from core.datasets.formats.source import Block, Source, example_images

POSITION = 10  # its tables are tables of pixels, too

LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"

_LETTER_OF = {str(ord(letter) - ord("A")): letter for letter in LETTERS}
_COLUMNS = ("label", *(f"pixel{number}" for number in range(1, 785)))
_LOOKED_AT = 2000


def detect(files: Files) -> Source | None:
    """Return the tables of signs, if all tables among the files are such."""
    found = pixel_csv.detect(files)
    if found is None or not all(_is_of_signs(table) for table in found.parts):
        return None
    return replace(
        found,
        format="Sign Language MNIST",
        class_names=tuple(LETTERS),
        title="Sign Language MNIST",
        source="Sign Language MNIST (tecperson, Kaggle)",
        licence="CC0, public domain",
    )


def read(found: Source) -> Iterator[Block]:
    """Yield the images of all tables, their classes named by letters."""
    return pixel_csv.read(found, _name_class)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each table."""
    return pixel_csv.preview(found, _name_class)


def _is_of_signs(table: pixel_csv.Table) -> bool:
    if table.columns != _COLUMNS:
        return False
    return "sign" in table.file.name.lower() or pixel_csv.labels_at_the_beginning(table, _LOOKED_AT) == set(_LETTER_OF)


def _name_class(value: str) -> str:
    try:
        return _LETTER_OF[value]
    except KeyError:
        raise ValueError("a letter's place from 0 to 24 without 9") from None


def example() -> dict[str, bytes]:
    """Return a small source of this format: two images a letter."""
    labels = list(_LETTER_OF) * 2
    rows = example_images(len(labels), side=28).reshape(len(labels), -1)
    lines = [",".join((label, *map(str, row.tolist()))) for label, row in zip(labels, rows, strict=True)]
    return {"sign_mnist_train.csv": "\n".join([",".join(_COLUMNS), *lines, ""]).encode()}
