"""An image of any size and colour to one of the data set's, exactly as a prediction does it."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from core.datasets.specification import Fit, Preparation

_DARK = 16
"""Background of at most this brightness, of 255, is black."""

_MOST_INK = 64
"""Drawings are darker than this on average: MNIST has 33 of 255, EMNIST 45, KMNIST 49, USPS 63; Fashion-MNIST 73."""

_MOST_INK_CUT_OUT = 110
"""The same for drawings without a margin: MNIST's digits cut out along their edges have 84."""

_MOST_BETWEEN = 0.37
"""Of pixels that are not black, such a share at most is neither dark nor light: 0.28 to 0.33 of cut-out digits."""


def fit(image: np.ndarray, shape: tuple[int, int, int], how: Fit = "crop") -> np.ndarray:
    """Bring an image into the proportions of `shape`, then change its size and colour.

    Args:
        image: uint8 `(h, w, 1 or 3)`.
        shape: height, width and channels to give.
        how: `crop` takes its middle, `pad` puts it on a ground of its edges' median colour, `squeeze` changes
            its proportions.

    Returns:
        uint8 of `shape`; an image that has it already comes back as it is.
    """
    height, width, channels = shape
    if image.shape == shape:
        return image
    picture = in_proportion(Image.fromarray(image if image.shape[2] == 3 else image[..., 0]), (height, width), how)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(shape)


def in_proportion(picture: Image.Image, size: tuple[int, int], how: Fit) -> Image.Image:
    """Crop or pad a picture to the proportions of a height and a width; `squeeze` leaves it as it is."""
    height, width = size
    if how == "squeeze" or picture.size == (width, height):
        return picture
    choose = min if how == "crop" else max
    scale = choose(picture.width / width, picture.height / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (picture.width - inner[0]) // 2, (picture.height - inner[1]) // 2
    if how == "crop":
        return picture.crop((left, top, left + inner[0], top + inner[1]))
    ground = Image.new(picture.mode, inner, _colour_of_edges(picture))
    ground.paste(picture, (-left, -top))
    return ground


def lost_by_cropping(image_size: tuple[int, int], size: tuple[int, int]) -> float:
    """Return the share of an image of so much height and width that is cut off for the proportions of `size`."""
    ratio = (image_size[0] / image_size[1]) / (size[0] / size[1])
    return 1 - min(ratio, 1 / ratio)


def is_grey(images: np.ndarray) -> bool:
    """Say whether images `(N, H, W, C)` have no colour."""
    return images.shape[-1] == 1 or bool((images == images[..., :1]).all())


def preparation_of(images: Iterable[np.ndarray]) -> Preparation:
    """Decide from images of a data set, uint8 `(H, W, C)`, how images from outside are to be prepared.

    `handwriting` where they are light drawings on black: grey, their edges black (the median of all pixels at the
    edges is at most 16), and mostly empty (the mean of all pixels is below 64) or, where they are cut out without a
    margin, of little but ink and ground (few of the pixels that are not black are neither). All else is `photo`.
    """
    images = np.stack(list(images))
    edges = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    if images.shape[-1] != 1 or np.median(edges) > _DARK:
        return "photo"
    between = ((images > 64) & (images < 192)).sum() / max(1, (images > _DARK).sum())
    is_cut_out = images.mean() < _MOST_INK_CUT_OUT and between < _MOST_BETWEEN
    return "handwriting" if images.mean() < _MOST_INK or is_cut_out else "photo"


def _colour_of_edges(picture: Image.Image) -> int | tuple[int, ...]:
    pixels = np.asarray(picture)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    median = np.median(edges, axis=0)
    return int(median) if edges.ndim == 1 else tuple(int(value) for value in median)
