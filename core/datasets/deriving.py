"""A data set made of another one by decisions about its labels; the original stays as it is.

    derive(dataset, decisions, name="MNIST, corrected")         # the new one's name
    derivation_of("mnist-corrected").source                     # "mnist"

The new data set is whole: it needs the original no more. What it was made of, and each decision with who made it and
when, lies beside its manifest as `derivation.json`.
"""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.datasets import check_free_title, name_of, names, storage
from core.datasets.dataset import Dataset, Split
from core.datasets.decisions import Action, Decision, as_json
from core.datasets.recognition.counts import check_classes
from core.system.files import write_json
from core.system.text import in_words

_BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Derivation:
    """What a data set was made of.

    Attributes:
        source: the name of the data set it was made of, and `title` and `fingerprint` what these were then.
        summary: what was changed, in words.
        made_by: who made it, `made_at` when, in ISO 8601.
        check: the settings of the check that was answered, if there was one.
        decisions: each as an entry of a file; see `core.datasets.decisions`.
    """

    source: str
    title: str
    fingerprint: str
    summary: str
    made_by: str
    made_at: str
    check: dict[str, Any] | None
    decisions: tuple[dict[str, Any], ...]


def derive(
    dataset: Dataset,
    decisions: Sequence[Decision],
    *,
    name: str,
    by: str,
    check: Mapping[str, Any] | None = None,
) -> str:
    """Write a data set in which images have other labels, or are left out, as it was decided.

    Args:
        name: what people read; the data set's own name is made of it.
        by: who makes it.
        check: the settings of the check that was answered, of JSON's values.

    Returns:
        Its name.

    Raises:
        ValueError: if nothing would be changed, the name is taken, a data set of just these images and labels is
            there, or what is left could not be learnt.
        OSError: if it cannot be written.
    """
    title = check_free_title(name)
    changes = [decision for decision in decisions if decision.action != "keep"]
    if not changes:
        raise ValueError(
            "Decisions: expected at least one that relabels an image or leaves one out, received none: "
            "the data set would be the same."
        )
    source = dataset.specification
    derivation = Derivation(
        source=source.name,
        title=source.title,
        fingerprint=dataset.fingerprint,
        summary=describe_decisions(decisions),
        made_by=by,
        made_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        check=dict(check) if check is not None else None,
        decisions=tuple(as_json(decision, dataset) for decision in decisions),
    )
    storage.sweep()
    with storage.staging() as folder:
        kept_of = {split: _write_split(folder, dataset, split, changes) for split in ("train", "test")}
        _check_counts(folder, dataset)
        _copy_sizes(folder, source.name, kept_of)
        storage.complete(
            folder,
            replace(
                source,
                name=name_of(title),
                title=title,
                source=f"{source.source}. Made of {source.title} on {derivation.made_at[:10]}: {derivation.summary}",
                bundled=False,
                validation_images=_count_validation(source.validation_images, kept_of["train"]),
            ),
        )
        write_json(folder / "derivation.json", vars(derivation))
        storage.publish(folder, name_of(title))
    return name_of(title)


def derivation_of(name: str) -> Derivation | None:
    """Return what the data set `name` was made of; None if it was not made of another one."""
    path = storage.place() / name / "derivation.json"
    if name not in names() or not path.exists():
        return None
    values = json.loads(path.read_text())
    return Derivation(**values | {"decisions": tuple(values["decisions"])})


def describe_decisions(decisions: Sequence[Decision]) -> str:
    """Return in words how many images were relabelled, left out and kept, such as "3 relabelled and 1 left out"."""
    count = Counter(decision.action for decision in decisions)
    told: dict[Action, str] = {"relabel": "relabelled", "leave out": "left out", "keep": "found right"}
    return in_words([f"{count[action]:,} {words}" for action, words in told.items() if count[action]] or ["none"])


def _write_split(folder: Path, dataset: Dataset, split: str, changes: Sequence[Decision]) -> np.ndarray:
    """Write the images and labels of a split, and return which of its rows are in it: bool `(N,)`."""
    images, labels = _split_of(dataset, split)
    changed, kept = np.array(labels), np.ones(len(labels), bool)
    for decision in changes:
        if decision.split == split:
            kept[decision.index] = decision.action != "leave out"
            if decision.new_label is not None:
                changed[decision.index] = decision.new_label
    with storage.GrowingArray(folder / f"{split}_labels.npy", (), np.int64) as file:
        file.append(changed[kept])
    size = max(1, _BLOCK_BYTES // max(1, images[:1].nbytes))
    with storage.GrowingArray(folder / f"{split}_images.npy", dataset.image_shape, np.uint8) as file:
        for start in range(0, len(images), size):
            rows = slice(start, start + size)
            file.append(images[rows][kept[rows]])
    return kept


def _count_validation(before: int, kept: np.ndarray) -> int:
    """Return how many are left of the validation images that came with the data, the last of the training images."""
    return int(kept[len(kept) - before :].sum())


def _split_of(dataset: Dataset, split: str) -> Split:
    return dataset.test if split == "test" else dataset.train


def _check_counts(folder: Path, dataset: Dataset) -> None:
    """Raise a `ValueError` if a network could not learn what was written."""
    counts = {}
    for split in ("train", "test"):
        of_labels = np.bincount(np.load(folder / f"{split}_labels.npy"), minlength=len(dataset.class_names))
        counts[split] = {
            name: count for name, count in zip(dataset.class_names, of_labels.tolist(), strict=True) if count
        }
        if not counts[split]:
            raise ValueError(f"Decisions: expected that some {split} images stay, but all are left out.")
    check_classes(counts)
    before = {dataset.class_names[label] for label in np.unique(dataset.train.labels)}
    if gone := sorted(before - counts["train"].keys()):
        raise ValueError(
            f"Decisions: expected that each class keeps a training image, but none of {in_words(gone)} stays."
        )


def _copy_sizes(folder: Path, source: str, kept_of: Mapping[str, np.ndarray]) -> None:
    """Take over the sizes that images had before they were imported, where they are known."""
    for split, kept in kept_of.items():
        path = storage.place() / source / f"{split}_sizes.npy"
        if path.exists():
            if kept.all():
                shutil.copyfile(path, folder / path.name)
            else:
                np.save(folder / path.name, np.load(path)[kept])
