"""Tiny sources to import, made of real files: tables, arrays, images in folders and in zips."""

import gzip
import io
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIGN_LABELS = [label for label in range(25) if label != 9]


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def pixels(count: int, *shape: int) -> np.ndarray:
    """Return random images, uint8 `(count, *shape)`."""
    return rng().integers(0, 256, (count, *shape), dtype=np.uint8)


def csv(labels: list, images: np.ndarray, *, header: str | None = None, separator: str = ",") -> str:
    """Return a table as Kaggle writes it, one image a row; with an empty `header` it has none."""
    rows = images.reshape(len(images), -1)
    names = [f"pixel{number}" for number in range(1, rows.shape[1] + 1)]
    header = separator.join(["label", *names]) if header is None else header
    lines = [header] if header else []
    lines += [separator.join(map(str, [label, *row])) for label, row in zip(labels, rows.tolist(), strict=True)]
    return "\n".join(lines) + "\n"


def sign_csv(each: int = 2) -> str:
    """Return a table of signs with `each` images of every letter."""
    labels = SIGN_LABELS * each
    return csv(labels, pixels(len(labels), 28, 28))


def refused(sentence: str):
    """Expect a `ValueError` that says just this."""
    return pytest.raises(ValueError, match=f"^{re.escape(sentence)}$")


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def idx_folder(folder: Path, *, packed: bool, train: int = 20, test: int = 10) -> Path:
    """Write the four files of a data set with MNIST's names."""
    for part, count in (("train", train), ("t10k", test)):
        for kind, array in (
            ("images-idx3", pixels(count, 9, 10)),
            ("labels-idx1", (np.arange(count) % 3).astype(np.uint8)),
        ):
            name, data = f"{part}-{kind}-ubyte", idx(array)
            (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
    return folder


def encoded(image: np.ndarray, file_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, file_format)
    return file.getvalue()


def photographs(*folders: str, each: int = 5) -> dict[str, bytes]:
    """Return colour photographs of mixed sizes, `each` in every folder, by path."""
    generator = rng()
    return {
        f"{folder}/{number}.{file_format.lower()}": encoded(
            generator.integers(0, 256, (*generator.integers(20, 60, 2), 3), dtype=np.uint8), file_format
        )
        for folder in folders
        for number, file_format in zip(range(each), ["JPEG", "PNG", "WEBP", "BMP", "GIF"] * each, strict=False)
    }


def zipped(path: Path, files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def written(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder
