"""Many images as one: which images to show, and how they lie side by side in a single picture.

    rows = split_rows(dataset, share=0.1, seed=42)          # row numbers of each split
    chosen = of_class(dataset, "train", rows["train"], 7)   # only the sevens
    shown = page_of(chosen, page=1, size=80)
    picture = sprite(split_images(dataset, "train").images[shown], columns=10)

One picture of a hundred images is one request; a hundred pictures are a hundred.

Where the splits are looked at together, an image is known by its position: those of the train split
are counted first, then those of the test split.
"""

import io
import math

import numpy as np
from PIL import Image

from core.datasets import Dataset, Split, split_train
from core.datasets.splitting import usual_part

SPLIT_TITLES = {"train": "Training", "validation": "Validation", "test": "Test"}


def split_rows(dataset: Dataset, *, share: float, seed: int) -> dict[str, np.ndarray]:
    """Return the row numbers of the three splits, int64, as a run with this `share` and `seed` sees them.

    Where validation images came with the data, they are the validation split.
    Training and validation count rows of `dataset.train`, test counts rows of `dataset.test`.
    """
    train, validation = split_train(dataset, share=share, seed=seed, part=usual_part(dataset.specification), limit=None)
    return {"train": train, "validation": validation, "test": np.arange(len(dataset.test.labels))}


def split_images(dataset: Dataset, split: str) -> Split:
    """Return the images and labels that the row numbers of `split` count."""
    return dataset.test if split == "test" else dataset.train


def class_counts(dataset: Dataset, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return how many images of each class each split has: int64 `(classes,)`."""
    classes = len(dataset.class_names)
    return {
        split: np.bincount(split_images(dataset, split).labels[members], minlength=classes)
        for split, members in rows.items()
    }


def of_class(dataset: Dataset, split: str, rows: np.ndarray, label: int | None) -> np.ndarray:
    """Return those of `rows` whose image is of the class `label`; all of them where that is None."""
    if label is None:
        return rows
    return rows[split_images(dataset, split).labels[rows] == label]


def shuffled(rows: np.ndarray, seed: int | None) -> np.ndarray:
    """Return `rows` in an order drawn by `seed`, always the same for the same seed; as they are without one."""
    return rows if seed is None else np.random.default_rng(seed).permutation(rows)


def stratified_sample(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw about `count` positions from `labels`, int64 `(N,)`, so that each class keeps its share; in ascending order.

    All positions where there are no more than `count`; at least one of each class.
    """
    if len(labels) <= count:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    evenly = order[np.arange(count) * len(labels) // count]
    _, first_of_class = np.unique(labels, return_index=True)
    rare = [first for first in first_of_class if labels[first] not in labels[evenly]]
    return np.sort(np.concatenate([evenly, np.array(rare, np.int64)]))


def position_of(dataset: Dataset, split: str, row: int) -> int:
    """Return the position of an image among all of the data set."""
    return row + (len(dataset.train.labels) if split == "test" else 0)


def place_of(dataset: Dataset, position: int) -> tuple[str, int]:
    """Return the split, "train" or "test", and the row in it of the image at `position`."""
    of_train = len(dataset.train.labels)
    return ("train", position) if position < of_train else ("test", position - of_train)


def describe_place(dataset: Dataset, position: int) -> str:
    """Say where the image at `position` is, such as "test image 17"."""
    split, row = place_of(dataset, position)
    return f"{SPLIT_TITLES[split].lower()} image {row:,}"


def images_at(dataset: Dataset, positions: np.ndarray) -> np.ndarray:
    """Return the images at `positions`, int64 `(n,)`, in their order: uint8 `(n, H, W, C)`."""
    images = np.empty((len(positions), *dataset.image_shape), np.uint8)
    of_train = len(dataset.train.labels)
    in_test = positions >= of_train
    images[~in_test] = dataset.train.images[positions[~in_test]]
    images[in_test] = dataset.test.images[positions[in_test] - of_train]
    return images


def labels_of_all(dataset: Dataset) -> np.ndarray:
    """Return the label at each position: int64 `(N,)`."""
    return np.concatenate([dataset.train.labels, dataset.test.labels])


def page_count(rows: np.ndarray, size: int) -> int:
    """Return how many pages of `size` images there are, at least one."""
    return max(1, math.ceil(len(rows) / size))


def page_of(rows: np.ndarray, page: int, size: int) -> np.ndarray:
    """Return the rows of one page, counted from 1; the last page may be shorter."""
    return rows[(page - 1) * size : page * size]


def sprite(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Lay images side by side, row by row, with `gap` transparent pixels between them.

    Args:
        images: uint8 `(N, H, W, C)`, C 1 or 3, N at least 1.
        columns: images in a row; fewer than that make one shorter row of full width.
        gap: pixels between neighbours.

    Returns:
        uint8 `(height, width, C + 1)`, the last channel being the opacity, so that gaps and
        empty places show whatever is behind them.
    """
    count, height, width, channels = images.shape
    lines = math.ceil(count / columns)
    picture = np.zeros((lines * (height + gap), columns * (width + gap), channels + 1), np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        picture[top : top + height, left : left + width, :channels] = image
        picture[top : top + height, left : left + width, channels] = 255
    return picture[:-gap, :-gap] if gap else picture


def enlarge(image: np.ndarray, side: int) -> np.ndarray:
    """Repeat each pixel of one image `(H, W, C)` so often that its longer side comes closest below `side`."""
    factor = max(1, side // max(image.shape[:2]))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def png(picture: np.ndarray) -> bytes:
    """Encode a uint8 picture `(H, W)` or `(H, W, 1…4)`: grey, grey with opacity, RGB, or RGB with opacity."""
    encoded = io.BytesIO()
    is_grey = picture.ndim == 3 and picture.shape[-1] == 1
    Image.fromarray(picture[..., 0] if is_grey else picture).save(encoded, "PNG", compress_level=3)
    return encoded.getvalue()
