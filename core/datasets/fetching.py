"""Fetching a data set of the catalogue through torchvision, which knows where it is and its checksums.

    report = fetch("fashion-mnist")

This module alone of the data sets' imports a framework, so it is only imported by a process that
ends afterwards: `python -m core datasets fetch NAME`. Files that lie in `data_dir()/downloads/NAME` are
used instead of downloading them, if their checksums are right.
"""

import importlib.util
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.datasets import names, storage
from core.datasets.catalogue import CATALOGUE, Entry
from core.datasets.importing import Report, report_as_json
from core.system.files import write_json
from core.system.paths import data_dir
from core.system.text import quoted


def _declare_missing_operators() -> None:
    """Let torchvision be imported beside a torch for which its C++ operators were not built.

    Its data sets need none of them, but its import fails on two that are not even declared.
    """
    specification = importlib.util.find_spec("torchvision")
    assert specification is not None, "it is one of the requirements"
    assert specification.origin is not None
    package = Path(specification.origin).parent
    try:
        for library in package.glob("_C*.so"):
            torch.ops.load_library(str(library))
    except OSError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


_declare_missing_operators()

from torchvision import datasets as torchvision_datasets  # noqa: E402, needs the operators
from torchvision.datasets.utils import check_integrity  # noqa: E402


def fetch(name: str, on_progress: Callable[[float, str], None] = lambda _share, _sentence: None) -> Report:
    """Download a data set of the catalogue, or take the files that were put there by hand.

    Args:
        name: one of `CATALOGUE`.
        on_progress: is told how much is there, 0 to 1, and that in a sentence.

    Raises:
        ValueError: if the catalogue lacks it, it is there already, or it can neither be downloaded nor found.
    """
    if name not in CATALOGUE:
        raise ValueError(f"Data set to fetch: expected one of {', '.join(CATALOGUE)}, received {quoted(name)}.")
    entry = CATALOGUE[name]
    if name in names():
        raise ValueError(f"{entry.specification.title} is here already.")
    began = time.monotonic()
    storage.sweep()
    loader = getattr(torchvision_datasets, entry.loader)
    by_hand = data_dir() / "downloads" / name
    with storage.staging() as folder:
        root = folder / "download"
        # torchvision looks for its archives there, and downloads those that are missing.
        raw = root if entry.loader == "USPS" else root / entry.loader / "raw"
        raw.mkdir(parents=True)
        archives = _archives(loader)
        for archive, checksum in archives.items():
            if check_integrity(by_hand / archive, checksum):
                shutil.copyfile(by_hand / archive, raw / archive)
        try:
            with _watched(root, entry.megabytes, on_progress):
                splits = {
                    part: loader(str(root), train=part == "train", download=True, **entry.options)
                    for part in ("train", "test")
                }
        except (OSError, RuntimeError) as error:
            by_hand.mkdir(parents=True, exist_ok=True)
            raise ValueError(
                f"{entry.specification.title} could not be downloaded; is there a connection? Otherwise put "
                f"{', '.join(archives)} into {by_hand} and fetch it again."
            ) from error
        on_progress(1.0, "Checking what was downloaded.")
        counts = {}
        for part, split in splits.items():
            images, labels = _arrays(split, entry)
            counts[part] = len(labels)
            for kind, array in (("images", images), ("labels", labels)):
                with storage.GrowingArray(folder / f"{part}_{kind}.npy", array.shape[1:], array.dtype) as file:
                    file.append(array)
        shutil.rmtree(root)
        report = Report(
            name=name,
            title=entry.specification.title,
            format="Catalogue",
            images=counts,
            shape=images.shape[1:],
            class_names=entry.specification.class_names,
            preparation=entry.specification.preparation,
            fingerprint=storage.complete(folder, entry.specification),
            sizes={f"{images.shape[1]}×{images.shape[2]}": sum(counts.values())},
            skipped=(),
            notes=(),
            seconds=round(time.monotonic() - began, 3),
        )
        write_json(folder / "report.json", report_as_json(report))
        storage.publish(folder, name)
    return report


def _archives(loader: Any) -> dict[str, str]:
    """Return the files that a class of torchvision downloads for both splits, with their MD5 checksums."""
    match loader.__name__:
        case "EMNIST":
            found = [(loader.url, loader.md5)]
        case "QMNIST":
            found = [*loader.resources["train"], *loader.resources["test"]]
        case "USPS":
            found = [(name, checksum) for _, name, checksum in loader.split_list.values()]
        case _:
            found = loader.resources
    return {url.rpartition("/")[2]: checksum for url, checksum in found}


def _arrays(split, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's images and labels: uint8 `(N, H, W, 1)`, int64 `(N,)`."""
    images = np.asarray(split.data, np.uint8)[..., np.newaxis]
    if entry.loader == "EMNIST":
        images = images.swapaxes(1, 2)  # its files hold them lying on their side
    labels = np.asarray(split.targets, np.int64)
    if entry.loader == "QMNIST":
        labels = labels[:, 0]  # the others say who wrote the digit
    return images, labels - entry.first_label


@contextmanager
def _watched(folder: Path, megabytes: int, on_progress: Callable[[float, str], None]) -> Iterator[None]:
    """Report how much lies in a folder while the block fills it; torchvision does not tell."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".gz", ".zip", ".bz2"))
            on_progress(min(0.99, size / 1e6 / megabytes), f"{size / 1e6:,.0f} of about {megabytes:,} MB downloaded.")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
