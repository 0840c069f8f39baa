"""What a person's uploads look like: a digit of MNIST, changed as photographing, drawing or saving changes it.

    for name, change in CHANGES.items():
        data = change(digit, np.random.default_rng(0))     # bytes of a PNG or JPEG file

A digit is uint8 `(28, 28)`, white on black. Every change draws what it varies (sizes, places,
light, noise) from the generator it is given, so the same seed gives the same bytes.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image
from scipy import ndimage


def untouched(digit: np.ndarray, _generator: np.random.Generator) -> bytes:
    """White on black, 28×28: the data set's own form."""
    return _png(digit)


def inverted(digit: np.ndarray, _generator: np.random.Generator) -> bytes:
    """Black on white, 28×28."""
    return _png(255 - digit)


def enlarged(digit: np.ndarray, _generator: np.random.Generator) -> bytes:
    """White on black, three times larger."""
    return _png(_strokes(digit, 3) * 255)


def wide_canvas(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """White on black in a corner of a canvas many times wider than the digit."""
    return _png(_placed(_strokes(digit, 1), (60, 200), generator) * 255)


def cropped_tightly(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """Black on white, cut so close that the strokes touch or nearly touch the edge."""
    ink = _strokes(digit, generator.integers(3, 8))
    rows, columns = np.nonzero(ink > 0.5)
    return _png(255 - 255 * ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


def grey_paper(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """Black ink on grey paper under a soft shadow."""
    ink = _placed(_strokes(digit, 3), (112, 112), generator)
    return _png(_inked(_light(ink.shape, generator) * generator.uniform(150, 200), ink, 25))


def combined(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """All of the above at once with the noise of a camera, saved as JPEG."""
    scale = generator.integers(3, 9)
    ink = _placed(_strokes(digit, scale), (28 * scale + 60, 28 * scale * 2 + 100), generator)
    scene = _inked(_light(ink.shape, generator) * generator.uniform(150, 230), ink, generator.uniform(15, 60))
    return _jpeg(scene + generator.normal(0, generator.uniform(1, 5), scene.shape), generator)


def thin_pen(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """The digit's middle line drawn with a fine dark pen on white."""
    ink = _redrawn(digit, scale=10, width=generator.uniform(3, 8))
    return _png(255 - 230 * _placed(ink, (400, 400), generator))


def thick_pen(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """The digit's middle line drawn with a marker on white, up to a quarter of the digit's height wide."""
    ink = _redrawn(digit, scale=10, width=generator.uniform(25, 50))
    return _png(255 - 255 * _placed(ink, (400, 400), generator))


def drawn_on_nothing(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """A drawing program's file: black or white strokes on a transparent background."""
    ink = _placed(_strokes(digit, 8), (280, 280), generator)
    colour = np.full((*ink.shape, 3), generator.choice([0, 255]))
    return _png(np.dstack([colour, ink * 255]))


def chalk(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """White chalk on an unevenly lit dark board, saved as JPEG."""
    ink = _placed(_strokes(digit, 6), (300, 400), generator)
    scene = _inked(_light(ink.shape, generator) * generator.uniform(40, 80), ink, 220)
    return _jpeg(scene + generator.normal(0, 4, scene.shape), generator)


def phone_photo(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """Blue pen on grainy, dirty paper under a shadow, 2 megapixels, lying on its side until EXIF turns it."""
    ink = _redrawn(digit, scale=generator.integers(20, 36), width=generator.uniform(10, 36))
    ink = _placed(ink, (1600, 1200), generator)
    paper = generator.uniform(140, 235) * _light(ink.shape, generator)
    grain = ndimage.gaussian_filter(generator.normal(0, 1, ink.shape), 2)
    paper *= 1 + 0.02 * grain / grain.std()
    for _ in range(12):
        row, column = generator.integers(20, 1580), generator.integers(20, 1180)
        paper[row : row + generator.integers(2, 7), column : column + generator.integers(2, 7)] *= 0.5
    scene = _inked(paper[..., np.newaxis], ink[..., np.newaxis], np.array([35, 45, 120]))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return _jpeg(np.rot90(scene + generator.normal(0, 3, scene.shape)), generator, exif=exif)


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], bytes]] = {
    change.__name__: change
    for change in (
        untouched,
        inverted,
        enlarged,
        wide_canvas,
        cropped_tightly,
        grey_paper,
        combined,
        thin_pen,
        thick_pen,
        drawn_on_nothing,
        chalk,
        phone_photo,
    )
}


def _strokes(digit: np.ndarray, scale: int) -> np.ndarray:
    """Return how much ink lies on each pixel, 0 to 1, of a digit `scale` times larger."""
    size = (digit.shape[1] * int(scale), digit.shape[0] * int(scale))
    return np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)) / 255


def _redrawn(digit: np.ndarray, scale: int, width: float) -> np.ndarray:
    """Return a digit `scale` times larger whose strokes are all about `width` pixels wide."""
    shape = ndimage.gaussian_filter(_strokes(np.pad(digit, 3), scale), scale / 5) > 0.5
    middle = _thinned(shape[::4, ::4]).repeat(4, axis=0).repeat(4, axis=1)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(~middle), 2)
    return np.clip(width / 2 - distance + 1, 0, 1)


def _thinned(shape: np.ndarray) -> np.ndarray:
    """Return the one pixel wide middle lines of a shape (Zhang and Suen, CACM 27(3), 1984)."""
    shape = np.pad(shape, 1).astype(np.uint8)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            ring = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
            around = np.stack([np.roll(shape, (-row, -column), (0, 1)) for row, column in ring])
            count = around.sum(axis=0)
            turns = ((around == 0) & (np.roll(around, -1, axis=0) == 1)).sum(axis=0)
            up, right, down, left = around[::2]
            free = (up * right * down, right * down * left) if first else (up * right * left, up * down * left)
            gone = (shape == 1) & (count >= 2) & (count <= 6) & (turns == 1) & (free[0] == 0) & (free[1] == 0)
            shape[gone] = 0
            changed |= bool(gone.any())
    return shape[1:-1, 1:-1].astype(bool)


def _placed(ink: np.ndarray, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Lay ink anywhere on an empty sheet of at least `size` pixels."""
    height, width = max(size[0], ink.shape[0]), max(size[1], ink.shape[1])
    top = generator.integers(0, height - ink.shape[0] + 1)
    left = generator.integers(0, width - ink.shape[1] + 1)
    return np.pad(ink, ((top, height - ink.shape[0] - top), (left, width - ink.shape[1] - left)))


def _light(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Return the light on a sheet, about 0.45 to 1: a slope in any direction, darkened by a soft shadow."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] / max(shape)
    slope, shadow = generator.uniform(0, 2 * np.pi, 2)
    along = rows * np.sin(slope) + columns * np.cos(slope)
    across = rows * np.sin(shadow) + columns * np.cos(shadow)
    edge = generator.uniform(across.min(), across.max())
    soft = 1 / (1 + np.exp(-(across - edge) / generator.uniform(0.04, 0.12)))
    sloped = 1 - generator.uniform(0, 0.3) * (along - along.min()) / np.ptp(along)
    return sloped * (1 - generator.uniform(0.1, 0.4) * soft)


def _inked(paper: np.ndarray, ink: np.ndarray, colour: float | np.ndarray) -> np.ndarray:
    """Print ink of a colour on paper; the light that falls on the paper falls on the ink."""
    return paper * (1 - ink) + ink * colour * paper / paper.max()


def _pixels(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    _pixels(values).save(file, "PNG")
    return file.getvalue()


def _jpeg(values: np.ndarray, generator: np.random.Generator, **options: object) -> bytes:
    file = io.BytesIO()
    _pixels(values).save(file, "JPEG", quality=int(generator.integers(50, 91)), **options)
    return file.getvalue()
