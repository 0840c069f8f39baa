"""The most memory that an import or a prediction takes, of images made to take much.

    python -m benchmarks.image_memory

Makes, in a home of its own that it removes again, of each format the largest image that is decoded and a larger
one that is refused, the largest file, and archives of little that unpacks to much. Each import is a process of its
own; each framework predicts all images in its one warm process, as on the Predict page. Prints the peak of each, in
MB, and its seconds; exit code 1 if a peak is above `MAX_PEAK`, or the archive of large PNG images takes longer than
`MAX_SECONDS`. Needs Linux, for the memory.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile

from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.datasets.decoding import MAX_BYTES
from core.engines.initialisation import initial_weights
from core.inference.answers import Unreadable
from core.inference.service import PredictionService
from core.networks.zoo import ARCHITECTURES
from core.runs import new_id
from core.system.paths import PROJECT, run_directory
from core.training import checkpoints
from tests.bad_files import tiled_tiff

MAX_PEAK = 900 * 10**6
"""Bytes."""

MAX_SECONDS = 20

_IMPORT = """
import re, sys
from pathlib import Path
from core.cli.datasets import main
try:
    main(["import", sys.argv[1], "--name", sys.argv[2]])
except SystemExit:
    pass
finally:
    # Not getrusage, which counts the process that forked this one.
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def main() -> int:
    """Measure and print, one line a figure."""
    ImageFile.MAXBLOCK = 2**26  # what Pillow may need to write a large JPEG
    met = True
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["DUET_HOME"] = str(place / "home")
        images = {name: _written(place / "images" / name, make()) for name, make in IMAGES.items()}
        for name, path in images.items():
            met &= _import(
                place, name, _archive(place / "archives" / f"{path.stem}.zip", [path.read_bytes()] * 6, name)
            )
        for name, make in ARCHIVES.items():
            met &= _import(place, name, _written(place / "archives" / name, make()))
        for framework, title in FRAMEWORK_TITLES.items():
            met &= _predict(framework, title, images)
    return 0 if met else 1


def _import(place: Path, name: str, archive: Path) -> bool:
    """Import an archive in a process of its own; print, and say whether the bounds are kept."""
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(archive), name],
        cwd=PROJECT,
        env={**os.environ, "DUET_HOME": str(place / f"home of {name}")},
        capture_output=True,
        text=True,
        check=True,
    )
    peak = int(ended.stdout.rsplit(maxsplit=1)[-1]) * 1024
    outcome = ended.stderr.strip() or ended.stdout.partition("\n")[0]
    return _show(f"import of {name}, {archive.stat().st_size / 1e3:,.0f} kB", peak, time.monotonic() - began, outcome)


def _predict(framework: Framework, title: str, images: dict[str, Path]) -> bool:
    """Predict all images by a framework's warm process; print, and say whether the bounds are kept."""
    run_id, met = new_id(), True
    _untrained(run_directory(run_id), framework)
    service = PredictionService(framework)
    try:
        service.read(run_id, IMAGES["png, grey.png"](), "warm.png")
        for name, path in images.items():
            began = time.monotonic()
            answer = service.read(run_id, path.read_bytes(), name)
            seconds = time.monotonic() - began
            outcome = answer.reason if isinstance(answer, Unreadable) else "predicted"
            met &= _show(f"{title} predicts {name}", _peak_of_child(), seconds, outcome)
    finally:
        service.close()
    return met


def _untrained(directory: Path, framework: Framework) -> None:
    """Write a network as it is before its first step, which takes as much memory as after its last."""
    shape, classes = (32, 32, 3), 10
    architecture = ARCHITECTURES["resnet-small"]
    directory.mkdir(parents=True)
    description = checkpoints.Description(
        config=RunConfig(framework=framework, architecture=architecture.name, device="cpu"),
        architecture=architecture,
        input_shape=shape,
        class_names=tuple(map(str, range(classes))),
        preparation="photo",
        fingerprint="",
    )
    checkpoints.save(directory, 1, initial_weights(architecture, shape, classes, 0), description)


def _peak_of_child() -> int:
    """Return the most memory, in bytes, that the one process that this one has started has had."""
    (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{child}/status").read_text())[1]) * 1024


def _show(what: str, peak: int, seconds: float, outcome: str) -> bool:
    kept = peak <= MAX_PEAK and ("40 large" not in what or seconds <= MAX_SECONDS)
    print(f"{what:<60}{peak / 1e6:6.0f} MB {seconds:6.1f} s  {'kept' if kept else 'MISSED'}  {outcome}", flush=True)
    return kept


def _blank(mode: str, side: int, file_format: str, **options: object) -> Callable[[], bytes]:
    """Return what makes a square image without anything on it."""
    return lambda: _encoded(Image.new(mode, (side, side)), file_format, **options)


def _noise(file_format: str, **options: object) -> Callable[[], bytes]:
    """Return what makes an image whose file is nearly as large as one may be."""

    def make() -> bytes:
        side = int((MAX_BYTES * 0.97 / 3) ** 0.5)
        pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        return _encoded(Image.fromarray(pixels), file_format, **options)

    return make


def _turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return _encoded(Image.new("RGB", (7350, 7300)), "PNG", exif=exif)


def _encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


IMAGES: dict[str, Callable[[], bytes]] = {
    "png, grey.png": _blank("L", 8000, "PNG"),
    "png, black and white.png": _blank("1", 8000, "PNG"),
    "png, 16 bits.png": _blank("I;16", 8000, "PNG"),
    "png, palette.png": _blank("P", 8000, "PNG"),
    "png, colour.png": _blank("RGB", 7350, "PNG"),
    "png, transparent.png": _blank("RGBA", 7350, "PNG"),
    "png, turned.png": _turned,
    "png, noise.png": _noise("PNG", compress_level=1),
    "png, too large.png": _blank("1", 10_000, "PNG"),
    "jpeg, plain.jpg": _blank("RGB", 8000, "JPEG"),
    "jpeg, cmyk.jpg": _blank("CMYK", 8000, "JPEG"),
    "jpeg, noise.jpg": _noise("JPEG", quality=100, subsampling=0),
    "jpeg, progressive.jpg": _blank("RGB", 8000, "JPEG", progressive=True),
    "jpeg, progressive without subsampling.jpg": _blank("RGB", 5850, "JPEG", progressive=True, subsampling=0),
    "jpeg, progressive and too large.jpg": _blank("RGB", 8000, "JPEG", progressive=True, subsampling=0),
    "webp, lossy.webp": _blank("RGB", 3650, "WEBP"),
    "webp, lossless.webp": _blank("RGBA", 3650, "WEBP", lossless=True),
    "webp, noise.webp": lambda: _encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (3150, 3150, 3), dtype=np.uint8)), "WEBP", quality=100
    ),
    "webp, too large.webp": _blank("RGB", 8000, "WEBP"),
    "tiff, uncompressed.tif": _noise("TIFF"),
    "tiff, deflated.tif": _blank("RGB", 5100, "TIFF", compression="tiff_adobe_deflate"),
    "tiff, one strip.tif": _blank("RGB", 5000, "TIFF", compression="tiff_lzw", strip_size=2**31 - 1),
    "tiff, one huge tile.tif": lambda: tiled_tiff(64, 20_000),
    "tiff, one large tile.tif": lambda: tiled_tiff(64, 7_000),
    "gif.gif": _blank("P", 8000, "GIF"),
    "bmp.bmp": _noise("BMP"),
    "pgm, 16 bits.pgm": lambda: b"P5 4800 4800 65535\n" + bytes(2 * 4800 * 4800),
}
"""Of each format the largest that is decoded, and those that are refused; by the name of the file."""


def _archive_of(entries: Iterator[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def _archive(path: Path, images: list[bytes], name: str) -> Path:
    return _written(path, _archive_of((f"{number % 2}/{number} {name}", data) for number, data in enumerate(images)))


def _large_png_images() -> bytes:
    data = _blank("RGBA", 7600, "PNG")()
    return _archive_of((f"{number % 2}/{number}.png", data) for number in range(40))


def _zeros() -> bytes:
    """Make a zip of one table of arrays that unpacks to a little less than a zip may without a second look."""
    images, labels = io.BytesIO(), io.BytesIO()
    np.save(images, np.zeros((900_000, 32, 32), np.uint8))
    np.save(labels, np.arange(900_000) % 10)
    return _archive_of(iter([("x_train.npy", images.getvalue()), ("y_train.npy", labels.getvalue())]))


def _table() -> bytes:
    row = "0," * 784 + "{}\n"
    rows = "".join(row.format(number % 10) for number in range(500))
    return _archive_of(iter([("table.csv", (rows * 1000).encode())]))


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "40 large PNG images.zip": _large_png_images,
    "arrays of zeros.npz": _zeros,
    "table of zeros.zip": _table,
}
"""Archives of little that unpacks to much; by the name of the file."""


def _written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
