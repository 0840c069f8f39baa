"""Layouts and tables of random shape, made together with what is right for them.

Each is imported and must come back with exactly its images, labels and splits, or be refused by a sentence.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.datasets import sources

Content = dict[tuple[str, str], set[bytes]]
"""The images, as bytes of 8×8 pixels, of each split and class; the split is "" where none came with the data."""


@dataclass(frozen=True)
class Generated:
    """Files by their paths, and what is right: the images of each split and class."""

    files: dict[str, bytes]
    content: Content


_WORDS = st.sampled_from(
    ["cats", "dogs", "rose", "Käse", "猫", "class 1", "class 2", "class 10", "0", "1", "07", "7", "1e1", "10", "nan",
     "contest", "restrain", "blood test", "a.b", "x_1", "true", "None", "left, right", "ok?", "Ünï", "tower"]
)  # fmt: skip

_PAIRS = st.sampled_from(
    [
        *(("train", "test"), ("Train", "Test"), ("training", "testing"), ("training_set", "test_set")),
        *(("trainSet", "testSet"), ("TrainImages", "TestImages"), ("train2017", "test2017")),
        *(("seg_train", "seg_test"), ("my-data-train", "my-data-test"), ("mnisttrain", "mnisttest")),
        *(("01_train", "02_test"), ("Training Data", "Test Data")),
    ]
)

_WRAPPERS = st.sampled_from(["", "", "data/", "my pets/", "archive/data/", "dataset_v2/"])

_NOTES = st.dictionaries(
    st.sampled_from(["README.md", "labels_notes.txt", "meta.csv", ".hidden/x.png", "__MACOSX/._a.png", ".DS_Store"]),
    st.sampled_from([b"Notes.", b"a,b,c\n1,2,3\n", b"\xff\xfea\0", b""]),
    max_size=3,
)


def _images(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8), dtype=np.uint8)


@st.composite
def layouts(draw) -> Generated:
    """Return folders of classes, with splits or without, below wrappers and beside other files."""
    classes = draw(st.lists(_WORDS, min_size=2, max_size=5, unique=True))
    wrapper, doubled = draw(_WRAPPERS), draw(st.booleans())
    pair = draw(st.one_of(st.none(), _PAIRS))
    counts = [draw(st.integers(2, 4)) for _ in classes]
    images = iter(_images(draw(st.integers(0, 2**32)), 2 * sum(counts)))
    files, content = {}, {}
    for part, folder in (("", ""),) if pair is None else (("train", pair[0]), ("test", pair[1])):
        prefix = f"{folder}/{folder}/" if folder and doubled else f"{folder}/" if folder else ""
        for name, count in zip(classes, counts, strict=True):
            for number in range(count):
                image = next(images)
                files[f"{wrapper}{prefix}{name}/{number}.png"] = sources.encoded(image)
                content.setdefault((part, name), set()).add(image.tobytes())
    notes = draw(_NOTES)
    return Generated(files | {f"{wrapper}{name}": data for name, data in notes.items()}, content)


@st.composite
def tables(draw) -> Generated:
    """Return tables of pixels: other separators, headers, places of the label, extra columns, quotes and encodings."""
    classes = draw(st.lists(_WORDS, min_size=2, max_size=4, unique=True))
    has_header = draw(st.booleans())
    separator = draw(st.sampled_from([",", ";", "\t"]))
    place = draw(st.sampled_from(["first", "last"]))
    extra = draw(st.sampled_from([None, "id", "filename"])) if has_header else None
    quoted, ends = draw(st.booleans()), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    as_floats = draw(st.booleans())
    parts = draw(st.sampled_from([("",), ("train", "test")]))
    images = iter(_images(draw(st.integers(0, 2**32)), 8 * len(classes)))
    files, content = {}, {}
    for part in parts:
        rows = []
        if has_header:
            names = [f"pixel{number}" for number in range(64)]
            rows.append(_row("label", names, extra, place))
        for number in range(4 * len(classes)):
            name, image = classes[number % len(classes)], next(images)
            pixels = [f"{value}.0" if as_floats else str(value) for value in image.ravel().tolist()]
            rows.append(_row(name, pixels, extra and f"{number}.png", place))
            content.setdefault((part, name), set()).add(image.tobytes())
        lines = [separator.join(_cell(cell, separator, quoted) for cell in row) for row in rows]
        files[f"{part or 'table'}.csv"] = (ends.join(lines) + ends).encode(encoding)
    return Generated(files, content)


def _row(label: str, pixels: list[str], extra: str | None, place: str) -> list[str]:
    row = [label, *pixels] if place == "first" else [*pixels, label]
    return row if extra is None else [extra, *row]


def _cell(cell: str, separator: str, quoted: bool) -> str:
    return f'"{cell}"' if quoted or separator in cell else cell
