"""Made-up images that belong to no class of a data set: letters, signs, scribbles, textures and noise.

    images = make_strangers((28, 28, 1), 500, class_names=("0", "1", …), generator=np.random.default_rng(0))

Letters and signs are drawn with Pillow's own font, turned and slanted, and put where the strokes of MNIST are. Signs
that a class could be taken for, such as an O where there is a 0, are left out.
"""

import string
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from core.networks.layers import Shape

_SIGNS = "?#&@%$*+=<>~^"

_ALIKE = frozenset("OoQDIiLlJjZzSsBbGgqTty")
"""Letters that are written as digits are, by somebody or other."""

_DRAWN = 160
"""The side of what is drawn before it is made small, in pixels."""

_BOX = 20 / 28
"""The share of an image's side that strokes fill, as in MNIST."""


def make_strangers(shape: Shape, count: int, class_names: Sequence[str], generator: np.random.Generator) -> np.ndarray:
    """Make `count` images of `shape`, as many of each kind: uint8 `(N, height, width, channels)`, light on black."""
    known = {name.casefold() for name in class_names}
    letters = [letter for letter in string.ascii_letters if letter.casefold() not in known and letter not in _ALIKE]
    kinds: list[Callable[[np.random.Generator], np.ndarray]] = [
        lambda generator: _character(str(generator.choice(list(_SIGNS))), generator),
        _scribble,
        _texture,
        _noise,
    ]
    if letters:
        kinds.insert(0, lambda generator: _character(str(generator.choice(letters)), generator))
    height, width, channels = shape
    images = [_as_in_data(kinds[i % len(kinds)](generator), (height, width)) for i in range(count)]
    return np.repeat(np.stack(images)[..., np.newaxis], channels, axis=3)


def _character(character: str, generator: np.random.Generator) -> np.ndarray:
    """Return the ink of a letter or sign, turned, slanted, and thinner or thicker than it is printed."""
    image = Image.new("L", (_DRAWN, _DRAWN))
    font = ImageFont.load_default(100)
    ImageDraw.Draw(image).text((_DRAWN / 2, _DRAWN / 2), character, 255, font, anchor="mm", stroke_width=1)
    slant, angle = generator.uniform(-0.25, 0.25), generator.uniform(-12, 12)
    image = image.rotate(angle, Image.Resampling.BILINEAR)
    coefficients = (1, slant, -slant * _DRAWN / 2, 0, 1, 0)
    image = image.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    ink = np.asarray(image) / 255
    reach = int(generator.integers(1, 8))
    return _strokes_of(ndimage.grey_dilation(ink, (reach, reach)))


def _scribble(generator: np.random.Generator) -> np.ndarray:
    """Return the ink of a line that wanders."""
    image = Image.new("L", (_DRAWN, _DRAWN))
    turns = int(generator.integers(6, 14))
    points = [tuple(point) for point in generator.uniform(20, _DRAWN - 20, (turns, 2))]
    ImageDraw.Draw(image).line(points, 255, int(generator.integers(6, 16)), joint="curve")
    return _strokes_of(np.asarray(image) / 255)


def _strokes_of(ink: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero((ink > 0.25).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _texture(generator: np.random.Generator) -> np.ndarray:
    """Return stripes or checks of any direction over the whole image."""
    rows, columns = np.mgrid[-1:1:28j, -1:1:28j]
    angle, waves = generator.uniform(0, np.pi), generator.uniform(4, 25)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    pattern = np.sin(waves * along + generator.uniform(0, 6))
    if generator.random() < 0.5:
        pattern = pattern * np.sin(waves * (rows * np.cos(angle) - columns * np.sin(angle)))
    return np.clip(0.5 + generator.uniform(0.5, 3) * pattern, 0, 1)


def _noise(generator: np.random.Generator) -> np.ndarray:
    """Return noise, fine or coarse, over the whole image."""
    noise = ndimage.gaussian_filter(generator.normal(0, 1, (28, 28)), generator.uniform(0, 2))
    return np.clip(0.5 + generator.uniform(0.2, 1) * noise / noise.std(), 0, 1)


def _as_in_data(ink: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return ink as an image of `size`: strokes in a box by their centre of mass, a pattern all over it."""
    if ink.shape == (28, 28):
        return _bytes(Image.fromarray(ink.astype(np.float32)).resize(size[::-1], Image.Resampling.BILINEAR))
    scale = round(min(size) * _BOX) / max(ink.shape)
    sides = [max(1, round(side * scale)) for side in ink.shape]
    small = np.asarray(Image.fromarray(ink.astype(np.float32)).resize(sides[::-1], Image.Resampling.BOX))
    canvas = np.zeros(size, np.float32)
    top, left = (
        int(np.clip(round(side / 2 - mass), 0, side - length))
        for side, mass, length in zip(size, ndimage.center_of_mass(small), small.shape, strict=True)
    )
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small / small.max()
    return _bytes(canvas)


def _bytes(shares: Image.Image | np.ndarray) -> np.ndarray:
    return np.rint(np.clip(np.asarray(shares), 0, 1) * 255).astype(np.uint8)
