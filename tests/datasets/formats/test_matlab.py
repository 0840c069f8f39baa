"""MATLAB files of SVHN's and EMNIST's form, and the sentence for what is not read."""

import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from core import datasets
from core.datasets.choices import Choices
from core.datasets.importing import import_dataset, inspect
from tests.datasets import sources
from tests.field.inputs import digits


def mat(**variables) -> bytes:
    content = io.BytesIO()
    savemat(content, variables, do_compression=True)
    return content.getvalue()


def svhn(labels: list[int], images: np.ndarray) -> bytes:
    """Return a file with `X` as `(32, 32, 3, N)` and `y` as `(N, 1)`, as SVHN has them."""
    return mat(X=images.transpose(1, 2, 3, 0), y=np.array(labels, np.uint8)[:, np.newaxis])


def emnist(images: np.ndarray, labels: np.ndarray, mapping: list[list[int]]) -> bytes:
    """Return a file of EMNIST's form, whose images lie on their side; the last five are the test's."""
    rows = images.transpose(0, 2, 1).reshape(len(images), -1)
    labels = labels[:, np.newaxis]
    splits = {
        part: {"images": rows[chosen], "labels": labels[chosen], "writers": labels[chosen]}
        for part, chosen in (("train", slice(None, -5)), ("test", slice(-5, None)))
    }
    return mat(dataset=splits | {"mapping": np.array(mapping)})


def test_svhn_comes_in_with_10_as_0_and_without_its_extra_images(tmp_path):
    images = sources.pixels(18, 32, 32, 3)
    files = {
        "train_32x32.mat": svhn([10, 1, 2] * 4, images[:12]),
        "test_32x32.mat": svhn([1, 10, 2], images[12:15]),
        "extra_32x32.mat": svhn([1, 10, 2], images[15:]),
    }
    path = sources.written(tmp_path / "svhn", files)
    plan = inspect(path)
    report = import_dataset(path)
    dataset = datasets.load(report.name)

    assert plan.format == "MATLAB arrays of images"
    assert plan.images == report.images == {"train": 12, "test": 3}
    assert plan.class_names == dataset.class_names == ("0", "1", "2")
    assert "The label 10 stands for the digit 0, as in SVHN." in plan.notes
    assert [entry.file for entry in plan.skipped] == ["extra_32x32.mat"]
    assert (dataset.train.images == images[:12]).all()
    assert dataset.train.labels.tolist() == [0, 1, 2] * 4
    assert dataset.test.labels.tolist() == [1, 0, 2]


def test_10_stays_10_in_images_that_are_not_of_svhn(tmp_path):
    (tmp_path / "a.mat").write_bytes(svhn([9, 10] * 6, sources.pixels(12, 16, 16, 3)))

    assert inspect(tmp_path / "a.mat").class_names == ("9", "10")


def test_emnist_comes_in_upright_with_its_letters(tmp_path):
    images, labels = digits(60)
    mapping = [[number, ord(str(number))] for number in range(10)]
    (tmp_path / "emnist-digits.mat").write_bytes(emnist(images, labels, mapping))
    plan = inspect(tmp_path / "emnist-digits.mat")
    dataset = datasets.load(import_dataset(tmp_path / "emnist-digits.mat").name)

    assert plan.images == {"train": 55, "test": 5}
    assert any("lie on their side" in note for note in plan.notes)
    assert next(guess.value for guess in plan.guesses if guess.name == "orientation") == "transposed"
    assert (dataset.train.images[..., 0] == images[:55]).all()
    assert (dataset.test.images[..., 0] == images[55:]).all()
    assert [dataset.class_names[label] for label in dataset.test.labels] == [str(label) for label in labels[55:]]


def test_labels_of_letters_are_named_by_the_mapping(tmp_path):
    labels = np.array([1, 2] * 10)
    content = emnist(sources.pixels(20, 28, 28), labels, [[1, 65, 97], [2, 66, 98]])
    path = sources.written(tmp_path / "matlab", {"emnist-letters.mat": content, "emnist-other.mat": content})

    plan = inspect(path)
    assert plan.class_names == ("A", "B")
    assert plan.datasets == ("emnist-letters.mat", "emnist-other.mat")
    assert inspect(path, Choices(dataset="emnist-other.mat")).images == {"train": 15, "test": 5}
    with pytest.raises(ValueError, match=r"^matlab: expected one data set, received several: emnist-letters\.mat"):
        import_dataset(path)


def huge() -> bytes:
    """Return a file with an array that announces 3 GB."""
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    inner = (
        struct.pack("<2I", 14, 3 * 10**9)
        + struct.pack("<4I", 6, 8, 9, 0)
        + struct.pack("<2I4i", 5, 16, 32, 32, 3, 976562)
    )
    both = b""
    for name in (b"X", b"y"):
        packed = zlib.compress(inner + struct.pack("<2H", 1, 1) + name.ljust(4, b"\0") + bytes(64))
        both += struct.pack("<2I", 15, len(packed)) + packed
    return header + both


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF",
            "a.mat: expected a MATLAB file up to version 7.2, received one of version 7.3, which is HDF5: save it in "
            "MATLAB with save(…, '-v7'), or the arrays with numpy.savez.",
        ),
        (b"<!DOCTYPE html>", "a.mat: expected a MATLAB file of version 5 to 7.2, received a web page, not data."),
        (svhn([1, 2] * 6, sources.pixels(12, 32, 32, 3))[:900], "a.mat: expected a whole MATLAB file, but it is"),
        (mat(faces=np.eye(3)), "a.mat: It has no arrays X and y of images and labels, but faces. Rename them so,"),
        (mat(X=np.zeros((8, 8, 4, 2)), y=np.zeros(2)), "a.mat: expected X of the shape (H, W, 1 or 3, N), received"),
        (
            mat(X=np.zeros((8, 8, 3, 4)), y=np.zeros(3)),
            "a.mat: expected a label for each of the 4 images, received 3.",
        ),
        (mat(X=np.zeros((8, 8, 3, 2)), y=np.array([0.5, 1])), "a.mat: expected whole numbers as labels, received"),
        (mat(X=np.zeros((8, 8, 3, 2)), y=np.array([{}, []], object)), "a.mat: expected whole numbers as labels"),
        (mat(dataset={"train": {"x": 1}}), "a.mat: expected the struct dataset with train and test, each of images"),
        (huge(), "a.mat: expected at most 1,024 MiB of arrays, as MATLAB files are read whole, received 5,722 MiB"),
    ],
    ids=["7.3", "web page", "cut", "names", "channels", "counts", "fractions", "cells", "struct", "bomb"],
)
def test_what_is_not_read_has_its_sentence(content, sentence, tmp_path):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the sentence is compared below)
        inspect(tmp_path / "a.mat")
    assert str(error.value).startswith(sentence)
