"""Imports from every kind of source: what is recognised, what becomes of it, and what stays behind."""

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.datasets import importing, storage
from core.datasets.choices import Choices
from core.datasets.importing import import_dataset, inspect, report_of
from core.system.paths import PROJECT
from tests.datasets import sources
from tests.datasets.test_grouping import alike, variations
from tests.sample_data import noise

SIGNS = PROJECT.parent / "shared" / "data" / "sign_mnist" / "sign_mnist_test.csv.gz"


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


THREE = [0, 1, 2] * 4

SOURCES = {
    "sign table": lambda place: sources.written(place, {"sign_mnist_train.csv": sources.sign_csv()}),
    "sign tables in a zip": lambda place: sources.zipped(
        place / "archive.zip",
        {
            "sign_mnist_train.csv": sources.sign_csv(3),
            "sign_mnist_train/sign_mnist_train.csv": sources.sign_csv(3),
            "sign_mnist_test.csv": sources.sign_csv(1),
            "american_sign_language.PNG": sources.encoded(sources.pixels(1, 30, 30, 3)[0]),
        },
    ),
    "sign table, gzipped": lambda place: sources.written(
        place, {"anything.csv.gz": gzip.compress(sources.sign_csv().encode())}
    ),
    "signs, each table zipped": lambda place: (
        sources.zipped(
            sources.zipped(place / "sign_mnist_train.csv.zip", {"sign_mnist_train.csv": sources.sign_csv(3)}).with_name(
                "sign_mnist_test.csv.zip"
            ),
            {"sign_mnist_test.csv": sources.sign_csv(1)},
        ).parent
    ),
    "table": lambda place: sources.written(place, {"digits.csv": sources.csv(THREE, sources.pixels(12, 8, 8))}),
    "colour table": lambda place: sources.written(place, {"c.csv": sources.csv(THREE, sources.pixels(12, 9, 9, 3))}),
    "tables of train and test": lambda place: sources.written(
        place,
        {
            "mnist_train.csv": sources.csv(THREE, sources.pixels(12, 8, 8), header=""),
            "mnist_test.csv": sources.csv([1, 2], sources.pixels(2, 8, 8), header=""),
        },
    ),
    "npz of Keras": lambda place: (
        sources.written(
            place,
            {
                "data.npz": npz(
                    x_train=sources.pixels(12, 28, 28),
                    y_train=np.array(THREE),
                    x_test=sources.pixels(3, 28, 28),
                    y_test=np.array([0, 1, 2]),
                )
            },
        )
        / "data.npz"
    ),
    "npz of images and labels": lambda place: sources.written(
        place, {"data.npz": npz(images=sources.pixels(12, 3, 16, 16), labels=np.array(["cat", "dog", "emu"] * 4))}
    ),
    "IDX files": lambda place: sources.idx_folder(place, packed=False),
    "IDX files, gzipped": lambda place: sources.idx_folder(place, packed=True),
    "folders in a zip": lambda place: sources.zipped(place / "pets.zip", sources.photographs("cat", "dog")),
    "folders": lambda place: sources.written(place, sources.photographs("pets/cat", "pets/dog")),
    "folders of train and test": lambda place: sources.written(
        place, sources.photographs("train/cat", "train/dog", "test/cat", "test/dog")
    ),
    "folders of train, val and test": lambda place: sources.zipped(
        place / "pets.zip",
        sources.photographs("p/train/cat", "p/train/dog", "p/val/cat", "p/val/dog", "p/test/cat", "p/test/dog"),
    ),
}
"""Something to import of every kind, made at a place."""

EXPECTED = {
    "sign table": ("Sign Language MNIST", (28, 28, 1), "ABCDEFGHIKLMNOPQRSTUVWXY", 38, 10),
    "sign tables in a zip": ("Sign Language MNIST", (28, 28, 1), "ABCDEFGHIKLMNOPQRSTUVWXY", 72, 24),
    "sign table, gzipped": ("Sign Language MNIST", (28, 28, 1), "ABCDEFGHIKLMNOPQRSTUVWXY", 38, 10),
    "signs, each table zipped": ("Sign Language MNIST", (28, 28, 1), "ABCDEFGHIKLMNOPQRSTUVWXY", 72, 24),
    "table": ("CSV of pixels", (8, 8, 1), "012", 10, 2),
    "colour table": ("CSV of pixels", (9, 9, 3), "012", 10, 2),
    "tables of train and test": ("CSV of pixels", (8, 8, 1), "012", 12, 2),
    "npz of Keras": ("NumPy arrays", (28, 28, 1), "012", 12, 3),
    "npz of images and labels": ("NumPy arrays", (16, 16, 3), ("cat", "dog", "emu"), 10, 2),
    "IDX files": ("IDX images and labels", (9, 10, 1), "012", 20, 10),
    "IDX files, gzipped": ("IDX images and labels", (9, 10, 1), "012", 20, 10),
    "folders in a zip": ("Folders of images", (32, 32, 3), ("cat", "dog"), 8, 2),
    "folders": ("Folders of images", (32, 32, 3), ("cat", "dog"), 8, 2),
    "folders of train and test": ("Folders of images", (32, 32, 3), ("cat", "dog"), 10, 10),
    "folders of train, val and test": ("Folders of images", (32, 32, 3), ("cat", "dog"), 20, 10),
}


def seen(home: Path) -> set[str]:
    """Return all that lies in the folder of the data sets."""
    return {path.name for path in (home / "datasets").iterdir()}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_becomes_the_one_shape(kind, tmp_path, duet_home):
    format_, shape, class_names, train, test = EXPECTED[kind]
    path = SOURCES[kind](tmp_path)

    plan = inspect(path)
    assert seen(duet_home) == {"mnist"}, "a look writes nothing"
    report = import_dataset(path)

    dataset = datasets.load(report.name)
    assert plan.format == report.format == format_
    assert plan.class_names == report.class_names == dataset.class_names == tuple(class_names)
    assert (*plan.size, importing.CHANNELS[plan.colour]) == report.shape == dataset.image_shape == shape
    assert report.images == {"train": train, "test": test}
    for split, count in ((dataset.train, train), (dataset.test, test)):
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int64
        assert split.images.shape == (count, *shape)
        assert split.labels.shape == (count,)
    assert set(dataset.train.labels) == set(range(len(class_names)))
    assert report.fingerprint == dataset.fingerprint
    assert 0 < len(plan.samples) <= 12
    assert {sample.class_name for sample in plan.samples} <= set(class_names)
    assert report_of(report.name) == report
    assert seen(duet_home) == {"mnist", report.name}


def test_images_keep_their_pixels_and_labels(tmp_path):
    images, labels = sources.pixels(30, 8, 8), [3, 5, 4] * 10
    report = import_dataset(sources.written(tmp_path, {"t.csv": sources.csv(labels, images)}) / "t.csv")

    dataset = datasets.load(report.name)
    given = {image.tobytes(): str(label) for image, label in zip(images, labels, strict=True)}
    for split in (dataset.train, dataset.test):
        for image, label in zip(split.images, split.labels, strict=True):
            assert given.pop(image.tobytes()) == dataset.class_names[label]
    assert not given


def test_the_held_out_test_split_keeps_each_class_in_proportion_and_is_always_the_same(tmp_path):
    labels = [0] * 100 + [1] * 50 + [2] * 10
    path = sources.written(tmp_path, {"t.csv": sources.csv(labels, sources.pixels(160, 8, 8))}) / "t.csv"
    first = import_dataset(path)
    dataset = datasets.load(first.name)
    np.testing.assert_allclose(np.bincount(dataset.test.labels), [20, 10, 2], atol=1)
    assert first.notes == (
        "There was no test split, so 20% of the images are held out for it, each class in proportion.",
    )

    datasets.delete(first.name, lambda _: [])
    assert import_dataset(path).fingerprint == first.fingerprint


@pytest.mark.parametrize("how", ["stratified", "grouped"])
def test_a_held_out_test_split_of_whole_groups_has_no_near_duplicate_across_it(tmp_path, how):
    """By comparing all pairs; held out image by image, most test images have one."""
    images = variations(noise(60, (10, 10, 1)), 5)
    path = sources.written(tmp_path, {"t.csv": sources.csv([0] * 150 + [1] * 150, images)}) / "t.csv"
    assert inspect(path).guesses[-1] == ("test_part", "stratified", ("stratified", "grouped"))

    report = import_dataset(path, choices=Choices(test_part=how))

    dataset = datasets.load(report.name)
    count = len(dataset.train.labels)
    across = alike(np.concatenate([dataset.train.images, dataset.test.images]))[:count, count:].any(axis=0)
    assert count + len(across) == 300
    assert abs(len(across) - 60) <= 5
    assert across.mean() > 0.9 if how == "stratified" else not across.any()
    assert set(dataset.test.labels) == set(dataset.train.labels) == {0, 1}
    assert ("in whole groups" in report.notes[0]) == (how == "grouped")
    datasets.delete(report.name, lambda _: [])
    assert import_dataset(path, choices=Choices(test_part=how)).fingerprint == report.fingerprint


def test_whole_groups_that_cannot_be_held_out_are_refused(tmp_path):
    images = variations(noise(2, (10, 10, 1)), 5)
    path = sources.written(tmp_path, {"t.csv": sources.csv([0] * 5 + [1] * 5, images)}) / "t.csv"

    with pytest.raises(ValueError, match="each class is one group: choose stratified"):
        import_dataset(path, choices=Choices(test_part="grouped"))


def test_a_choice_for_test_images_is_refused_where_these_came(tmp_path):
    tables = {f"{part}.csv": sources.csv([0, 1] * 5, sources.pixels(10, 8, 8)) for part in ("train", "test")}
    path = sources.written(tmp_path, tables)
    assert "test_part" not in [guess.name for guess in inspect(path).guesses]

    with pytest.raises(ValueError, match=r"--test-part\): expected data of one split"):
        import_dataset(path, choices=Choices(test_part="grouped"))


def splits(place: Path, **counts: int) -> tuple[Path, dict[str, np.ndarray]]:
    """Write a table of as many images of two classes for each split; return the folder and the images by split."""
    drawn = sources.pixels(sum(counts.values()), 8, 8)
    arrays = dict(zip(counts, np.split(drawn, np.cumsum(list(counts.values()))[:-1]), strict=True))
    tables = {f"{part}.csv": sources.csv([0, 1] * (len(rows) // 2), rows) for part, rows in arrays.items()}
    return sources.written(place, tables), arrays


def in_any_order(images: np.ndarray) -> list[bytes]:
    return sorted(image.tobytes() for image in images)


class TestValidationImagesThatCame:
    def test_are_kept_as_given_beside_a_test_split(self, tmp_path):
        path, arrays = splits(tmp_path, train=10, val=6, test=4)
        plan = inspect(path)
        assert "6 validation images, kept as given: runs validate on them, unless they choose otherwise." in plan.notes
        (guess,) = (guess for guess in plan.guesses if guess.name == "validation_as")
        assert (guess.value, guess.options) == ("given", ("given", "train"))

        report = import_dataset(path, name="Kept")

        dataset = datasets.load("kept")
        assert (report.images, report.validation_images) == ({"train": 16, "test": 4}, 6)
        assert dataset.specification.validation_images == 6
        assert datasets.usual_validation_part("kept") == "given"
        train, validation = datasets.split_train(dataset, share=0.1, seed=1, part="given", limit=None)
        for part, rows in (("train", train), ("val", validation)):
            np.testing.assert_array_equal(dataset.train.images[rows, :, :, 0], arrays[part])
        np.testing.assert_array_equal(dataset.test.images[..., 0], arrays["test"])

    def test_are_training_images_where_that_is_chosen(self, tmp_path):
        path, _ = splits(tmp_path, train=10, val=6, test=4)

        report = import_dataset(path, name="Poured", choices=Choices(validation_as="train"))

        assert (report.images, report.validation_images) == ({"train": 16, "test": 4}, 0)
        assert datasets.get_specification("poured").validation_images == 0
        assert datasets.usual_validation_part("poured") == "stratified"
        # The same images are other data with and without a validation split.
        assert import_dataset(path, name="Kept").fingerprint != report.fingerprint

    def test_are_the_test_images_where_none_came_and_that_is_chosen(self, tmp_path):
        path, arrays = splits(tmp_path, train=10, val=6)
        choices = Choices(validation_as="test")
        plan = inspect(path, choices)
        assert any("validation images that came with the data are the test images" in note for note in plan.notes)
        assert "test_part" not in [guess.name for guess in plan.guesses]

        assert import_dataset(path, name="Tested", choices=choices).images == {"train": 10, "test": 6}
        np.testing.assert_array_equal(datasets.load("tested").test.images[..., 0], arrays["val"])

    @pytest.mark.parametrize("held", ["stratified", "grouped"])
    def test_are_kept_and_test_images_held_out_of_the_others_where_none_came(self, tmp_path, held):
        path, arrays = splits(tmp_path, train=20, val=6)
        choices = Choices(test_part=held)
        plan = inspect(path, choices)
        assert any("can be the test images instead (--validation-as=test)" in note for note in plan.notes)
        guesses = {guess.name: guess for guess in plan.guesses}
        assert (guesses["validation_as"].value, guesses["validation_as"].options) == (
            "given",
            ("given", "test", "train"),
        )
        assert "test_part" in guesses

        report = import_dataset(path, name="Kept", choices=choices)

        dataset = datasets.load("kept")
        assert (report.images, report.validation_images) == ({"train": 22, "test": 4}, 6)
        np.testing.assert_array_equal(dataset.train.images[16:, :, :, 0], arrays["val"])
        others = np.concatenate([dataset.train.images[:16], dataset.test.images])
        assert in_any_order(others) == in_any_order(arrays["train"])

    def test_keep_their_old_sizes(self, tmp_path):
        path = sources.written(
            tmp_path,
            {
                f"{part}/{name}/{number}.png": sources.encoded(sources.pixels(1, side, side, 3)[0])
                for part, side in (("train", 20), ("val", 24), ("test", 28))
                for name in "ab"
                for number in range(3)
            },
        )

        import_dataset(path, name="Kept")

        train, test = datasets.original_sizes("kept")
        assert train[:, 0].tolist() == [20] * 6 + [24] * 6
        assert test[:, 0].tolist() == [28] * 6

    @pytest.mark.parametrize(
        ("counts", "choice", "sentence"),
        [
            ({"train": 10, "val": 6, "test": 4}, "test", "expected given or train, as test images came with the data"),
            ({"train": 10, "test": 4}, "given", "expected training images and a validation split beside them"),
            ({"train": 10}, "train", "expected training images and a validation split beside them"),
        ],
    )
    def test_choices_that_cannot_be_met_are_refused(self, tmp_path, counts, choice, sentence):
        path, _ = splits(tmp_path, **counts)

        with pytest.raises(ValueError, match=rf"^Validation images \(--validation-as\): {sentence}"):
            import_dataset(path, choices=Choices(validation_as=choice))

    def test_that_alone_have_a_class_are_told(self, tmp_path):
        tables = {"train.csv": [0, 1] * 5, "val.csv": [0, 1, 2] * 2, "test.csv": [0, 1]}
        path = sources.written(
            tmp_path,
            {name: sources.csv(labels, sources.pixels(len(labels), 8, 8)) for name, labels in tables.items()},
        )

        told = "Without training images, so that no network can learn them: 2."
        assert told in import_dataset(path).notes


def test_a_class_of_one_image_is_trained_on(tmp_path):
    path = sources.written(tmp_path, {"t.csv": sources.csv([0] * 9 + [1], sources.pixels(10, 8, 8))}) / "t.csv"

    assert 1 in datasets.load(import_dataset(path).name).train.labels


def test_a_folder_and_its_zip_are_the_same_data(tmp_path):
    files = sources.photographs("cat", "dog")
    report = import_dataset(sources.written(tmp_path / "pets", files), name="Pets")

    with sources.refused(
        "Expected new images, received those of Pets (pets): use it, or choose another size or colour."
    ):
        import_dataset(sources.zipped(tmp_path / "other.zip", files), name="Other")
    assert datasets.names() == ["mnist", "pets"]
    assert import_dataset(tmp_path / "other.zip", size=(16, 16)).fingerprint != report.fingerprint


def test_mnist_is_recognised_as_the_one_that_is_bundled():
    with pytest.raises(ValueError, match=r"received those of MNIST \(mnist\)"):
        import_dataset(PROJECT / "core" / "datasets" / "bundled" / "mnist")


def test_size_and_colour_are_those_chosen_and_the_old_sizes_are_kept(tmp_path):
    path = sources.written(tmp_path, sources.photographs("cat", "dog"))
    report = import_dataset(path, name="Small", size=(12, 20), colour="grey")

    assert datasets.load("small").image_shape == (12, 20, 1)
    sizes = np.concatenate(datasets.original_sizes("small"))
    assert sizes.shape == (10, 2)
    assert {f"{height}×{width}" for height, width in sizes} == set(report.sizes)
    assert datasets.original_sizes("mnist") is None


@pytest.mark.parametrize(
    ("sides", "colour", "proposed"),
    [
        ([(300, 400), (500, 280)], "colour", (224, 224)),
        ([(224, 224), (224, 224)], "colour", (224, 224)),
        ([(300, 400), (60, 40), (50, 40)], "colour", (32, 32)),
        ([(300, 400), (500, 280)], "grey", (32, 32)),
        ([(90, 70), (90, 70)], "colour", (90, 70)),
    ],
)
def test_a_few_photographs_are_proposed_large(tmp_path, sides, colour, proposed):
    generator = sources.rng()
    shapes = [side if colour == "grey" else (*side, 3) for side in sides]
    files = {
        f"{name}/{i}.png": sources.encoded(generator.integers(0, 256, shape, dtype=np.uint8), "PNG")
        for name in ("cat", "dog")
        for i, shape in enumerate(shapes)
    }

    plan = inspect(sources.written(tmp_path, files))

    assert plan.size == proposed
    assert plan.colour == colour


def test_a_lot_of_photographs_are_proposed_small(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "FEW_IMAGES", 3)
    pixels = sources.rng().integers(0, 256, (200, 200, 3), dtype=np.uint8)
    files = {f"{name}/{i}.png": sources.encoded(pixels, "PNG") for name in ("cat", "dog") for i in range(2)}

    assert inspect(sources.written(tmp_path, files)).size == (32, 32)


@pytest.mark.parametrize("size", [(7, 32), (32, 225), (0, 0)])
def test_sizes_beyond_the_bounds_are_refused(size, tmp_path):
    path = sources.written(tmp_path, sources.photographs("cat", "dog"))

    with pytest.raises(ValueError, match=rf"^Size: expected sides of 8 to 224 pixels, received {size[0]}×{size[1]}\.$"):
        import_dataset(path, size=size)


def test_names_are_made_of_titles_and_taken_ones_are_numbered_or_refused(tmp_path):
    first = sources.zipped(tmp_path / "My_pets.zip", sources.photographs("cat", "dog"))
    assert (import_dataset(first).title, datasets.names()[-1]) == ("My pets", "my-pets")
    assert import_dataset(first, colour="grey").name == "my-pets-2"

    with sources.refused("Name: expected one that is free, received 'MY PETS': choose another."):
        import_dataset(first, name="MY PETS", size=(8, 8))
    for bad in ("", " ", "x" * 81, "two\nlines", "\0"):
        with sources.refused(f"Name: expected 1 to 80 printable characters, received {bad[:100]!r}."):
            import_dataset(first, name=bad)
    # What people write need not have a letter that a name may have.
    assert import_dataset(first, name="猫と犬", size=(8, 8)).name == "images"


@pytest.mark.parametrize("path", ["../../etc", "a/../../b", "<script>alert(1)</script>", "x" * 80])
def test_a_name_never_leads_out_of_the_folder(path, tmp_path, duet_home):
    report = import_dataset(sources.written(tmp_path, sources.photographs("cat", "dog")), name=path)

    assert re.fullmatch(r"[a-z0-9-]+", report.name)
    assert (duet_home / "datasets" / report.name / "manifest.json").is_file()
    assert report.title == path


def test_drawings_on_black_are_ink_and_all_else_is_photo(tmp_path):
    digits = np.asarray(datasets.load("mnist").train.images[:40, ..., 0])
    for name, images, preparation in (("ink", digits, "handwriting"), ("paper", 255 - digits, "photo")):
        path = sources.written(tmp_path, {f"{name}.csv": sources.csv([0, 1] * 20, images)}) / f"{name}.csv"
        assert inspect(path).preparation == preparation
        assert datasets.get_specification(import_dataset(path).name).preparation == preparation


def test_progress_is_told_and_rises(tmp_path):
    told = []
    import_dataset(
        sources.zipped(tmp_path / "p.zip", sources.photographs("cat", "dog")),
        on_progress=lambda share, sentence: told.append((share, sentence)),
    )

    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert told[4] == (0.5, "5 images read.")


class TestRefusals:
    def test_nothing_there(self, tmp_path):
        with sources.refused(f"Expected a file or a folder, but there is none at {tmp_path / 'missing.zip'}."):
            import_dataset(tmp_path / "missing.zip")

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({"notes.txt": "Buy milk."}, "received a text (notes.txt)."),
            ({"a.py": "x", "b.pdf": "%PDF"}, "received a program (a.py), a PDF document (b.pdf)."),
            ({"table.csv": "name,age\nAda,36\n"}, "received a text (table.csv)."),
        ],
    )
    def test_something_else(self, files, reason, tmp_path):
        sentence = (
            "expected folders of images by class, tables of pixels, Parquet tables, NumPy arrays, MATLAB or IDX "
            "files, alone or in an archive, " + reason
        )
        with pytest.raises(ValueError, match=re.escape(sentence)):
            inspect(sources.written(tmp_path, files))

    def test_an_empty_folder(self, tmp_path):
        with sources.refused(f"{tmp_path.name}: expected files with images, but it is empty."):
            inspect(tmp_path)

    def test_one_class(self, tmp_path):
        with sources.refused("Expected images of at least two classes, received only 'cat'."):
            import_dataset(sources.written(tmp_path, sources.photographs("cat")))

    def test_one_image_of_each_class(self, tmp_path):
        with sources.refused("Expected a class of at least two images, received only one of each."):
            import_dataset(sources.written(tmp_path, sources.photographs("cat", "dog", each=1)))

    def test_too_many_classes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(importing, "MAX_CLASSES", 2)
        with sources.refused("Expected at most 2 classes, received 3."):
            import_dataset(sources.written(tmp_path, sources.photographs("a", "b", "c")))

    def test_too_many_images(self, tmp_path, monkeypatch):
        monkeypatch.setattr(importing, "MAX_STORED", 9 * 32 * 32 * 3)
        with sources.refused("Expected at most 9 images of this size, received more: choose a smaller size."):
            import_dataset(sources.written(tmp_path, sources.photographs("a", "b")))

    def test_images_that_cannot_be_read_at_all(self, tmp_path):
        path = sources.written(tmp_path, {"a/1.png": b"no", "b/2.png": b"neither"})
        with pytest.raises(ValueError, match=r"none of those looked at can be read: a/1\.png: Expected a PNG"):
            import_dataset(path)

    def test_a_refusal_leaves_nothing_behind(self, tmp_path, duet_home):
        table = sources.csv(THREE, sources.pixels(12, 8, 8)) + "1,2,3\n"
        with pytest.raises(ValueError, match="row 14: expected 65 values, received 3"):
            import_dataset(sources.written(tmp_path, {"t.csv": table}) / "t.csv")
        assert seen(duet_home) == {"mnist"}


def test_every_file_that_is_left_out_has_its_reason_and_its_cure(tmp_path):
    whole = sources.photographs("cat", "dog")
    large = io.BytesIO()
    Image.new("1", (9000, 9000)).save(large, "PNG")
    archive = sources.zipped(
        tmp_path / "pets.zip",
        whole
        | {
            "cat/cut.png": sources.encoded(sources.pixels(1, 40, 40, 3)[0])[:500],
            "cat/empty.jpg": b"",
            "cat/page.png": "<!DOCTYPE html>",
            "cat/bomb.png": large.getvalue(),
            "cat/notes.txt": "Good cat.",
            "lost.png": sources.encoded(sources.pixels(1, 9, 9)[0]),
            "more/inner.zip": b"PK\3\4",
            "__MACOSX/cat/._1.png": b"clutter",
            "cat/.DS_Store": b"clutter",
        },
    )
    report = import_dataset(archive)

    assert sum(report.images.values()) == len(whole)
    skipped = {entry.file: (entry.reason, entry.fix) for entry in report.skipped}
    assert skipped.keys() == {
        "cat/cut.png",
        "cat/empty.jpg",
        "cat/page.png",
        "cat/bomb.png",
        "cat/notes.txt",
        "lost.png",
        "more/inner.zip",
    }
    assert skipped["cat/empty.jpg"] == ("Expected an image, received an empty file.", "Save it anew as PNG or JPEG.")
    assert "damaged" in skipped["cat/cut.png"][0]
    assert "received a web page" in skipped["cat/page.png"][0]
    assert "at most 64 megapixels" in skipped["cat/bomb.png"][0]
    assert skipped["cat/notes.txt"] == ("It is no image.", "Remove it, or save it as PNG or JPEG.")
    assert skipped["lost.png"] == (
        "It lies in no class's folder.",
        "Put it into a folder that is called as its class.",
    )
    assert skipped["more/inner.zip"][0] == "It is an archive inside an archive."
    stored = json.loads((storage.place() / report.name / "report.json").read_text())
    assert [entry["file"] for entry in stored["skipped"]] == [entry.file for entry in report.skipped]


SLOW_IMPORT = """
import sys, time
from pathlib import Path
from core.datasets.importing import import_dataset
def show(share, sentence):
    print(sentence, flush=True)
    time.sleep(60)
import_dataset(Path(sys.argv[1]), on_progress=show)
"""


def test_a_killed_import_leaves_nothing_that_anyone_sees_and_is_swept(tmp_path, duet_home):
    path = sources.zipped(tmp_path / "pets.zip", sources.photographs("cat", "dog"))
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_IMPORT, str(path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "1 images read.\n"
    left = seen(duet_home) - {"mnist"}
    assert len(left) == 1
    assert datasets.names() == ["mnist"]

    storage.sweep()
    assert left <= seen(duet_home), "it still lives"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert datasets.names() == ["mnist"]
    import_dataset(path)
    assert seen(duet_home) == {"mnist", "pets"}


def test_only_staging_folders_are_swept(duet_home):
    ours = duet_home / "datasets" / ".staging-notes"
    ours.mkdir()
    storage.sweep()

    assert ours.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_links_and_pipes_in_a_folder_are_not_followed(tmp_path):
    folder = sources.written(tmp_path / "pets", sources.photographs("cat", "dog"))
    secret = sources.written(tmp_path / "secret", sources.photographs("hidden"))
    (folder / "cat" / "link.png").symlink_to(secret / "hidden" / "0.jpeg")
    (folder / "emu").symlink_to(secret / "hidden")
    os.mkfifo(folder / "cat" / "pipe.png")
    began = time.monotonic()
    report = import_dataset(folder)

    assert time.monotonic() - began < 10
    assert report.class_names == ("cat", "dog")
    assert {(entry.file, entry.reason) for entry in report.skipped} == {
        ("cat/link.png", "It is a link."),
        ("emu", "It is a link."),
        ("cat/pipe.png", "It is no ordinary file."),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_bounded(tmp_path):
    # 120 MB of pixels that deflate to nearly nothing, and a table of the same size as text.
    with zipfile.ZipFile(tmp_path / "large.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (
            ("images", np.zeros((13_500, 96, 96), np.uint8)),
            ("labels", np.arange(13_500) % 3),
        ):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
    program = (
        "import resource, sys; from pathlib import Path; from core.datasets.importing import import_dataset\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (used + 60_000_000,) * 2)\n"
        "import_dataset(Path(sys.argv[1]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "large.npz")],
        cwd=PROJECT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(not SIGNS.exists(), reason="the real sign images are not on this machine")
def test_the_real_signs_are_named_by_letters():
    report = import_dataset(SIGNS)

    dataset = datasets.load(report.name)
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    counts = dict(zip(dataset.class_names, np.bincount(labels).tolist(), strict=True))
    assert len(labels) == 7172
    assert (counts["R"], counts["E"]) == (144, 498)
    assert "J" not in counts
    assert "Z" not in counts
    assert dataset.specification.preparation == "photo"


@pytest.mark.parametrize("look", [inspect, import_dataset])
def test_large_images_in_hardly_any_bytes_are_refused_with_the_name_of_one(look, tmp_path):
    blank = io.BytesIO()
    Image.new("L", (8000, 8000)).save(blank, "PNG")
    path = tmp_path / "blank.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"{number % 2}/{number}.png", blank.getvalue())
    assert path.stat().st_size < 20_000
    with pytest.raises(
        ValueError,
        match=r"^\d/\d+\.png: expected images whose files are compressed by at most 250 times, received "
        r"8,000 × 8,000 pixels in 63 kB, and others like it: save them smaller\.$",
    ):
        look(path)


def test_fewer_of_large_images_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(importing.image_folders, "LOOKED_AT_PIXELS", 5 * 100 * 100)
    for number in range(40):
        path = tmp_path / "photos" / f"{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((100, 100), 50).save(path)
    plan = inspect(tmp_path / "photos")
    assert 5 < sum(plan.sizes.values()) < 20
    assert plan.images == {"train": 40}
