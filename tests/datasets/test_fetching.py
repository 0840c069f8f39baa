"""Fetching from the catalogue, in a process of its own as always: by hand, offline, damaged."""

import bz2
import gzip
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from core import datasets
from core.datasets.catalogue import CATALOGUE
from core.system.paths import PROJECT
from tests.datasets import sources

# Each class of torchvision gets the checksums of the test's files, and mirrors that nobody serves.
PROGRAM = """
import json, sys
from core.datasets import fetching
checksums = json.loads(sys.argv[1])
nowhere = "http://127.0.0.1:9/"
datasets = fetching.torchvision_datasets
for loader in (datasets.FashionMNIST, datasets.KMNIST):
    loader.mirrors = [nowhere]
    loader.resources = [(name, checksums.get(name, checksum)) for name, checksum in loader.resources]
datasets.EMNIST.url = nowhere + "gzip.zip"
datasets.EMNIST.md5 = checksums.get("gzip.zip", datasets.EMNIST.md5)
datasets.QMNIST.resources = {
    part: [
        (nowhere + url.rpartition("/")[2], checksums.get(url.rpartition("/")[2], checksum)) for url, checksum in files
    ]
    for part, files in datasets.QMNIST.resources.items()
}
datasets.USPS.split_list = {
    part: [nowhere + name, name, checksums.get(name, checksum)]
    for part, (_, name, checksum) in datasets.USPS.split_list.items()
}
for name in sys.argv[2:]:
    try:
        report = fetching.fetch(name)
        print(json.dumps([report.name, report.images, report.shape]))
    except ValueError as error:
        print(json.dumps(str(error)))
"""

IMAGES = {"train": sources.pixels(60, 28, 28), "test": sources.pixels(30, 28, 28)}


def labels(count: int, classes: int, first: int = 0) -> np.ndarray:
    return (np.arange(count) % classes + first).astype(np.uint8)


def of_mnist(classes: int, first: int = 0, *, prefix: str = "", test: str = "t10k") -> dict[str, bytes]:
    files = {}
    for part, name in (("train", "train"), ("test", test)):
        files[f"{prefix}{name}-images-idx3-ubyte.gz"] = gzip.compress(sources.idx(IMAGES[part]))
        files[f"{prefix}{name}-labels-idx1-ubyte.gz"] = gzip.compress(
            sources.idx(labels(len(IMAGES[part]), classes, first))
        )
    return files


def of_emnist(tmp_path) -> dict[str, bytes]:
    files = of_mnist(47, prefix="emnist-balanced-", test="test") | of_mnist(
        26, first=1, prefix="emnist-letters-", test="test"
    )
    path = sources.zipped(tmp_path / "gzip.zip", {f"gzip/{name}": data for name, data in files.items()})
    return {"gzip.zip": path.read_bytes()}


def of_qmnist() -> dict[str, bytes]:
    files = {}
    for part in ("train", "test"):
        digits = np.zeros((len(IMAGES[part]), 8), ">i4")
        digits[:, 0] = labels(len(digits), 10)
        header = b"\0\0\x0c\2" + np.array(digits.shape, ">u4").tobytes()
        files[f"qmnist-{part}-images-idx3-ubyte.gz"] = gzip.compress(sources.idx(IMAGES[part]))
        files[f"qmnist-{part}-labels-idx2-int.gz"] = gzip.compress(header + digits.tobytes())
    return files


def of_usps() -> dict[str, bytes]:
    def lines(count: int) -> bytes:
        return "\n".join(
            " ".join([str(number % 10 + 1), *(f"{place}:{-1 + number % 3}" for place in range(1, 257))])
            for number in range(count)
        ).encode()

    return {"usps.bz2": bz2.compress(lines(60)), "usps.t.bz2": bz2.compress(lines(30))}


def fetch(home, files: dict[str, bytes], *asked: str) -> list:
    checksums = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(checksums), *asked],
        cwd=PROJECT,
        env={**os.environ, "DUET_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith(("[", '"'))]


def test_files_put_there_by_hand_are_used(tmp_path, duet_home):
    by_hand = {
        "fashion-mnist": of_mnist(10),
        "emnist-balanced": (emnist := of_emnist(tmp_path)),
        "emnist-letters": emnist,
        "qmnist": of_qmnist(),
        "usps": of_usps(),
    }
    for name, files in by_hand.items():
        sources.written(duet_home / "downloads" / name, files)
    answers = fetch(duet_home, {name: data for files in by_hand.values() for name, data in files.items()}, *by_hand)

    for name, answer in zip(by_hand, answers, strict=True):
        side = 16 if name == "usps" else 28
        assert answer == [name, {"train": 60, "test": 30}, [side, side, 1]]
        dataset = datasets.load(name)
        assert dataset.specification == CATALOGUE[name].specification
        classes = len(dataset.class_names)
        np.testing.assert_array_equal(dataset.train.labels, np.arange(60) % classes)
    np.testing.assert_array_equal(datasets.load("fashion-mnist").test.images[..., 0], IMAGES["test"])
    np.testing.assert_array_equal(datasets.load("qmnist").train.images[..., 0], IMAGES["train"])
    np.testing.assert_array_equal(datasets.load("emnist-letters").train.images[..., 0], IMAGES["train"].swapaxes(1, 2))
    assert set(np.unique(datasets.load("usps").train.images)) == {0, 127, 255}
    assert len(datasets.load("emnist-balanced").class_names) == 47


@pytest.mark.slow
def test_offline_it_says_so_and_where_the_files_go(duet_home):
    files = of_mnist(10)
    name = "train-images-idx3-ubyte.gz"
    sources.written(duet_home / "downloads" / "kmnist", files | {name: b"damaged"})
    answers = fetch(duet_home, files, "kmnist", "usps", "emnist", "mnist")

    names = (
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"
    )
    assert answers == [
        f"KMNIST could not be downloaded; is there a connection? Otherwise put {names} into "
        f"{duet_home}/downloads/kmnist and fetch it again.",
        "USPS could not be downloaded; is there a connection? Otherwise put usps.bz2, usps.t.bz2 into "
        f"{duet_home}/downloads/usps and fetch it again.",
        f"Data set to fetch: expected one of {', '.join(CATALOGUE)}, received 'emnist'.",
        f"Data set to fetch: expected one of {', '.join(CATALOGUE)}, received 'mnist'.",
    ]
    assert datasets.names() == ["mnist"]
    assert not list((duet_home / "datasets").glob(".staging-*"))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_says_where_it_comes_from(name):
    entry = CATALOGUE[name]

    assert entry.specification.name == name
    assert len(set(entry.specification.class_names)) == len(entry.specification.class_names) >= 10
    assert entry.specification.source
    assert entry.specification.licence
    assert entry.megabytes > 0
