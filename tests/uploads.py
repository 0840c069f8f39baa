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


def photographed_line(digits: np.ndarray, generator: np.random.Generator) -> bytes:
    """Digits beside one another in a line, pen on grainy paper, photographed from the side under a shadow.

    `digits` is uint8 `(N, 28, 28)`. Sizes, gaps and heights vary from digit to digit as in handwriting; none touch.
    """
    base = generator.uniform(3.5, 6)
    inks = [_strokes_only(digit, base * generator.uniform(0.88, 1.12)) for digit in digits]
    gaps = generator.uniform(0.12, 0.5, len(digits)) * 20 * base
    margin = round(20 * base)
    sheet = np.zeros((3 * margin, round(2 * margin + sum(ink.shape[1] for ink in inks) + gaps.sum())))
    left = float(margin)
    for ink, gap in zip(inks, gaps, strict=True):
        middle = sheet.shape[0] / 2 + generator.uniform(-0.06, 0.06) * 20 * base
        top = round(middle - ink.shape[0] / 2)
        sheet[top : top + ink.shape[0], round(left) : round(left) + ink.shape[1]] = ink
        left += ink.shape[1] + gap
    return photographed(sheet, generator)


def photographed(sheet: np.ndarray, generator: np.random.Generator) -> bytes:
    """Ink on a sheet, 0 to 1, as grainy paper under a shadow, photographed from the side and not quite in focus."""
    paper = generator.uniform(150, 230) * _light(sheet.shape, generator)
    grain = ndimage.gaussian_filter(generator.normal(0, 1, sheet.shape), 1.5)
    scene = _inked(paper * (1 + 0.015 * grain / grain.std()), sheet, generator.uniform(20, 70))
    scene = ndimage.gaussian_filter(_from_the_side(scene, generator), generator.uniform(0.3, 1.2))
    return _jpeg(scene + generator.normal(0, generator.uniform(1, 4), scene.shape), generator)


def _strokes_only(digit: np.ndarray, scale: float) -> np.ndarray:
    """Return the ink of a digit `scale` times larger, without the black around it."""
    rows, columns = np.nonzero(digit > 64)
    part = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = [max(1, round(side * scale)) for side in part.shape]
    return np.asarray(Image.fromarray(part).resize(size[::-1], Image.Resampling.BICUBIC)) / 255


def _from_the_side(scene: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a picture as it looks from another place: its corners lie up to 7 % of its sides inside the paper."""
    height, width = scene.shape
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], dtype=float)
    shifts = generator.uniform(0, 0.07, (4, 2)) * (height, height) * np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)])
    coefficients = _perspective(corners, corners + shifts)
    turned = _pixels(scene).transform(scene.shape[::-1], Image.Transform.PERSPECTIVE, coefficients, _BICUBIC)
    return np.asarray(turned, dtype=float)


_BICUBIC = Image.Resampling.BICUBIC


def _perspective(corners: np.ndarray, sources: np.ndarray) -> list[float]:
    """Return the eight numbers by which Pillow looks up `sources`, `(4, 2)`, at the places of `corners`."""
    rows = []
    for (x, y), (u, v) in zip(corners, sources, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return list(np.linalg.solve(np.array(rows), sources.ravel()))


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
