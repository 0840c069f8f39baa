"""MATLAB files up to version 7.2 of images: `X` and `y` as in SVHN, or the struct `dataset` as in EMNIST.

`X` is `(H, W, C, N)`, C 1 or 3, and `y` `(N, 1)`; each split is a file, such as `train_32x32.mat`. EMNIST's struct has
`train` and `test`, each with `images` `(N, H·W)` and `labels` `(N, 1)`, and a `mapping` of labels to letters. MATLAB
stores arrays by columns, so a file is read whole; what it would unpack to is checked before.
"""

import io
import math
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.datasets.choices import Choices
from core.datasets.files import File, Files, Skipped
from core.datasets.formats.source import (
    BLOCK_BYTES,
    MAX_IMAGES,
    MAX_SOURCE_SIDE,
    Block,
    Guess,
    Part,
    Source,
    example_images,
    others,
    part_of_file,
    preview_parts,
    read_parts,
    shape_of_row,
    splits_by,
)
from core.datasets.recognition.brightness import find_white, note_on, to_bytes
from core.datasets.recognition.labels import check_label
from core.datasets.recognition.orientation import judge_orientation
from core.datasets.recognition.unread import BEGINNING, describe
from core.system.text import quoted

# scipy.io is imported where a file is opened, as most imports are none of its.

_MAX_UNPACKED = 2**30
"""The most bytes that the files of a data set may unpack to; EMNIST's largest takes 0.6 GB, SVHN's training 0.2."""

_HEADER = 128
_COMPRESSED = 15
"""The type of an element of a file that is another one, compressed."""

_SVHN_IMAGE = (32, 32, 3)
_SVHN_LABELS = {str(label) for label in range(1, 11)}

_JUDGED = 1000
"""So many images of each split say what is white and how images stand."""


class Pair(NamedTuple):
    """Images `(N, H, W, C)` as they are stored, and their labels.

    `white` is the value that becomes 255; `turned` says whether rows and columns are exchanged.
    """

    name: str
    part: Part | None
    images: np.ndarray
    labels: list[str]
    white: float = 255
    turned: bool = False


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the images of SVHN's or EMNIST's form.

    Raises:
        ValueError: if a file is of version 7.3, damaged or too large, or has no such arrays.
    """
    found = [file for file in files.members if file.name.lower().endswith(".mat")]
    if not found:
        return None
    variables = {file.path: _variables(file) for file in found}
    wholes = [file for file in found if variables[file.path].get("dataset") is not None]
    if wholes:
        return _emnist(files, wholes, choices)
    skipped = []
    used = []
    parts = {file.path: part_of_file(file, choices) for file in found}
    for file in found:
        if parts[file.path] == "unused" or (any(parts.values()) and parts[file.path] is None):
            skipped.append(
                Skipped(
                    file.path, "It is no training, validation or test split.", "Choose it as one (--train, --test)."
                )
            )
        elif not {"X", "y"} <= variables[file.path].keys():
            names = ", ".join(variables[file.path])[:200] or "none"
            skipped.append(
                Skipped(
                    file.path,
                    f"It has no arrays X and y of images and labels, but {names}.",
                    "Rename them so, or save them with numpy.savez.",
                )
            )
        else:
            used.append(file)
    if not used:
        raise ValueError(f"{skipped[0].file}: {skipped[0].reason} {skipped[0].fix}")
    if len({parts[file.path] for file in used}) < len(used):
        raise ValueError(
            f"{files.name}: expected one data set, received several: {', '.join(file.name for file in used[:6])}. "
            "Import the files of one."
        )
    _check_unpacked(used)
    pairs = [_svhn_pair(file, parts[file.path]) for file in used]
    told = {entry.file for entry in skipped}
    skipped += others([file for file in files.members if file.path not in told], used, "the arrays X and y")
    notes = []
    if all(pair.images.shape[1:] == _SVHN_IMAGE and set(pair.labels) <= _SVHN_LABELS for pair in pairs) and any(
        "10" in pair.labels for pair in pairs
    ):
        pairs = [
            pair._replace(labels=["0" if label == "10" else label for label in pair.labels]) for pair in pairs
        ]  # fmt: skip
        notes.append("The label 10 stands for the digit 0, as in SVHN.")
    return _judged("MATLAB arrays of images", len(used), pairs, skipped, notes, [], (), choices)


def _emnist(files: Files, wholes: Sequence[File], choices: Choices) -> Source:
    """Return the images of a struct `dataset`; of several files, each of which is a data set, those of one."""
    datasets = [file.path for file in wholes]
    file = wholes[0]
    if choices.dataset is not None:
        chosen = [other for other in wholes if choices.dataset.strip("/") in (other.path, other.name)]
        if not chosen:
            raise ValueError(f"--dataset: expected one of {', '.join(datasets)}, received {quoted(choices.dataset)}.")
        file = chosen[0]
    _check_unpacked([file])
    dataset = _load(file, ["dataset"])["dataset"]
    names = _names_of(_field(dataset, "mapping"))
    pairs = []
    parts: tuple[Part, ...] = ("train", "test")
    for part in parts:
        split = _field(dataset, part)
        images, labels = _field(split, "images"), _field(split, "labels")
        if images is None or labels is None:
            continue
        name = f"{file.path}, {part}"
        if images.ndim != 2:
            raise ValueError(f"{name}: expected images as rows of pixels, received the shape {images.shape}.")
        size = shape_of_row(images.shape[1], name, "save the images as squares.")
        pairs.append(_pair(name, part, images.reshape(len(images), *size), _labels(labels, name, names)))
    if not pairs:
        raise ValueError(f"{file.path}: expected the struct dataset with train and test, each of images and labels.")
    notes = ["The classes are named by the letters of the file's mapping."] if names else []
    is_open = len(wholes) > 1 and choices.dataset is None
    left = [other for other in files.members if other not in wholes] if is_open else files.members
    return _judged(
        "MATLAB struct of images, as EMNIST's",
        1,
        pairs,
        others(left, [file], "the struct of images"),
        notes,
        [f"emnist {file.path}"],
        tuple(datasets) if is_open else (),
        choices,
    )


def _judged(
    format_: str,
    count: int,
    pairs: list[Pair],
    skipped: Sequence[Skipped],
    notes: list[str],
    names: Sequence[str],
    datasets: tuple[str, ...],
    choices: Choices,
) -> Source:
    """Return the source of the pairs, with white and orientation judged from their first images."""
    first = [pair.images[:_JUDGED] for pair in pairs]
    highest = max(float(values.max()) for values in first)
    lowest = min(float(values.min()) for values in first)
    fractional = any(values.dtype.kind == "f" and (values != np.rint(values)).any() for values in first)
    if not (math.isfinite(highest) and math.isfinite(lowest)):
        raise ValueError(f"{pairs[0].name}: expected whole numbers from 0 to 255, received values that are no numbers.")
    try:
        white = choices.scale or find_white(highest, lowest, fractional=fractional)
    except ValueError as error:
        raise ValueError(f"{pairs[0].name}: expected {error}.") from None
    if choices.scale is None and (note := note_on(white, highest, "Values")):
        notes.append(note)
    turn = judge_orientation(
        names,
        (
            (to_bytes(values, white, pair.name), pair.labels[:_JUDGED])
            for values, pair in zip(first, pairs, strict=True)
        ),
        choices,
    )
    notes += [turn.note] if turn.note else []
    guesses = [Guess("scale", white)]
    if turn.is_guess:
        guesses.append(Guess("orientation", "transposed" if turn.turned else "as-is", ("as-is", "transposed")))
    counts: Mapping[Part, Counter[str]] = {pair.part or "train": Counter(pair.labels) for pair in pairs}
    return Source(
        format_,
        count,
        tuple(pair._replace(white=white, turned=turn.turned) for pair in pairs),
        images={part: row.total() for part, row in counts.items()},
        labels=counts,
        splits=splits_by([(pair.part, pair.name) for pair in pairs]),
        skipped=tuple(skipped),
        notes=tuple(notes),
        guesses=tuple(guesses),
        datasets=datasets,
    )


def read(found: Source) -> Iterator[Block]:
    """Yield all images with their labels."""
    return read_parts(found, _blocks)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each split."""
    return preview_parts(found, _blocks)


def _blocks(pair: Pair) -> Iterator[Block]:
    count = len(pair.images)
    at_once = max(1, BLOCK_BYTES // pair.images[0].nbytes)
    for start in range(0, count, at_once):
        images = to_bytes(np.ascontiguousarray(pair.images[start : start + at_once]), pair.white, pair.name)
        if pair.turned:
            images = images.swapaxes(1, 2)
        end = start + len(images)
        yield Block(pair.part, images, pair.labels[start:end], images.shape[1:3], end / count)


def _svhn_pair(file: File, part: Any) -> Pair:
    arrays = _load(file, ["X", "y"])
    images = arrays["X"]
    if images.ndim == 3:
        images = images[:, :, np.newaxis, :]
    if images.ndim != 4 or images.shape[2] not in (1, 3):
        raise ValueError(f"{file.path}: expected X of the shape (H, W, 1 or 3, N), received {images.shape}.")
    return _pair(file.path, part, np.moveaxis(images, 3, 0), _labels(arrays["y"], file.path, {}))


def _pair(name: str, part: Part | None, images: np.ndarray, labels: list[str]) -> Pair:
    if images.dtype.kind not in "iubf":
        raise ValueError(f"{name}: expected images of numbers, received the type {images.dtype}.")
    if not (0 < len(images) <= MAX_IMAGES and min(images.shape[1:]) > 0 and max(images.shape[1:3]) <= MAX_SOURCE_SIDE):
        raise ValueError(
            f"{name}: expected 1 to {MAX_IMAGES:,} images of 1 to {MAX_SOURCE_SIDE:,} pixels a side, received "
            f"{images.shape}."
        )
    if len(labels) != len(images):
        raise ValueError(f"{name}: expected a label for each of the {len(images):,} images, received {len(labels):,}.")
    return Pair(name, part, images, labels)


def _labels(values: np.ndarray, name: str, names: Mapping[int, str]) -> list[str]:
    """Return labels as texts, those with a name by it.

    Raises:
        ValueError: if one is no whole number.
    """
    if values.dtype.kind not in "iubf" or not (np.isfinite(values) & (values == np.rint(values))).all():
        raise ValueError(f"{name}: expected whole numbers as labels, received others, of the type {values.dtype}.")
    known: dict[int, str] = {}
    labels = values.reshape(-1).astype(np.int64).tolist()
    return [known.setdefault(label, names.get(label, str(label))) for label in labels]


def _names_of(mapping: np.ndarray | None) -> dict[int, str]:
    """Return the letter of each label from rows of a label and the codes of letters; none unless each has its own."""
    if mapping is None or mapping.ndim != 2 or mapping.shape[1] < 2 or mapping.dtype.kind not in "iuf":
        return {}
    try:
        names = {int(row[0]): check_label(chr(int(row[1]))) for row in mapping}
    except (ValueError, OverflowError):
        return {}
    return names if len(set(names.values())) == len(mapping) else {}


def _field(struct: Any, name: str) -> Any:
    """Return a field of a struct, None where there is none."""
    if isinstance(struct, np.ndarray) and struct.dtype.names and name in struct.dtype.names and struct.size:
        value = struct.flat[0][name]
        return value if isinstance(value, np.ndarray) else None
    return None


def _variables(file: File) -> dict[str, tuple[int, ...]]:
    """Return the shape of each variable of a file.

    Raises:
        ValueError: if it is no MATLAB file of version 5 to 7.2, or damaged.
    """
    from scipy.io import whosmat

    with file.open() as stream:
        beginning = stream.read(BEGINNING)
    if beginning.startswith((b"\x89HDF", b"MATLAB 7.3")):
        raise ValueError(
            f"{file.path}: expected a MATLAB file up to version 7.2, received one of version 7.3, which is HDF5: save "
            "it in MATLAB with save(…, '-v7'), or the arrays with numpy.savez."
        )
    if not beginning.startswith(b"MATLAB 5.0") or len(beginning) < _HEADER:
        unread = describe(beginning, file.name)
        raise ValueError(f"{file.path}: expected a MATLAB file of version 5 to 7.2, received {unread.what}.")
    _unpacked(file)
    return {name: shape for name, shape, _ in _tried(file, whosmat)}


def _load(file: File, names: list[str]) -> dict[str, Any]:
    """Return variables of a file whose size has been checked."""
    from scipy.io import loadmat

    arrays = _tried(file, loadmat, variable_names=names)
    for name in names:
        if not isinstance(arrays.get(name), np.ndarray):
            raise ValueError(f"{file.path}: expected an array called {name}, received none.")
    return arrays


def _tried(file: File, reader: Any, **options: Any) -> Any:
    """Return what one of SciPy's functions reads of a file.

    Raises:
        ValueError: if the file is damaged.
    """
    with file.open() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return reader(stream, **options)
        # SciPy's reader meets hostile bytes with nearly any built-in error, MemoryError included.
        except Exception as error:
            reason = (str(error) or type(error).__name__)[:100]
            raise ValueError(
                f"{file.path}: expected a whole MATLAB file, but it is damaged ({reason}): get it anew."
            ) from error


def _check_unpacked(files: Sequence[File]) -> None:
    """Do nothing if what files hold can be read into memory.

    Raises:
        ValueError: if they announce more than `_MAX_UNPACKED` bytes.
    """
    unpacked = sum(map(_unpacked, files))
    if unpacked > _MAX_UNPACKED:
        raise ValueError(
            f"{files[0].path}: expected at most {_MAX_UNPACKED / 2**20:,.0f} MiB of arrays, as MATLAB files are read "
            f"whole, received {unpacked / 2**20:,.0f} MiB: save the arrays with numpy.savez."
        )


def _unpacked(file: File) -> int:
    """Return how many bytes the elements of a file announce, unpacked.

    Raises:
        ValueError: if it ends before its last element does, which SciPy does not always notice.
    """
    total, position = 0, _HEADER
    with file.open() as stream:
        order = "big" if stream.read(_HEADER).endswith(b"MI") else "little"
        while len(tag := stream.read(8)) == 8:
            kind, length = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)  # type: ignore[arg-type]
            position += len(tag) + length
            if position > file.size:
                raise ValueError(f"{file.path}: expected a whole MATLAB file, but it is cut short.")
            rest = length
            if kind == _COMPRESSED:
                packed = stream.read(min(length, BEGINNING))
                rest -= len(packed)
                try:
                    inner = zlib.decompressobj().decompress(packed, 8)
                except zlib.error as error:
                    raise ValueError(
                        f"{file.path}: expected a whole MATLAB file, but it is damaged ({error}): get it anew."
                    ) from error
                length = int.from_bytes(inner[4:8], order)  # type: ignore[arg-type]
            total += length
            stream.seek(rest, io.SEEK_CUR)
    return total


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    from scipy.io import savemat

    content = io.BytesIO()
    images = np.moveaxis(example_images(20)[..., np.newaxis], 0, 3)
    savemat(content, {"X": images, "y": np.arange(20)[:, np.newaxis] % 2}, do_compression=True)
    return {"train_8x8.mat": content.getvalue()}
