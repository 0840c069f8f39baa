"""Parquet tables of images: Hugging Face's layout and its likes, and the sentence for what is not read."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from core import datasets
from core.datasets.choices import Choices
from core.datasets.importing import import_dataset, inspect
from tests.datasets import sources

NAMES = ["zebra", "ape"]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IMAGES = sources.pixels(12, 9, 10, 3)


def table(
    labels: list,
    images: np.ndarray = IMAGES,
    *,
    kind: pa.DataType = STRUCT,
    names: dict[str, list[str]] | None = None,
    group: int = 4,
    **more: list,
) -> bytes:
    """Return a table of images and labels; `names` are those of the classes in each column of `ClassLabel`s."""
    encoded = [sources.encoded(image) for image in images[: len(labels)]]
    cells = [{"bytes": data, "path": "1.png"} for data in encoded] if pa.types.is_struct(kind) else encoded
    columns = {"image": pa.array(cells, kind), "label": pa.array(labels)}
    made = pa.table(columns | {name: pa.array(values) for name, values in more.items()})
    if names:
        features = {name: {"_type": "ClassLabel", "names": row} for name, row in names.items()}
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    content = io.BytesIO()
    parquet.write_table(made, content, row_group_size=group)
    return content.getvalue()


def images_by_class(name: str) -> dict[str, set[bytes]]:
    dataset = datasets.load(name)
    return {
        class_name: {
            image.tobytes()
            for split in (dataset.train, dataset.test)
            for image in split.images[split.labels == label]
        }
        for label, class_name in enumerate(dataset.class_names)
    }  # fmt: skip


def test_shards_and_splits_as_hugging_face_writes_them(tmp_path):
    names = {"label": NAMES}
    files = {
        "README.md": "---\nlicense: mit\n---\n",
        "data/train-00000-of-00002.parquet": table([0, 1, 1], IMAGES, names=names),
        "data/train-00001-of-00002.parquet": table([1, 0, 0], IMAGES[3:], names=names),
        "data/validation-00000-of-00001.parquet": table([0, 1], IMAGES[6:], names=names),
        "data/test-00000-of-00001.parquet": table([1, 0, -1], IMAGES[8:], names=names),
    }
    path = sources.written(tmp_path / "beasts", files)
    plan = inspect(path)
    report = import_dataset(path)

    assert plan.format == "Parquet tables of images"
    assert plan.images == {"train": 6, "validation": 2, "test": 2}
    assert plan.class_names == report.class_names == ("zebra", "ape")
    assert "data/test-00000-of-00001.parquet: 1 rows have no label and are left out." in plan.notes
    assert [entry.file for entry in plan.skipped] == ["README.md"]
    assert report.images == {"train": 8, "test": 2}
    zebras = {IMAGES[row].tobytes() for row in (0, 4, 5, 6, 9)}
    assert images_by_class(report.name)["zebra"] == zebras


@pytest.mark.parametrize(
    ("kind", "labels", "names", "classes"),
    [
        (pa.binary(), [1, 0] * 6, None, ("0", "1")),
        (pa.large_binary(), ["b", "a"] * 6, None, ("a", "b")),
        (STRUCT, [True, False] * 6, None, ("False", "True")),
        (STRUCT, pa.array(["b", "a"] * 6).dictionary_encode(), None, ("a", "b")),
        (STRUCT, [1, 0] * 6, {"label": NAMES}, ("zebra", "ape")),
        (STRUCT, [1, 0] * 6, {"label": ["10", "9"]}, ("10", "9")),
    ],
    ids=["bytes", "large bytes and texts", "truth values", "dictionary", "named", "named by numbers"],
)
def test_types_of_columns(kind, labels, names, classes, tmp_path):
    (tmp_path / "a.parquet").write_bytes(table(labels, kind=kind, names=names))
    report = import_dataset(tmp_path / "a.parquet")

    assert report.class_names == classes
    by_class = images_by_class(report.name)
    assert set().union(*by_class.values()) == {image.tobytes() for image in IMAGES}
    first = str(labels[0]) if names is None else names["label"][labels[0]]
    assert IMAGES[0].tobytes() in by_class[first]


def test_the_column_of_labels_can_be_chosen(tmp_path):
    coarse = ["x", "y", "z"] * 4
    content = table(list(range(12)), names={"label": [f"c{number}" for number in range(12)]}, coarse=coarse)
    (tmp_path / "a.parquet").write_bytes(content)

    (guess,) = (guess for guess in inspect(tmp_path / "a.parquet").guesses if guess.name == "label_column")
    assert (guess.value, guess.options) == ("label", ("label", "coarse"))
    for chosen in ("coarse", "3", "last"):
        assert inspect(tmp_path / "a.parquet", Choices(label_column=chosen)).class_names == ("x", "y", "z")


def test_a_preview_shows_all_classes_of_a_table_in_their_order(tmp_path):
    labels = [number // 100 for number in range(600)]
    (tmp_path / "a.parquet").write_bytes(table(labels, sources.pixels(600, 8, 8), group=50))

    assert {sample.class_name for sample in inspect(tmp_path / "a.parquet").samples} == set("012345")


def test_configurations_are_offered_apart(tmp_path):
    files = {f"{name}/train/0000.parquet": table([0, 1] * 6) for name in ("cropped", "full")}
    files["full/test/0000.parquet"] = table([0, 1])
    path = sources.written(tmp_path / "d", files)

    assert inspect(path).datasets == ("cropped", "full")
    assert inspect(path, Choices(dataset="full")).images == {"train": 12, "test": 2}
    with pytest.raises(ValueError, match=r"^d: expected one data set, received several: cropped, full\. Choose one"):
        import_dataset(path)


def test_what_is_left_out_is_told(tmp_path):
    files = {
        "train-00000-of-00003.parquet": table([0, 1] * 6),
        "test-00000-of-00001.parquet": table([-1, -1], names={"label": NAMES}),
        "unsupervised-00000-of-00001.parquet": table([0, 0]),
    }
    plan = inspect(sources.written(tmp_path / "d", files))

    assert "train: only 1 of its 3 files are here, so images are missing." in plan.notes
    assert {entry.file: entry.reason for entry in plan.skipped} == {
        "test-00000-of-00001.parquet": "None of its rows has a label.",
        "unsupervised-00000-of-00001.parquet": "It is no training, validation or test split.",
    }


def test_a_damaged_image_is_left_out_by_its_row(tmp_path):
    cells = [{"bytes": sources.encoded(image), "path": None} for image in IMAGES]
    cells[7]["bytes"] = cells[7]["bytes"][:60]
    parquet.write_table(pa.table({"image": cells, "label": [0, 1] * 6}), tmp_path / "a.parquet")
    report = import_dataset(tmp_path / "a.parquet")

    assert sum(report.images.values()) == 11
    assert [entry.file for entry in report.skipped] == ["a.parquet, row 8"]


def test_images_of_12_bits_are_stretched(tmp_path):
    deep = sources.rng().integers(0, 4096, (12, 8, 8), dtype=np.uint16)
    (tmp_path / "a.parquet").write_bytes(table([0, 1] * 6, deep))

    assert any("with 4095 as white" in note for note in inspect(tmp_path / "a.parquet").notes)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (table([0, 1] * 6)[:400], "a.parquet: expected a whole Parquet table, but it is damaged ("),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a.parquet: expected a Parquet table, received a pointer of Git LFS instead of the file. Fetch the file "
            "itself with: git lfs pull.",
        ),
        (
            table([0.5, 1.5] * 6),
            "a.parquet: It has no column of labels, but image, label. Choose the column of classes (--label-column).",
        ),
        (
            table([0, 1, 2] * 4, names={"label": NAMES}),
            "a.parquet: expected labels from 0 to 1 in label, as the schema names so many classes, received 2.",
        ),
        (table([-1] * 12, names={"label": NAMES}), "a.parquet: expected a label for each image, but no row has one"),
    ],
    ids=["cut", "pointer", "no labels", "beyond the names", "unlabelled"],
)
def test_what_is_not_read_has_its_sentence(content, sentence, tmp_path):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the sentence is compared below)
        import_dataset(tmp_path / "a.parquet")
    assert str(error.value).startswith(sentence)


def test_paths_instead_of_images_are_refused(tmp_path):
    cells = pa.array([{"bytes": None, "path": f"{number}.png"} for number in range(12)], STRUCT)
    parquet.write_table(pa.table({"image": cells, "label": [0, 1] * 6}), tmp_path / "a.parquet")

    with sources.refused(
        "a.parquet: expected the bytes of each image in the table, received only paths of files: save it with the "
        "images embedded, or import the folder of the files."
    ):
        inspect(tmp_path / "a.parquet")


def test_a_table_of_numbers_is_refused(tmp_path):
    parquet.write_table(pa.table({"pixels": [[1, 2]], "label": [0]}), tmp_path / "a.parquet")

    with sources.refused(
        "a.parquet: It has no column of images, but pixels, label. Save the images as a struct of bytes and path, or "
        "as bytes."
    ):
        inspect(tmp_path / "a.parquet")


def test_one_image_in_very_many_rows_takes_no_memory(tmp_path):
    """A dictionary's page holds an image once, however many rows name it."""
    image = sources.encoded(sources.pixels(1, 300, 300, 3)[0])
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array([image], pa.binary()))
    columns = pa.table({"image": cells, "label": [0, 1] * 2000})
    parquet.write_table(columns, tmp_path / "a.parquet", store_schema=False)
    before = pa.default_memory_pool().max_memory()

    assert inspect(tmp_path / "a.parquet").images == {"train": 4000}
    assert pa.default_memory_pool().max_memory() < before + 50e6, "all rows would take 1.1 GB"
