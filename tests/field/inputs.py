"""The inputs, made small: folders of drawn images, tables as different programs write them, arrays, archives."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import scipy.io

from core.datasets import mnist
from core.datasets.formats.idx import read_idx
from tests.datasets import sources

Make = Callable[[Path], Path]
"""Writes an input at a place and returns its path."""


def images(**counts: int) -> dict[str, bytes]:
    """Return so many different images by folder, of which `__` in a keyword parts the names: `train__cats=3`."""
    return pictures({name.replace("__", "/"): count for name, count in counts.items()})


def pictures(counts: Mapping[str, int], ending: str = "png", shape: tuple[int, ...] = (16, 16, 3)) -> dict[str, bytes]:
    """Return so many different images by folder."""
    generator = np.random.default_rng(len(counts))
    return {
        f"{folder}/{number:02}.{ending}": sources.encoded(
            generator.integers(0, 256, shape, dtype=np.uint8), {"png": "PNG", "jpg": "JPEG"}.get(ending, "PPM")
        )
        for folder, count in counts.items()
        for number in range(count)
    }


def folder(*parts: Mapping[str, bytes | str]) -> Make:
    """Return what writes files into a folder called data."""
    return lambda place: sources.written(place / "data", {name: data for part in parts for name, data in part.items()})


def file(name: str, content: bytes | str) -> Make:
    return lambda place: sources.written(place, {name: content}) / name


def zipped(name: str, files: Mapping[str, bytes | str]) -> Make:
    return lambda place: sources.zipped(place / name, dict(files))


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def zip_in_code(names: Mapping[str, int], encoding: str) -> Make:
    """Return what writes a zip whose folders are named in a code that is not UTF-8, and not marked."""

    def make(place: Path) -> Path:
        held = {f"{number}" * 3: name for number, name in enumerate(names)}
        data = zip_bytes(pictures({stand_in: names[name] for stand_in, name in held.items()}))
        for stand_in, name in held.items():
            raw = name.encode(encoding)
            assert len(raw) == len(stand_in), "a stand-in is as long as the name in its place"
            data = data.replace(stand_in.encode() + b"/", raw + b"/")
        (place / "names.zip").write_bytes(data)
        return place / "names.zip"

    return make


def tar_gz(name: str, files: Mapping[str, bytes]) -> Make:
    def make(place: Path) -> Path:
        with tarfile.open(place / name, "w:gz") as archive:
            for path, data in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return place / name

    return make


def parquet(files: Mapping[str, bytes], names: list[str]) -> bytes:
    """Return a table of images by folder as Hugging Face's library writes it, with the names of classes in order."""
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    columns = {
        "image": [{"bytes": data, "path": path} for path, data in files.items()],
        "label": [names.index(path.partition("/")[0]) for path in files],
    }
    content = io.BytesIO()
    schema = {"huggingface": json.dumps({"info": {"features": features}})}
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata(schema), content)
    return content.getvalue()


def svhn_mat(labels: list[int]) -> bytes:
    """Return a MATLAB file of SVHN's form with an image for each label."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, len(labels)), dtype=np.uint8)
    content = io.BytesIO()
    scipy.io.savemat(content, {"X": pixels, "y": np.array(labels, np.uint8)[:, np.newaxis]}, do_compression=True)
    return content.getvalue()


def npz(name: str = "a.npz", **arrays: np.ndarray) -> Make:
    def make(place: Path) -> Path:
        np.savez(place / name, **arrays)
        return place / name

    return make


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def idx_of(array: np.ndarray, kind: int = 8) -> bytes:
    """Return an IDX file of numbers of the type that the format calls `kind`."""
    stored = array.astype({8: ">u1", 12: ">i4", 13: ">f4"}[kind])
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + stored.tobytes()


GREY = np.random.default_rng(3).integers(0, 256, (12, 4, 4), dtype=np.uint8)
"""Images of tables; each value from 0 to 255 may occur."""

HEADER = ["label", *(f"pixel{number}" for number in range(16))]


def table(
    labels: list[str], *, header: list[str] | None = HEADER, separator: str = ",", cell: Callable[[int], str] = str
) -> str:
    """Return a table of 4×4 pixels, an image for each label."""
    rows = [separator.join(header)] if header else []
    rows += [
        separator.join([label, *map(cell, image.ravel().tolist())])
        for label, image in zip(labels, np.resize(GREY, (len(labels), 4, 4)), strict=True)
    ]
    return "\n".join(rows) + "\n"


def columns_of(text: str, order: Callable[[list[str]], list[str]]) -> str:
    """Return a table with other columns: each row as `order` gives it."""
    return "\n".join(",".join(order(line.split(","))) for line in text.strip().split("\n")) + "\n"


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many of MNIST's test images, uint8 `(N, 28, 28)`, and their labels."""
    images = read_idx(mnist.BUNDLED / "t10k-images-idx3-ubyte.gz", 3)
    labels = read_idx(mnist.BUNDLED / "t10k-labels-idx1-ubyte.gz", 1)
    return images[:count], labels[:count]


def digits_csv(images: np.ndarray, labels: np.ndarray) -> str:
    return "\n".join(",".join(map(str, [label, *image.ravel()])) for image, label in zip(images, labels, strict=True))


def idx_twice(place: Path) -> Path:
    folder = sources.idx_folder(place, packed=False)
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder


def linked(place: Path) -> Path:
    folder = sources.written(place / "data", images(cats=5, fish=5))
    (folder / "dogs").symlink_to(sources.written(place / "store", images(dogs=5)) / "dogs")
    return folder
