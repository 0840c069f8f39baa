"""NumPy's arrays: a .npz with `x_train, y_train, x_test, y_test`, or `images, labels`, and the like; .npy pairs too.

Names are read by their words, so `train_X`, `trainX` and `X_train` are one. Images are numbers of the shape
`(N, H, W)`, `(N, H, W, C)`, `(N, C, H, W)` or `(N, H·W·C)`, C 1 or 3; labels are integers, texts or one-hot rows.
Pickled objects are never read.
"""

import io
import math
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np

from core.datasets.choices import Choices
from core.datasets.files import File, Files, Skipped, open_whole, share_read
from core.datasets.formats.source import (
    BLOCK_BYTES,
    MAX_IMAGES,
    MAX_SOURCE_SIDE,
    Block,
    Guess,
    Part,
    Source,
    example_images,
    part_of_file,
    preview_parts,
    read_parts,
    read_rows,
    shape_of_row,
    splits_by,
)
from core.datasets.recognition.brightness import find_white, note_on, to_bytes
from core.datasets.recognition.labels import check_label
from core.datasets.recognition.orientation import judge_orientation
from core.datasets.recognition.words import stem_of, words_of

_IMAGES = {"x", "images", "image", "imgs", "img", "data", "features", "pixels", "pictures", "inputs", "input"}
_LABELS = {"y", "labels", "label", "targets", "target", "classes", "class", "outputs"}
"""Words that say what an array holds."""

_PART_WORDS = {"train", "training", "val", "valid", "validation", "test", "testing", "dev"}

_MAX_LABEL_BYTES = 4000
_MAX_CLASSES = 1000


class Array(NamedTuple):
    """An array in the archive: its file, shape, and type."""

    file: File
    shape: tuple[int, ...]
    dtype: np.dtype


class Pair(NamedTuple):
    """Images and their labels; `shape` is that of one image, `(H, W, C)`.

    `white` is the value that becomes 255; `turned` says whether rows and columns are exchanged.
    """

    part: Part | None
    images: Array
    labels: Array
    shape: tuple[int, int, int]
    white: float = 255
    turned: bool = False


def detect(files: Files, choices: Choices) -> Source | None:
    """Return the pairs of arrays.

    Raises:
        ValueError: if no arrays have the names of such a pair, or an array cannot hold images or labels.
    """
    arrays = [file for file in files.members if file.name.endswith(".npy")]
    if not arrays:
        return None
    matched, notes = _match(arrays, choices)
    if not matched:
        raise ValueError(
            f"{files.name}: expected arrays called x_train, y_train, x_test and y_test, or images and labels, "
            f"received {', '.join(sorted(file.path.removesuffix('.npy') for file in arrays))[:200]}: rename them so."
        )
    pairs = [_pair(part, _array(images), _array(labels)) for part, images, labels in matched]
    used = {file.path for _, images, labels in matched for file in (images, labels)}
    skipped = [
        Skipped(file.path, "It does not belong to the images and labels.", "Import it on its own, if it holds images.")
        for file in files.members
        if file.path not in used
    ]
    return _judged(pairs, skipped, notes, choices)


def _match(arrays: Sequence[File], choices: Choices) -> tuple[list[tuple[Part | None, File, File]], list[str]]:
    """Return the arrays that belong together by their names, with their split; and what was guessed.

    Raises:
        ValueError: if several data sets are among them.
    """
    found: dict[tuple[str, Part | None, str], dict[str, File]] = {}
    for file in arrays:
        words = words_of(stem_of(file.name))
        part = part_of_file(file, choices)
        folder = file.path.rpartition("/")[0]
        if part is None and folder and choices.splits is not False:
            part = part_of_file(File(folder, 0, file.open), Choices())
        if part == "unused":
            continue
        kind = "images" if set(words) & _IMAGES else "labels" if set(words) & _LABELS else None
        if set(words) & _LABELS and not set(words) & {"x", "y"}:
            kind = "labels"  # "image_labels"
        if kind:
            rest = " ".join(word for word in words if word not in _IMAGES | _LABELS and word not in _PART_WORDS)
            group = found.setdefault((folder if part is None else "", part, rest), {})
            if kind in group:
                raise ValueError(
                    f"Expected one data set, received several: {group[kind].path} and {file.path}. Import the arrays "
                    "of one."
                )
            group[kind] = file
    matched = [(part, group["images"], group["labels"]) for (_, part, _), group in found.items() if len(group) == 2]
    parts = [part for part, _, _ in matched]
    if len(set(parts)) < len(parts):
        raise ValueError(
            f"Expected one data set, received several: {', '.join(images.path for _, images, _ in matched[:6])}. "
            "Import the arrays of one."
        )
    if not matched and len(arrays) == 2:
        shapes = sorted(((_array(file), file) for file in arrays), key=lambda entry: -len(entry[0].shape))
        (images, first), (labels, second) = shapes
        if images.shape[:1] == labels.shape[:1] and len(images.shape) > len(labels.shape) == 1:
            note = f"{first.path} is taken for the images and {second.path} for the labels, by their shapes."
            return [(None, first, second)], [note]
    return matched, []


def _judged(pairs: list[Pair], skipped: Sequence[Skipped], notes: list[str], choices: Choices) -> Source:
    """Return the source of the pairs, with white and orientation judged from their first images."""
    first = [next(_stored_images(pair))[0] for pair in pairs]
    highest = max(float(values.max()) for values in first)
    lowest = min(float(values.min()) for values in first)
    fractional = any(values.dtype.kind == "f" and (values != np.rint(values)).any() for values in first)
    name = pairs[0].images.file.path
    if not (math.isfinite(highest) and math.isfinite(lowest)):
        raise ValueError(f"{name}: expected whole numbers from 0 to 255, received values that are no numbers.")
    try:
        white = choices.scale or find_white(highest, lowest, fractional=fractional)
    except ValueError as error:
        raise ValueError(f"{name}: expected {error}.") from None
    if choices.scale is None and (note := note_on(white, highest, "Values")):
        notes.append(note)
    labels = [_labels(pair.labels) for pair in pairs]
    turn = judge_orientation(
        [pair.images.file.path for pair in pairs],
        ((to_bytes(values, white, name), row[: len(values)]) for values, row in zip(first, labels, strict=True)),
        choices,
    )
    if turn.note:
        notes.append(turn.note)
    guesses = [Guess("scale", white)]
    if turn.is_guess:
        guesses.append(Guess("orientation", "transposed" if turn.turned else "as-is", ("as-is", "transposed")))
    counts = {pair.part or "train": Counter(row) for pair, row in zip(pairs, labels, strict=True)}
    return Source(
        "NumPy arrays",
        2 * len(pairs),
        tuple(pair._replace(white=white, turned=turn.turned) for pair in pairs),
        images={part: sum(row.values()) for part, row in counts.items()},
        labels=counts,
        splits=splits_by([(pair.part, pair.images.file.path.removesuffix(".npy")) for pair in pairs]),
        skipped=tuple(skipped),
        notes=tuple(notes),
        guesses=tuple(guesses),
    )


def read(found: Source) -> Iterator[Block]:
    """Yield all images with their labels."""
    return read_parts(found, _blocks)


def preview(found: Source) -> Iterator[Block]:
    """Yield the first images of each pair."""
    return preview_parts(found, _blocks)


def _pair(part: Part | None, images: Array, labels: Array) -> Pair:
    shape, name = images.shape, images.file.path
    if images.dtype.kind not in "iubf":
        raise ValueError(f"{name}: expected numbers from 0 to 255, received the type {images.dtype}.")
    match shape:
        case (_, values):
            size = shape_of_row(values, name, "save the images with the shape (N, H, W, C).")
        case (_, height, width):
            size = height, width, 1
        case (_, height, width, 1 | 3 as channels) | (_, 1 | 3 as channels, height, width):
            size = height, width, channels
        case _:
            raise ValueError(f"{name}: expected images of the shape (N, H, W) or (N, H, W, 1 or 3), received {shape}.")
    if not (0 < shape[0] <= MAX_IMAGES and min(size) > 0 and max(size) <= MAX_SOURCE_SIDE):
        raise ValueError(
            f"{name}: expected 1 to {MAX_IMAGES:,} images of 1 to {MAX_SOURCE_SIDE:,} pixels a side, received {shape}."
        )
    is_one_hot = len(labels.shape) == 2 and labels.shape[0] == shape[0] and 1 < labels.shape[1] <= _MAX_CLASSES
    if labels.shape not in ((shape[0],), (shape[0], 1)) and not is_one_hot:
        raise ValueError(
            f"{labels.file.path}: expected a label for each of the {shape[0]:,} images, shape ({shape[0]},), "
            f"received {labels.shape}."
        )
    if labels.dtype.kind not in ("iubf" if is_one_hot else "iubfUS") or labels.dtype.itemsize > _MAX_LABEL_BYTES:
        raise ValueError(
            f"{labels.file.path}: expected whole numbers or texts of at most {_MAX_LABEL_BYTES // 4:,} characters, "
            f"received the type {labels.dtype}."
        )
    if labels.dtype.itemsize == 0:
        raise ValueError(f"{labels.file.path}: expected a class for each image, received empty texts.")
    return Pair(part, images, labels, size)


def _array(file: File) -> Array:
    with open_whole(file) as stream:
        array, header = _read_header(stream, file)
    announced = math.prod(array.shape) * array.dtype.itemsize
    if announced != file.size - header:
        raise ValueError(
            f"{file.path}: expected {announced:,} bytes for the shape {array.shape}, received {file.size - header:,}."
        )
    return array


def _read_header(stream: IO[bytes], file: File) -> tuple[Array, int]:
    """Return an array's description and the length of the header, which the stream has then passed."""
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = reader(stream)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise ValueError(
            f"{file.path}: expected a NumPy array, but its header is damaged ({str(error)[:100]})."
        ) from None
    if dtype.hasobject:
        raise ValueError(f"{file.path}: expected numbers or texts, received Python objects, which are never read.")
    if by_column and len(shape) > 1:
        raise ValueError(
            f"{file.path}: expected an array stored by rows, received one stored by columns: save it with "
            "numpy.ascontiguousarray."
        )
    return Array(file, shape, dtype), stream.tell()


def _blocks(pair: Pair) -> Iterator[Block]:
    labels = _labels(pair.labels)
    start = 0
    for values, share in _stored_images(pair):
        images = to_bytes(values, pair.white, pair.images.file.path)
        if pair.turned:
            images = images.swapaxes(1, 2)
        yield Block(pair.part, images, labels[start : start + len(images)], images.shape[1:3], share)
        start += len(images)


def _stored_images(pair: Pair) -> Iterator[tuple[np.ndarray, float]]:
    """Yield images with the values that they are stored with, `(n, H, W, C)`, and how much has been read."""
    row = math.prod(pair.images.shape[1:]) * pair.images.dtype.itemsize
    with open_whole(pair.images.file) as stream:
        _read_header(stream, pair.images.file)
        for rows in _rows(stream, pair.images, max(1, BLOCK_BYTES // row)):
            images = rows.reshape(len(rows), *_stored(pair))
            if _stored(pair) != pair.shape:
                images = np.moveaxis(images, 1, 3)
            yield images, share_read(stream, pair.images.file)


def _labels(array: Array) -> list[str]:
    """Return an array's labels as texts, equal ones as one object.

    Raises:
        ValueError: if one is no text, no whole number, or a row that is not one-hot.
    """
    known: dict[str, str] = {}
    labels: list[str] = []
    with open_whole(array.file) as stream:
        _read_header(stream, array.file)
        for values in _rows(stream, array, BLOCK_BYTES // array.dtype.itemsize + 1):
            texts = _texts(values, array)
            for text in set(texts) - known.keys():
                try:
                    known[text] = check_label(text)
                except ValueError as error:
                    raise ValueError(f"{array.file.path}: expected {error}.") from None
            labels += [known[text] for text in texts]
    return labels


def _texts(values: np.ndarray, array: Array) -> list[str]:
    """Return some rows of labels as texts.

    Raises:
        ValueError: if one is no text, no whole number, or a row that is not one-hot.
    """
    name = array.file.path
    if values.ndim == 2 and values.shape[1] > 1:
        if not ((values == 0) | (values == 1)).all() or not (values.sum(axis=1) == 1).all():
            raise ValueError(
                f"{name}: expected a one for the class of each image and zeros besides, received other rows."
            )
        return [str(label) for label in values.argmax(axis=1).tolist()]
    values = values.reshape(-1)
    if values.dtype.kind == "f":
        if not (np.isfinite(values) & (values == np.rint(values))).all():
            raise ValueError(
                f"{name}: expected whole numbers or texts as labels, received the type {array.dtype} with decimals."
            )
        values = values.astype(np.int64)
    if values.dtype.kind == "U":
        # NumPy writes whatever number stands for a letter; Python breaks on those that are none.
        letters = np.frombuffer(values.tobytes(), values.dtype.str[0].replace("|", "=") + "u4")
        if letters.size and letters.max() > 0x10FFFF:
            raise ValueError(
                f"{name}: expected text, received a label with the letter {letters.max():#x}, which is none."
            )
    if values.dtype.kind == "S":
        try:
            return [label.decode() for label in values.tolist()]
        except UnicodeDecodeError:
            raise ValueError(f"{name}: expected labels in UTF-8, received other bytes: save them as text.") from None
    return [str(label) for label in values.tolist()]


def _stored(pair: Pair) -> tuple[int, int, int]:
    """Return the shape that an image has in its file: that of a row or of channels first may differ."""
    height, width, channels = pair.shape
    if pair.images.shape[1:] == (channels, height, width):
        return channels, height, width
    return pair.shape


def _rows(stream: IO[bytes], array: Array, at_once: int) -> Iterator[np.ndarray]:
    return read_rows(stream, array.file, array.shape, array.dtype, at_once)


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    file = io.BytesIO()
    np.savez(file, images=example_images(20), labels=np.arange(20) % 2)
    return {"images.npz": file.getvalue()}
