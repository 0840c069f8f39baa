"""An image from outside to pixels as a network's training data look, with every step to show.

    prepared = prepare(pixels, "handwriting", shape=(28, 28, 1))
    prepared.pixels                       # uint8 (28, 28, 1)
    for step in prepared.steps:           # what was done, as small images
        print(step.title, step.explanation, step.image.shape)

    strokes = find_strokes(pixels, Adjustments(angle=10))     # the same in two halves, for several characters
    draw(strokes.ink[10:60, 20:70], (28, 28, 1))              # one of them

`photo` data are cropped to the right proportions and resized. `handwriting` data are made as MNIST was: the
strokes are found on their paper, scaled into a box of 20×20 and put into 28×28 by their centre of mass
(LeCun, Bottou, Bengio and Haffner: Gradient-based learning applied to document recognition, Proceedings
of the IEEE 86(11), 1998, section III.A). The paper is estimated from what is not ink and divided out,
after Gatos, Pratikakis and Perantonis: Adaptive degraded document image binarization, Pattern
Recognition 39(3), 2006.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from core.datasets.conversion import in_proportion
from core.datasets.specification import Fit, Preparation

_STEP_SIDE = 280
"""The longest side of a step's image, in pixels."""

_BOX = 20 / 28
"""The side of the box that MNIST's digits fill, as a share of the image's side."""

_EDGE = 0.25
"""Ink of at least this strength counts for where a digit ends; MNIST's digits end so in all their 20×20 boxes."""

_LEAST_CONTRAST = 0.1
"""What has less contrast with the paper, from 0 to 1, is paper."""

_FAINTEST_INK = 0.19
"""Strokes with less contrast, where they are fullest, are the edge of a shadow rather than ink."""

_DARKEST_PAPER = 32
"""Paper of less than this brightness, of 255, counts as this bright: its ratio to the ink means nothing."""

_LEAST_SIZE = 0.02
"""A drawing smaller than this share of the image's longer side is dirt."""

_SPECK = 0.02
"""A blot with less ink than this share of the largest one is dirt."""

_THIN, _THICKENED, _DOWNSAMPLED, _THICK = 0.08, 0.12, 0.16, 0.18
"""Stroke widths as shares of a digit's longer side: what is too thin becomes `_THICKENED`, what is too thick
`_DOWNSAMPLED`. Of MNIST's digits 90 % lie between 0.08 and 0.19, the median is 0.12."""

_FITTED: dict[Fit, tuple[str, str]] = {
    "crop": ("Cropped", "The middle, in the proportions of the training images."),
    "pad": ("Padded", "All of it, on its edges' colour, in the proportions of the training images."),
}
"""The title and explanation of the step that brings an image into the right proportions."""


class Step(NamedTuple):
    """One thing that was done; `image` is uint8 `(H, W)` or `(H, W, 3)`, at most 280 pixels a side."""

    title: str
    explanation: str
    image: np.ndarray


class Prepared(NamedTuple):
    """What the network sees, uint8 `(H, W, C)`, and the steps that led there."""

    pixels: np.ndarray
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Adjustments:
    """What people choose themselves of how their image is prepared; as it is, all is found out.

    Attributes:
        crop: what is kept of the image: left, top, right and bottom as shares of its sides.
        angle: by how many degrees it is turned, against the clock.
        invert: whether the ink is lighter than the paper.
        threshold: how strong ink is at least, as a share of the strongest.
        single: whether all ink is one character.
    """

    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    angle: float = 0.0
    invert: bool | None = None
    threshold: float | None = None
    single: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ValueError: if one of them is out of its range.
        """
        left, top, right, bottom = self.crop
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(
                f"Crop: expected shares from 0 to 1, left before right and top before bottom, received {self.crop}."
            )
        if not -180 <= self.angle <= 180:
            raise ValueError(f"Angle: expected degrees from -180 to 180, received {self.angle:g}.")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"Threshold: expected a share between 0 and 1, received {self.threshold:g}.")


AUTOMATIC = Adjustments()


class Strokes(NamedTuple):
    """The strokes of a picture, 1 where ink is full and 0 on the paper, float `(H, W)`, and the steps to them."""

    ink: np.ndarray
    steps: tuple[Step, ...]


def prepare(
    image: np.ndarray,
    preparation: Preparation,
    shape: tuple[int, int, int],
    fit: Fit = "crop",
    adjustments: Adjustments = AUTOMATIC,
) -> Prepared:
    """Bring RGB pixels, uint8 `(H, W, 3)`, into the form of a data set with images of `shape`.

    `fit` says how a photo of other proportions is brought into those, as it was done with the training images.

    The first step is the image as it came.

    Raises:
        ValueError: if nothing is drawn on an image that should hold ink.
    """
    if preparation == "photo":
        return _prepare_photo(image, shape, fit, adjustments)
    if kept := keep_in_form(image, shape, adjustments):
        return kept
    strokes = find_strokes(image, adjustments)
    drawn = draw(strokes.ink, shape)
    return Prepared(drawn.pixels, strokes.steps + drawn.steps)


def _received(image: np.ndarray) -> Step:
    return Step("Received", "The image as it came.", _small(image))


def _prepare_photo(image: np.ndarray, shape: tuple[int, int, int], fit: Fit, adjustments: Adjustments) -> Prepared:
    height, width, channels = shape
    chosen, steps = _adjusted(image, adjustments)
    if adjustments.invert:
        chosen = 255 - chosen
        steps.append(Step("Inverted", "Light is dark, as you have chosen.", _small(chosen)))
    cropped = in_proportion(Image.fromarray(chosen), (height, width), fit)
    resized = cropped.resize((width, height), Image.Resampling.LANCZOS)
    if channels == 1:
        resized = resized.convert("L")
    return Prepared(
        np.array(resized).reshape(shape),
        (
            *steps,
            *([] if fit == "squeeze" else [Step(*_FITTED[fit], _small(np.asarray(cropped)))]),
            Step("Resized", f"{width}×{height} pixels: what the network sees.", np.asarray(resized)),
        ),
    )


def _adjusted(image: np.ndarray, adjustments: Adjustments) -> tuple[np.ndarray, list[Step]]:
    """Crop and turn an image as chosen; return it and the steps so far, the last of which shows it."""
    steps = [_received(image)]
    height, width = image.shape[:2]
    left, top, right, bottom = (
        round(share * side) for share, side in zip(adjustments.crop, (width, height) * 2, strict=True)
    )
    if (left, top, right, bottom) != (0, 0, width, height):
        image = image[top : max(bottom, top + 1), left : max(right, left + 1)]
        steps.append(Step("Cut out", "The part that you have chosen.", _small(image)))
    if adjustments.angle:
        edge = np.concatenate([image[[0, -1]].reshape(-1, 3), image[:, [0, -1]].reshape(-1, 3)])
        turned = Image.fromarray(image).rotate(
            adjustments.angle,
            Image.Resampling.BICUBIC,
            expand=True,
            fillcolor=tuple(int(value) for value in np.median(edge, axis=0)),
        )
        image = np.asarray(turned)
        steps.append(Step("Turned", f"By {adjustments.angle:g}°, as you have chosen.", _small(image)))
    return image, steps


def keep_in_form(image: np.ndarray, shape: tuple[int, int, int], adjustments: Adjustments) -> Prepared | None:
    """Return an image as it is if it already looks as a data set of handwriting, with images of `shape`, does."""
    grey = np.asarray(Image.fromarray(image).convert("L"))
    if adjustments != AUTOMATIC or not _is_in_form(grey, shape[:2]):
        return None
    kept = Step("Kept", "It already looks as the training images do.", grey)
    return Prepared(_with_channels(grey, shape[2]), (_received(image), _greyed(grey), kept))


def _greyed(grey: np.ndarray) -> Step:
    return Step("Grey", "Only brightness counts, colours do not.", _small(grey))


def find_strokes(image: np.ndarray, adjustments: Adjustments = AUTOMATIC) -> Strokes:
    """Find the strokes on RGB pixels, uint8 `(H, W, 3)`, whichever of paper and ink is darker.

    Raises:
        ValueError: if there are none.
    """
    image, steps = _adjusted(image, adjustments)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    steps.append(_greyed(grey))

    contrast, dark = _divide_out_paper(grey, adjustments.invert)
    found = f"{'Dark on light' if dark else 'Light on dark'}: turned to white on black."
    steps.append(Step("Paper removed", f"{found} Shadows are evened out.", _small(_as_bytes(contrast))))

    ink = _clean_strokes(contrast, adjustments.threshold)
    steps.append(Step("Ink found", "Grain and specks of dirt are gone.", _small(_as_bytes(ink))))
    return Strokes(ink, tuple(steps))


def draw(ink: np.ndarray, shape: tuple[int, int, int]) -> Prepared:
    """Draw the strokes of one character, float `(H, W)` from 0 to 1, as MNIST's were, into an image of `shape`."""
    height, width, channels = shape
    steps = []
    ink = _crop(ink)
    steps.append(Step("Cropped", "Only the strokes matter, not where they were.", _small(_as_bytes(ink))))

    stroke = _stroke_width(ink)
    if not _THIN <= stroke <= _THICK:
        ink = _redraw(ink, stroke)
        done = "Thickened" if stroke < _THIN else "Thinned"
        steps.append(Step(done, "Strokes as wide as in the training images.", _small(_as_bytes(ink))))

    side = round(min(height, width) * _BOX)
    ink = _scale(ink, side)
    steps.append(Step("Scaled", f"The longer side is {side} pixels.", _as_bytes(ink)))

    pixels = _as_bytes(_centre(ink, (height, width)))
    steps.append(Step("Centred", f"{width}×{height} pixels with the centre of mass in the middle.", pixels))
    return Prepared(_with_channels(pixels, channels), tuple(steps))


def _is_in_form(grey: np.ndarray, size: tuple[int, int]) -> bool:
    """Say whether an image is white on black, and scaled and centred as MNIST's are."""
    if grey.shape != size or np.median(np.concatenate([grey[[0, -1]].ravel(), grey[:, [0, -1]].ravel()])) > 0:
        return False
    ink = grey / 255
    if ink.max() < 0.9 or max(_crop(ink).shape) != round(min(size) * _BOX):
        return False
    return all(abs(mass - side / 2) <= 0.5 for mass, side in zip(ndimage.center_of_mass(ink), size, strict=True))


def _divide_out_paper(grey: np.ndarray, inverted: bool | None = None) -> tuple[np.ndarray, bool]:
    """Find out which of paper and ink is darker, unless that is known, and make the paper 0 everywhere.

    Returns:
        The contrast of each pixel with the paper, float `(H, W)`, and whether the ink is the darker one.
        Dark ink is measured as a share of the paper's brightness, since that is what shadows leave alone;
        light ink as a share of white, since dark paper has next to no brightness to compare with.
    """
    small = np.asarray(Image.fromarray(grey).reduce(max(1, round(max(grey.shape) / 96))), dtype=float)
    # Ink is what deviates far and to one side; noise and shadows deviate less or to both.
    dark = bool(((small - _continued_edge(small)) ** 3).sum() <= 0) if inverted is None else not inverted
    values = grey.astype(float)
    if not dark:
        small, values = 255 - small, 255 - values
    # A closing wider than any stroke puts the paper beside a stroke in its place and follows soft shadows.
    paper = ndimage.grey_closing(ndimage.median_filter(small, 3), max(3, round(0.35 * max(small.shape))))
    for _ in range(3):
        contrast = _contrast(small, paper, dark)
        inked = contrast > max(0.35 * np.percentile(contrast, 99.5), 3 * _noise(contrast), _LEAST_CONTRAST)
        paper = _filled(small, ~ndimage.binary_dilation(inked), sigma=0.06 * max(small.shape))
    whole = np.asarray(Image.fromarray(paper.astype(np.float32)).resize(grey.shape[::-1], Image.Resampling.BILINEAR))
    return _contrast(values, whole, dark), dark


def _contrast(values: np.ndarray, paper: np.ndarray, dark: bool) -> np.ndarray:
    """Return the ink's strength; `values` and `paper` are negatives where the ink is the lighter one."""
    return (paper - values) / (np.maximum(paper, _DARKEST_PAPER) if dark else 255)


def _continued_edge(grey: np.ndarray) -> np.ndarray:
    """Continue the outermost pixels inwards as a quadratic surface, float `(H, W)`.

    Least absolute deviations by reweighted least squares, so that ink at the edge hardly counts.
    """
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, side) for side in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(rows), rows, columns, rows * columns, rows**2, columns**2], axis=-1)
    margin = max(1, round(0.04 * max(grey.shape)))
    edge = np.ones(grey.shape, dtype=bool)
    edge[margin:-margin, margin:-margin] = False
    known, target = terms[edge], grey[edge]
    penalty = np.diag([0, 0.003, 0.003, 0.02, 0.02, 0.02])  # flat where little of the edge is paper
    error = target - np.median(target)
    for _ in range(10):
        weights = 1 / (1 + np.abs(error))
        weighted = known.T * (weights / weights.sum())
        surface = np.linalg.solve(weighted @ known + penalty, weighted @ target)
        error = target - known @ surface
    return terms @ surface


def _filled(values: np.ndarray, known: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth the known values and continue them over the others (normalised convolution)."""
    known = known + 1e-6
    return ndimage.gaussian_filter(values * known, sigma) / ndimage.gaussian_filter(known, sigma)


def _noise(contrast: np.ndarray) -> float:
    """Return how far the paper strays from its estimate; measured where it is brighter, where no ink can be."""
    brighter = contrast[contrast < 0]
    return float(np.sqrt(np.mean(brighter**2))) if brighter.size else 0.0


def _clean_strokes(contrast: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the strokes alone, 1 where the ink is full and 0 on the paper, float `(H, W)`.

    With a `threshold`, a share of the fullest ink, what is fainter is no stroke.

    Raises:
        ValueError: if there are none.
    """
    if _noise(contrast) > 0.005:
        contrast = ndimage.gaussian_filter(contrast, 0.7)
    noise = _noise(contrast)
    inked = contrast[contrast > max(6 * noise, _LEAST_CONTRAST)]
    full = np.percentile(inked, 80) if inked.size else 0.0
    least = max(0.4 * full, 4 * noise) if threshold is None else threshold * full
    blots, count = ndimage.label(contrast > least, np.ones((3, 3)))
    weights = ndimage.sum_labels(contrast, blots, np.arange(count + 1))
    weights[0] = 0
    size = max(_crop(blots == weights.argmax()).shape) if count else 0
    if full < _FAINTEST_INK or size < max(5, _LEAST_SIZE * max(contrast.shape)):
        raise ValueError(
            "Expected a drawing or a photograph of one, received an image without clear strokes: use a darker or "
            "thicker pen, or move closer."
        )
    strokes = (weights > _SPECK * weights.max())[blots]
    full = np.percentile(contrast[strokes], 75)
    floor = min(0.3 * full, 3 * noise) if threshold is None else 0.8 * least
    near = ndimage.binary_dilation(strokes, np.ones((3, 3)), iterations=2)
    return np.clip((contrast - floor) / (full - floor), 0, 1) * near


def _crop(ink: np.ndarray) -> np.ndarray:
    """Cut a drawing to the rows and columns where ink is."""
    rows, columns = (np.flatnonzero((ink >= _EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stroke_width(ink: np.ndarray) -> float:
    """Return the strokes' mean width as a share of the drawing's longer side.

    The pixels across a stroke of width w lie w/4 from its edge on average.
    """
    inked = np.pad(ink > 0.5 * ink.max(), 1)
    depth = ndimage.distance_transform_edt(inked)[inked] - 0.5
    return 4 * depth.mean() / max(ink.shape)


def _redraw(ink: np.ndarray, stroke: float) -> np.ndarray:
    """Move the edge of the strokes, which are `stroke` wide, outwards or inwards until their width is usual."""
    fine = _scale(ink, max(200, *ink.shape))
    usual = _THICKENED if stroke < _THIN else _DOWNSAMPLED
    # Both the stroke and the drawing grow, on both sides: (stroke + 2 growth) / (1 + 2 growth) = usual.
    growth = (usual - stroke) / (1 - usual) / 2 * max(fine.shape)
    inked = np.pad(fine > 0.5, max(0, round(growth)) + 2)
    distance = ndimage.distance_transform_edt(inked) - ndimage.distance_transform_edt(~inked)
    redrawn = np.clip(distance + growth + 0.5, 0, 1)
    return _crop(redrawn) if redrawn.max() >= _EDGE else ink


def _scale(ink: np.ndarray, side: int) -> np.ndarray:
    """Resize a drawing, smoothly, so that its longer side is `side` pixels and its darkest ink is 1 again."""
    scale = side / max(ink.shape)
    if scale == 1:
        return ink
    size = [max(1, round(length * scale)) for length in ink.shape]
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    scaled = np.asarray(Image.fromarray(ink.astype(np.float32)).resize(size[::-1], method), dtype=float)
    return np.clip(scaled / np.percentile(scaled, 99), 0, 1)


def _centre(ink: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Put a drawing on black with its centre of mass in the middle, but never over the edge."""
    corner = [
        min(max(round(side / 2 - mass), 0), side - length)
        for side, mass, length in zip(size, ndimage.center_of_mass(ink), ink.shape, strict=True)
    ]
    canvas = np.zeros(size)
    canvas[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]] = ink
    return canvas


def _with_channels(grey: np.ndarray, channels: int) -> np.ndarray:
    return np.repeat(grey[..., np.newaxis], channels, axis=2)


def _as_bytes(share: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _small(image: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    picture.thumbnail((_STEP_SIDE, _STEP_SIDE), Image.Resampling.BOX)
    return np.asarray(picture)
