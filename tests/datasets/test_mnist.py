"""MNIST as it is bundled, and how a data set is unpacked and shared."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from core import datasets
from core.datasets import mnist
from core.system.paths import PROJECT

BUNDLED = PROJECT / "core" / "datasets" / "bundled" / "mnist"

MD5 = {
    "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
}
"""Of the uncompressed files."""


@pytest.fixture
def dataset():
    return datasets.load("mnist")


@pytest.mark.parametrize("name", MD5)
def test_bundled_file_is_the_original(name):
    assert hashlib.md5(gzip.decompress((BUNDLED / name).read_bytes())).hexdigest() == MD5[name]


def test_notice_names_the_authors_the_licence_and_every_file():
    notice = (BUNDLED / "NOTICE.md").read_text()

    assert "copyright Yann LeCun and Corinna Cortes" in notice
    assert "CC BY-SA 3.0" in notice
    assert dict(re.findall(r"`(\S+\.gz)`.*`([0-9a-f]{32})`", notice)) == MD5


def test_shapes_and_types(dataset):
    assert dataset.train.images.shape == (60_000, 28, 28, 1)
    assert dataset.test.images.shape == (10_000, 28, 28, 1)
    assert dataset.image_shape == (28, 28, 1)
    assert dataset.class_names == tuple("0123456789")
    for split, count in ((dataset.train, 60_000), (dataset.test, 10_000)):
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int64
        assert split.labels.shape == (count,)
        assert (split.images.min(), split.images.max()) == (0, 255)


def test_classes_are_as_often_as_published(dataset):
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

    assert np.bincount(dataset.train.labels).tolist() == train
    assert np.bincount(dataset.test.labels).tolist() == test


def test_images_and_labels_belong_together(dataset):
    assert dataset.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    ones = dataset.train.images[dataset.train.labels == 1].mean()
    zeros = dataset.train.images[dataset.train.labels == 0].mean()
    assert ones < zeros / 2  # a one takes the least ink, a zero the most


def test_digits_are_centred_in_a_box_of_20_pixels(dataset):
    first = dataset.train.images[0, :, :, 0]
    rows, columns = np.nonzero(first)

    assert np.ptp(rows) < 20
    assert np.ptp(columns) < 20


def test_arrays_are_read_only_maps_of_files(dataset):
    for split in (dataset.train, dataset.test):
        assert isinstance(split.images, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            split.images[0] = 0


def test_loaded_twice_is_opened_once(dataset):
    assert datasets.load("mnist") is dataset


def test_fingerprint_is_that_of_the_arrays(dataset, duet_home):
    shutil.rmtree(duet_home / "datasets")

    assert datasets.load("mnist").fingerprint == dataset.fingerprint
    assert re.fullmatch(r"[0-9a-f]{64}", dataset.fingerprint)


def test_fingerprint_follows_every_array(duet_home, monkeypatch):
    small = (
        np.zeros((4, 28, 28, 1), np.uint8),
        np.arange(4),
        np.zeros((2, 28, 28, 1), np.uint8),
        np.arange(2),
    )
    fingerprints = set()
    for changed in (None, 0, 1, 2, 3):
        arrays = [array + (position == changed) for position, array in enumerate(small)]
        monkeypatch.setattr(mnist, "read", lambda arrays=arrays: tuple(arrays))
        monkeypatch.setenv("DUET_HOME", str(duet_home / f"changed-{changed}"))
        fingerprints.add(datasets.load("mnist").fingerprint)

    assert len(fingerprints) == 5


def test_unpacking_that_was_cut_off_is_begun_anew(duet_home):
    directory = duet_home / "datasets" / "mnist"
    (directory / "manifest.json").unlink()
    (directory / "train_labels.npy").unlink()
    staging = directory.with_name(".staging-4194305-1000-0123abcd")  # of a process that no system has
    staging.mkdir()
    (staging / "train_images.npy").write_bytes(b"half")

    assert datasets.load("mnist").train.labels.shape == (60_000,)
    assert not staging.exists()


def test_manifest_is_readable(dataset, duet_home):
    manifest = json.loads((duet_home / "datasets" / "mnist" / "manifest.json").read_text())

    assert manifest["name"] == "mnist"
    assert manifest["fingerprint"] == dataset.fingerprint


def test_processes_that_unpack_at_once_see_it_whole(duet_home, dataset):
    shutil.rmtree(duet_home / "datasets")
    program = "from core.datasets import load; d = load('mnist'); print(d.fingerprint, int(d.test.labels.sum()))"

    together = [
        subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=60)[0] for process in together}

    assert answers == {f"{dataset.fingerprint} {dataset.test.labels.sum()}\n"}


@pytest.mark.parametrize("ask", [datasets.load, datasets.get_specification])
def test_unknown_name_is_refused_with_those_there_are(ask):
    sentence = f"Data set (--dataset): expected one of {', '.join(datasets.names())}, received 'minst'."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        ask("minst")


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_says_where_it_comes_from(name):
    specification = datasets.get_specification(name)

    assert specification.name == name
    assert specification.title
    assert specification.source
    assert specification.licence
