"""The splits of data that come in: what validation images become, and test images held out where none came.

    use = use_of_validation({"train", "validation"}, choices.validation_as)     # "given"
    notes = [*divide(folder, labels, shape, choices.test_part, use)]            # the arrays of an import, in place

A validation split that came with the data is kept: it is the end of the training images, and the specification says
how many it has. It can be taken for the test where none came, or for training. Without a test split, a fifth of the
other images is held out, each class in proportion, always the same ones; if that is chosen, in whole groups of images
that are variations of one another.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from core.datasets import storage
from core.datasets.choices import Choices, HeldOut, ValidationUse
from core.datasets.formats.source import Guess
from core.datasets.grouping import hold_out_groups, near_duplicate_groups
from core.datasets.splitting import hold_out_test

_TEST_SHARE = 0.2
_SPLIT_SEED = 42


def use_of_validation(parts: Collection[str], chosen: ValidationUse | None) -> ValidationUse | None:
    """Return what validation images become in data of these splits; None without them or without training images.

    Raises:
        ValueError: if they are chosen to be the test images where others came.
    """
    if not {"train", "validation"} <= set(parts):
        return None
    if chosen == "test" and "test" in parts:
        raise ValueError(
            "Validation images (--validation-as): expected given or train, as test images came with the data, received "
            "test."
        )
    return chosen or "given"


def count_divided(counts: Mapping[str, Mapping[str, int]], use: ValidationUse | None) -> dict[str, Mapping[str, int]]:
    """Return the counts of the splits after validation images have found their place."""
    if "validation" not in counts or use == "given":
        return dict(counts)
    if use == "test":
        return {"train": counts["train"], "test": counts["validation"]}
    train = Counter(counts.get("train", {}))
    train.update(counts["validation"])
    return {"train": train} | ({"test": counts["test"]} if "test" in counts else {})


def guess_division(parts: Collection[str], use: ValidationUse | None, choices: Choices) -> Iterator[Guess]:
    """Yield what validation images become, and how test images are held out, as far as is known beforehand."""
    if use is not None:
        uses = tuple(each for each in get_args(ValidationUse) if each != "test" or "test" not in parts)
        yield Guess("validation_as", use, uses)
    if len(parts) <= 1 or (use in ("given", "train") and "test" not in parts):
        yield Guess("test_part", choices.test_part or "stratified", get_args(HeldOut))


def note_on_validation(use: ValidationUse, count: int | None, parts: Collection[str]) -> str:
    """Say what becomes of the validation images that came with the data."""
    if use == "train":
        return "The validation images are used for training: every run draws validation images of its own from there."
    if use == "test":
        return (
            "The validation images that came with the data are the test images; every run draws validation images of "
            "its own from the training images."
        )
    images = "Validation images" if count is None else f"{count:,} validation images"
    tested = (
        ""
        if "test" in parts
        else " There is no test split, so test images are held out of the training images; the validation images can "
        "be the test images instead (--validation-as=test)."
    )
    return f"{images}, kept as given: runs validate on them, unless they choose otherwise.{tested}"


def divide(
    folder: Path,
    labels: dict[str, np.ndarray],
    shape: tuple[int, int, int],
    held: HeldOut | None,
    use: ValidationUse | None,
) -> Iterator[str]:
    """See to it that both splits have images, write the labels, and yield a sentence about each thing done."""
    kinds = (("images", shape, np.uint8), ("sizes", (2,), np.int32))
    given = labels["validation"]
    if use != "given":
        labels = _add_validation(folder, labels, kinds, "test" if use == "test" else "train")
    labels = {part: labels[part] for part in ("train", "test")}
    if held is not None and all(map(len, labels.values())):
        raise ValueError(
            "Test images (--test-part): expected data of one split, received a test split or validation images that "
            "are taken for it: leave this choice out."
        )
    if not all(map(len, labels.values())):
        (only,) = (part for part, values in labels.items() if len(values))
        held_out = _hold_out(folder / f"{only}_images.npy", labels[only], held)
        for kind, row, dtype in kinds:
            _distribute(folder, only, kind, row, dtype, held_out)
        labels = {"train": labels[only][~held_out], "test": labels[only][held_out]}
        how = ", in whole groups of images that are variations of one another" if held == "grouped" else ""
        yield (
            f"There was no test split, so {held_out.mean():.0%} of the images are held out for it, each class in "
            f"proportion{how}."
        )
    if use == "given":  # after test images were held out, so that none of these is among them
        labels = _add_validation(folder, labels | {"validation": given}, kinds, "train")
    for part, values in labels.items():
        np.save(folder / f"{part}_labels.npy", values)
    paths = [folder / f"{part}_sizes.npy" for part in labels]
    if all((np.load(path, mmap_mode="r") == shape[:2]).all() for path in paths):
        for path in paths:
            path.unlink()


def _hold_out(images: Path, labels: np.ndarray, how: HeldOut | None) -> np.ndarray:
    """Choose the images to test on, bool `(N,)`, always the same ones.

    Raises:
        ValueError: if every class has one image or, in groups, all of them alike.
    """
    if how != "grouped":
        held_out = hold_out_test(labels, share=_TEST_SHARE, seed=_SPLIT_SEED)
        if not held_out.any():
            raise ValueError("Expected a class of at least two images, received only one of each.")
        return held_out
    groups = near_duplicate_groups(np.load(images, mmap_mode="r"))
    count = max(1, round(_TEST_SHARE * len(labels)))
    held_out = hold_out_groups(groups, labels, count, np.random.default_rng([_SPLIT_SEED, 2]))
    if not held_out.any():
        raise ValueError(
            "Test images (--test-part): expected a class with two groups of near-duplicates to divide, but here each "
            "class is one group: choose stratified."
        )
    return held_out


def _add_validation(
    folder: Path,
    labels: dict[str, np.ndarray],
    kinds: Sequence[tuple[str, tuple[int, ...], type]],
    target: Literal["train", "test"],
) -> dict[str, np.ndarray]:
    """Let validation images be the end of another split, and return the labels of both that there are then."""
    for kind, row, dtype in kinds:
        added = folder / f"validation_{kind}.npy"
        if len(labels["validation"]):
            whole = (folder / f"{target}_{kind}.npy").rename(folder / f"all_{kind}.npy")
            with storage.GrowingArray(folder / f"{target}_{kind}.npy", row, dtype) as array:
                for path in (whole, added):
                    for rows in _stored_rows(path, row, dtype):
                        array.append(rows)
            whole.unlink()
        added.unlink()
    moved = np.concatenate([labels[target], labels["validation"]])
    return {part: labels[part] for part in ("train", "test")} | {target: moved}


def _stored_rows(path: Path, row: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """Yield the rows of an array file, some at a time."""
    at_once = max(1, 2**22 // int(np.prod(row)))
    values: np.ndarray
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        while len(values := np.fromfile(file, dtype, at_once * int(np.prod(row)))):
            yield values.reshape(-1, *row)


def _distribute(folder: Path, only: str, kind: str, row: tuple[int, ...], dtype: type, held_out: np.ndarray) -> None:
    """Divide the one array that has rows into those of the two splits, in their order, some rows at a time."""
    whole = (folder / f"{only}_{kind}.npy").rename(folder / f"all_{kind}.npy")
    start = 0
    with ExitStack() as opened:
        parts = {
            part: opened.enter_context(storage.GrowingArray(folder / f"{part}_{kind}.npy", row, dtype))
            for part in ("train", "test")
        }
        for rows in _stored_rows(whole, row, dtype):
            tested = held_out[start : start + len(rows)]
            parts["train"].append(rows[~tested])
            parts["test"].append(rows[tested])
            start += len(rows)
    whole.unlink()
