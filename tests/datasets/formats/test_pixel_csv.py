"""Tables of pixels: what is understood, and the sentence for each way in which a table can be wrong."""

import gzip
import re
import time
import tracemalloc

import numpy as np
import pytest

from core import datasets
from core.datasets.importing import import_dataset, inspect
from tests.datasets import sources

LABELS = [0, 1, 2, 0, 1, 2]
IMAGES = sources.pixels(6, 8, 8)
TABLE = sources.csv(LABELS, IMAGES)
HEADER, *ROWS = TABLE.splitlines()


def table(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def with_row(number: int, row: str) -> str:
    """Return the table with another row, the header being row 1."""
    rows = [HEADER, *ROWS]
    rows[number - 1] = row
    return "\n".join(rows) + "\n"


def with_cell(number: int, column: int, cell: str) -> str:
    cells = ROWS[number - 2].split(",")
    cells[column] = cell
    return with_row(number, ",".join(cells))


def label_last(content: str) -> str:
    return "\n".join(re.sub(r"^([^,]*),(.*)$", r"\2,\1", line) for line in content.splitlines())


def label_between(content: str) -> str:
    return "\n".join(re.sub(r"^([^,]*),([^,]*),(.*)$", r"\2,\1,\3", line) for line in content.splitlines())


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.replace("\n", "\r\n"),
        TABLE + "\n\n",
        TABLE.rstrip(),
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace("label", "Class"),
        re.sub(r"(?m)^(\d+),", r'"\1",', TABLE),
        re.sub(r"(?m),(\d+)$", r",\1.0", TABLE),
        re.sub(r"(?m)^(\d+),", r"\1.0,", TABLE),
        "\n".join(ROWS),
        label_last(TABLE),
        label_between(TABLE),
        gzip.compress(TABLE.encode()),
        TABLE.encode("utf-16"),
        TABLE.encode("utf-16-le"),
        TABLE.replace("\n", "\r"),
        "sep=;\n" + TABLE.replace(",", ";"),
        "# digits of mine\n" + TABLE,
        "# " + TABLE,
        TABLE.replace(",", " "),
        re.sub(r"(\d+)", r'"\1"', TABLE),
        re.sub(r"(?m)$", ",", TABLE.strip()),
        "\n".join(f"{number},{line}" for number, line in enumerate(TABLE.splitlines())).replace("0,label", ",label"),
    ],
    ids=[
        "as Kaggle writes it",
        "byte order mark",
        "Windows' line ends",
        "empty lines at the end",
        "no line end",
        "semicolons",
        "tabs",
        "another name for the label",
        "quotes",
        "decimals",
        "labels with decimals",
        "no header",
        "label last",
        "label between",
        "gzipped",
        "UTF-16",
        "UTF-16 without a mark",
        "an old Mac's line ends",
        "Excel's line of the separator",
        "a comment",
        "a header behind a sign of a comment",
        "spaces",
        "all quoted",
        "an empty last column",
        "numbered rows",
    ],
)
def test_ways_to_write_the_same_table(content, tmp_path):
    dataset = datasets.load(import_dataset(table(tmp_path, content, "t.csv")).name)

    assert dataset.class_names == ("0", "1", "2")
    both = np.concatenate([dataset.train.images, dataset.test.images])
    assert {image.tobytes() for image in both} == {image.tobytes() for image in IMAGES}


def test_a_size_in_the_file_name_or_the_last_column_decides(tmp_path):
    images = sources.pixels(6, 8, 12)
    named = table(tmp_path, sources.csv(LABELS, images), "letters-8x12.csv")
    assert inspect(named).size == (8, 12)

    columns = ["label", *(f"{row}x{column}" for row in range(1, 9) for column in range(1, 13))]
    plain = table(tmp_path, sources.csv(LABELS, images, header=",".join(columns)))
    assert inspect(plain).size == (8, 12)


def test_classes_may_be_words_and_numbers_are_in_their_order(tmp_path):
    words = table(tmp_path, sources.csv(["dog", "cat"] * 3, IMAGES), "words.csv")
    assert import_dataset(words).class_names == ("cat", "dog")

    numbers = table(tmp_path, sources.csv([10, 9, 100] * 2, IMAGES), "numbers.csv")
    assert import_dataset(numbers).class_names == ("9", "10", "100")


def test_a_table_without_labels_beside_one_with_them_is_left_out(tmp_path):
    table(tmp_path, TABLE, "train.csv")
    table(tmp_path, label_last(TABLE).replace("label", "pixel65"), "test.csv")

    assert [tuple(entry) for entry in import_dataset(tmp_path).skipped] == [
        ("test.csv", "It has no label column.", "Add the classes as a column called label.")
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (with_row(4, ROWS[2] + ",7"), "row 4: expected 65 values, received 66."),
        (with_row(4, ROWS[2].rpartition(",")[0]), "row 4: expected 65 values, received 64."),
        (with_row(3, "hello"), "row 3: expected 65 values, received 1."),
        (
            with_cell(5, 3, "abc"),
            "row 5, column pixel3: expected a whole number from 0 to 255, received 'abc'.",
        ),
        (with_cell(5, 3, ""), "row 5, column pixel3: expected a whole number from 0 to 255, received ''."),
        (with_cell(2, 1, "NaN"), "row 2, column pixel1: expected a whole number from 0 to 255, received 'NaN'."),
        (with_cell(2, 1, "inf"), "row 2, column pixel1: expected a whole number from 0 to 255, received 'inf'."),
        (with_cell(7, 64, "256"), "row 7, column pixel64: expected a whole number from 0 to 255, received '256'."),
        (with_cell(7, 64, "-1"), "row 7, column pixel64: expected a whole number from 0 to 255, received '-1'."),
        (with_cell(7, 64, "0.5"), "row 7, column pixel64: expected a whole number from 0 to 255, received '0.5'."),
        (
            with_cell(3, 2, "1\0"),
            "row 3, column pixel2: expected a whole number from 0 to 255, received '1\\x00'.",
        ),
        (with_cell(3, 0, ""), "row 3, column label: expected a class, received an empty text."),
        (
            with_cell(3, 0, "a\0b"),
            "row 3, column label: expected text, received 'a\\x00b' with a control character, U+0000: rename "
            "the class.",
        ),
        (
            with_row(3, "9" * 100_000),
            "row 3: expected 65 values of at most 32 characters, received a longer line.",
        ),
    ],
    ids=[
        "too many",
        "too few",
        "not a row",
        "no number",
        "empty",
        "NaN",
        "infinite",
        "too large",
        "negative",
        "a fraction",
        "NUL",
        "no class",
        "class NUL",
        "huge line",
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(content, sentence, tmp_path):
    separated = "t.csv, " + sentence
    with sources.refused(separated):
        import_dataset(table(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (HEADER + "\n", "t.csv: expected a row for each image, received none."),
        (
            gzip.compress(TABLE.encode())[:-20],
            "t.csv: expected a whole file, but it is damaged "
            "(Compressed file ended before the end-of-stream marker was reached).",
        ),
        (
            sources.csv(LABELS, sources.pixels(6, 7, 11)),
            "t.csv: expected H·W or H·W·3 values for an image, received 77, which make no square: keep only the label "
            "and the pixels, or put the size into the file's name, such as images-20x30.csv.",
        ),
        (
            "label," + ",".join(f"pixel{number}" for number in range(300 * 300)) + "\n",
            "t.csv: expected images of at most 256 pixels a side, received 300.",
        ),
    ],
    ids=["no rows", "gzip cut short", "no square", "large images"],
)
def test_a_wrong_table_has_its_sentence(content, sentence, tmp_path):
    with sources.refused(sentence):
        import_dataset(table(tmp_path, content))


def test_a_file_without_line_ends_takes_bounded_memory(tmp_path):
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(HEADER.encode() + b"\n")
        for _ in range(100):
            file.write(b"1," * 500_000)
    began = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"row 2: expected 65 values .*, received a longer line\.$"):
            import_dataset(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000  # bytes; the file unpacks to 100 MB
    assert time.monotonic() - began < 10


class TestSigns:
    def test_a_table_is_known_by_its_labels(self, tmp_path):
        assert inspect(table(tmp_path, sources.sign_csv(), "hands.csv")).format == "Sign Language MNIST"

    def test_a_table_is_known_by_its_name_though_letters_lack(self, tmp_path):
        some = sources.csv([0, 24, 10] * 2, sources.pixels(6, 28, 28))
        report = import_dataset(table(tmp_path, some, "sign_mnist_train.csv"))

        assert report.class_names == tuple("ABCDEFGHIKLMNOPQRSTUVWXY")
        labels = np.concatenate(
            [split.labels for split in (datasets.load(report.name).train, datasets.load(report.name).test)]
        )
        assert sorted(labels.tolist()) == [0, 0, 9, 9, 23, 23]  # A, K, Y

    def test_digits_of_the_same_shape_are_none(self, tmp_path):
        digits = sources.csv(list(range(10)), sources.pixels(10, 28, 28))
        assert inspect(table(tmp_path, digits, "fashion-mnist_test.csv")).format == "CSV of pixels"

    @pytest.mark.parametrize("label", [9, 25, -1, "A"])
    def test_a_table_with_a_label_that_is_no_letter_is_none(self, label, tmp_path):
        content = sources.csv([0, 1, label] * 2, sources.pixels(6, 28, 28))
        plan = inspect(table(tmp_path, content, "sign_mnist.csv"))

        assert plan.format == "CSV of pixels"
        assert set(plan.class_names) == {"0", "1", str(label)}

    @pytest.mark.parametrize("name", ["assignment.csv", "traffic_signs.csv", "sign.csv"])
    def test_a_part_of_a_word_decides_nothing(self, name, tmp_path):
        some = sources.csv([0, 24, 10] * 2, sources.pixels(6, 28, 28))

        assert inspect(table(tmp_path, some, name)).class_names == ("0", "10", "24")
