"""How fast data come in: loads of MNIST, and imports with the memory that they take.

    python -m benchmarks.datasets

Works in a home of its own, which it removes again. Loads are timed inside of fresh processes, from
the call to the arrays, so neither Python's start nor imports count. Needs Linux, for the memory.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from core.system.paths import PROJECT

PHOTOGRAPHS = 200 * 10**6
"""Bytes of the zip of photographs."""

BOUNDS = {"first load of MNIST": 0.6, "later load of MNIST": 0.03, "memory of an import": 1e9}
"""Seconds, seconds and bytes."""

_LOAD = """
import time
from core.datasets import load
began = time.perf_counter(), time.process_time()
dataset = load("mnist")
dataset.train.images[::1000].sum()
print(time.perf_counter() - began[0], time.process_time() - began[1])
"""

_IMPORT = """
import re, sys, time
from pathlib import Path
from core.datasets.importing import import_dataset
began = time.perf_counter()
report = import_dataset(Path(sys.argv[1]), name=sys.argv[2])
seconds = time.perf_counter() - began
# Not getrusage, which counts the process that forked this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
print(sum(report.images.values()), seconds, peak)
"""


def main() -> None:
    """Measure and print, one line a figure."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(f"load of this machine: {os.getloadavg()[0]:.1f} processes on {os.cpu_count()} cores")
        first, computing = min(_run(place / f"home-{number}", _LOAD) for number in range(3))
        _show("first load of MNIST", first, BOUNDS["first load of MNIST"])
        print(f"  of that the processor  {computing * 1000:9.1f} ms")
        later, _ = min(_run(place / "home-0", _LOAD) for _ in range(3))
        _show("later load of MNIST", later, BOUNDS["later load of MNIST"])
        sources = {
            "zip of photographs": _photographs(place / "photographs.zip"),
            "zip of small PNG images": _small_images(place / "small.zip"),
            "CSV of pixels": _table(place / "table.csv"),
            "folder of IDX files": PROJECT / "core" / "datasets" / "bundled" / "mnist",
        }
        for title, path in sources.items():
            # A home of its own each, as the same images would not be imported twice.
            images, seconds, peak = _run(place / path.stem, _IMPORT, str(path), title)
            size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))
            print(
                f"{title:<26}{size / 1e6:8.0f} MB {images:10,.0f} images {seconds:8.2f} s "
                f"{size / 1e6 / seconds:8.1f} MB/s {images / seconds:10,.0f} images/s"
            )
            _show("memory of an import", peak, BOUNDS["memory of an import"])


def _run(home: Path, program: str, *arguments: str) -> list[float]:
    """Run a program in a fresh process and return the numbers it prints."""
    output = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT,
        env={**os.environ, "DUET_HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [float(number) for number in re.findall(r"\S+", output)]


def _show(title: str, value: float, bound: float) -> None:
    shown = (
        f"{value / 1e6:8.0f} MB (bound {bound / 1e6:.0f})"
        if bound > 1e6
        else f"{value * 1000:8.1f} ms (bound {bound * 1000:.0f})"
    )
    print(f"{title:<26}{shown} {'kept' if value <= bound else 'MISSED'}")


def _photographs(path: Path) -> Path:
    """Write a zip of photographs of four sizes in three folders: smooth noise, saved as cameras do."""
    generator = np.random.default_rng(0)
    kinds = []
    for width, height in ((4000, 3000), (3000, 4000), (1600, 1200), (1024, 768)):
        noise = Image.fromarray(generator.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8))
        picture = noise.resize((width, height), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
        kinds.append(_encoded(picture, "JPEG", quality=90))
    with zipfile.ZipFile(path, "w") as archive:
        written = number = 0
        while written < PHOTOGRAPHS:
            # Bytes after the end of a JPEG do not count, but make each file another one.
            data = kinds[number % len(kinds)] + str(number).encode()
            archive.writestr(f"{'abc'[number % 3]}/{number}.jpg", data)
            written += len(data)
            number += 1
    return path


def _small_images(path: Path) -> Path:
    generator = np.random.default_rng(1)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            image = Image.fromarray(generator.integers(0, 256, (28, 28), dtype=np.uint8))
            archive.writestr(f"{number % 10}/{number}.png", _encoded(image, "PNG"))
    return path


def _table(path: Path) -> Path:
    """Write a table as large as Sign Language MNIST's training part."""
    generator = np.random.default_rng(2)
    with path.open("w") as file:
        file.write("label," + ",".join(f"pixel{number}" for number in range(1, 785)) + "\n")
        for number in range(27_455):
            pixels = ",".join(map(str, generator.integers(0, 256, 784).tolist()))
            file.write(f"{number % 24},{pixels}\n")
    return path


def _encoded(image: Image.Image, file_format: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


if __name__ == "__main__":
    main()
