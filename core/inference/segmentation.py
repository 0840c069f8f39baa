"""The characters of a picture of handwriting: which strokes make one together, in the order in which they are read.

    for character in find_characters(ink, rate):
        character.box, character.ink         # where it is, and its strokes alone

Connected strokes are gathered into characters by where they lie. Where that leaves a choice, whoever reads them
decides: `rate` says what candidates cost, and the cheapest division of a line is taken, by dynamic programming over
its pieces (Casey and Lecolinet: A survey of methods and strategies in character segmentation, IEEE PAMI 18(7), 1996,
section 3: recognition-based segmentation). Strokes of characters that touch are cut along the path with the least
ink.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; the last two are the first outside."""

Rate = Callable[[Sequence[np.ndarray]], np.ndarray]
"""What candidates cost: inks, float `(H, W)` of any sizes, to float `(N,)`. Surely one character costs next to 0."""

MOST_CHARACTERS = 60
"""More than these is no writing, but a pattern: it is taken for one thing."""

_INKED = 0.4
"""Ink of at least this strength connects strokes."""

_PART = 0.4
"""What is less high than this share of the line is a part of a character, such as a bar, or dirt."""

_LOW, _CLOSE = 0.7, 0.15
"""A stroke less high than this share of another one, and as close above or below it, is a part of that."""

_DIRT = 0.3
"""A part smaller than this share of the line's height that is near nothing is dirt."""

_NEAR = 0.3
"""A part belongs to what is nearer than this share of the line's height."""

_WIDE = 1.05
"""Strokes that connect over more than this share of the line's height may be two characters that touch."""

_WIDEST = 1.5
"""No character is wider than this share of the line's height, unless it is alone."""

_NARROWEST_CUT = 0.12
"""Nothing narrower than this share of the line's height is cut off."""

_MOST_PIECES = 4
"""So many separate strokes, each as high as a character, can be one together."""

_PRICE, _PRICE_OF_TWO = 0.35, 0.9
"""What a further character costs: of two readings as good, the one with fewer characters is taken. Two strokes alone
are rather one character whose pen was lifted than two."""

_GAP_PRICE = 4.0
"""What a gap as wide as the line is high costs inside a character."""

_CUT_PRICE = 0.6
"""What it costs to cut connected strokes, for each stroke's width that is cut."""

_FRAMED = 0.25
"""A stroke around others that are at least so high, as a share, is a frame."""


class Character(NamedTuple):
    """A character of a picture.

    ink: its strokes alone, float `(H, W)` from 0 to 1, as large as the box.
    cut: whether its strokes were connected with those of a neighbour, so that where it ends is a guess.
    """

    box: Box
    ink: np.ndarray
    cut: bool


def find_characters(ink: np.ndarray, rate: Rate) -> list[Character]:
    """Find the characters of a picture, line by line from the top, from left to right.

    Args:
        ink: float `(H, W)`, 1 where ink is full and 0 on paper.

    Returns:
        At least one, if there is any ink.
    """
    pieces = _without_frames(_strokes(ink), ink.shape)
    height = _line_height(pieces)
    pieces = _gathered(pieces, height)
    if len(pieces) > MOST_CHARACTERS:
        return [_character(_united(pieces), cut=False)]
    return [character for line in _lines(pieces) for character in _divided(line, rate)]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some strokes: their ink, zero elsewhere, and the box around it. `cuts` are what it cost to cut it off on the
    left and on the right, None where it was not."""

    box: Box
    ink: np.ndarray
    cuts: tuple[float | None, float | None] = (None, None)

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def weight(self) -> float:
        return float(self.ink.sum())


def _strokes(ink: np.ndarray) -> list[_Piece]:
    """Return what is connected, each with the faint ink around it."""
    labels, count = ndimage.label(ink >= _INKED, np.ones((3, 3)))
    if not count:
        return []
    # Faint ink, at most two pixels from a stroke, goes with it.
    around = np.where(labels, labels, ndimage.maximum_filter(labels, 5))
    boxes = ndimage.find_objects(labels)
    pieces = []
    for number, (rows, columns) in enumerate(boxes, start=1):
        rows = slice(max(0, rows.start - 2), min(ink.shape[0], rows.stop + 2))
        columns = slice(max(0, columns.start - 2), min(ink.shape[1], columns.stop + 2))
        own = ink[rows, columns] * (around[rows, columns] == number)
        pieces.append(_trimmed(_Piece((columns.start, rows.start, columns.stop, rows.stop), own)))
    return pieces


def _trimmed(piece: _Piece) -> _Piece:
    """Return a piece in the smallest box."""
    rows, columns = (np.flatnonzero((piece.ink >= _INKED).any(axis=axis)) for axis in (1, 0))
    left, top, _, _ = piece.box
    box = (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    return _Piece(box, piece.ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], piece.cuts)


def _united(pieces: Sequence[_Piece]) -> _Piece:
    """Return several pieces as one; the faint ink at their edges stays as far as the boxes reach."""
    if len(pieces) == 1:
        return pieces[0]
    left, top = (min(piece.box[i] for piece in pieces) for i in (0, 1))
    right, bottom = (max(piece.box[i] for piece in pieces) for i in (2, 3))
    ink = np.zeros((bottom - top, right - left))
    for piece in pieces:
        place = ink[piece.box[1] - top : piece.box[3] - top, piece.box[0] - left : piece.box[2] - left]
        np.maximum(place, piece.ink, out=place)
    return _Piece((left, top, right, bottom), ink, (pieces[0].cuts[0], pieces[-1].cuts[1]))


def _character(piece: _Piece, *, cut: bool) -> Character:
    return Character(piece.box, piece.ink, cut)


def _without_frames(pieces: list[_Piece], size: tuple[int, ...]) -> list[_Piece]:
    """Leave out strokes that are drawn around others or beneath them: frames and the lines of ruled paper."""
    kept = [piece for piece in pieces if not _is_frame(piece, pieces) and not _is_rule(piece, pieces, size)]
    return kept or pieces


def _is_frame(piece: _Piece, pieces: list[_Piece]) -> bool:
    """Say whether a thin stroke runs around another one that is not just a speck."""
    inside = [
        other
        for other in pieces
        if other is not piece
        and all(a <= b for a, b in zip(piece.box[:2], other.box[:2], strict=True))
        and all(a >= b for a, b in zip(piece.box[2:], other.box[2:], strict=True))
    ]
    return (
        any(other.height >= _FRAMED * piece.height for other in inside)
        and piece.weight < 0.35 * piece.width * piece.height
    )


def _is_rule(piece: _Piece, pieces: list[_Piece], size: tuple[int, ...]) -> bool:
    """Say whether a stroke is a long thin line across the picture, beside anything that is higher."""
    return (
        piece.width >= 0.5 * size[1]
        and piece.width >= 10 * piece.height
        and any(other.height > 2 * piece.height for other in pieces)
    )


def _line_height(pieces: list[_Piece]) -> float:
    """Return how high characters are: the median of the strokes that are no mere parts, by the largest."""
    highest = max((piece.height for piece in pieces), default=0)
    return float(np.median([piece.height for piece in pieces if piece.height >= 0.5 * highest] or [highest]))


def _gathered(pieces: list[_Piece], height: float) -> list[_Piece]:
    """Give each part, such as the bar of a 5, to the character that it is next to; leave out dirt."""
    parts = [piece for piece in pieces if piece.height < _PART * height or _lies_upon(piece, pieces)]
    whole = [[piece] for piece in pieces if piece not in parts]
    for part in sorted(parts, key=lambda piece: -piece.weight):
        distances = [min(_distance(part, piece) for piece in group) for group in whole]
        nearest = int(np.argmin(distances))
        if distances[nearest] <= _NEAR * height:
            whole[nearest].append(part)
        elif max(part.height, part.width) >= _DIRT * height and part.width < 3 * part.height:
            whole.append([part])
    return [_united(group) for group in whole]


def _lies_upon(piece: _Piece, pieces: list[_Piece]) -> bool:
    """Say whether a piece lies closely above or below a higher one, as the bar of a 5 does that rises."""
    return any(
        piece.height < _LOW * other.height
        and min(piece.box[2], other.box[2]) - max(piece.box[0], other.box[0]) > 0.3 * min(piece.width, other.width)
        and _distance(piece, other) < _CLOSE * other.height
        for other in pieces
        if other is not piece
    )


def _distance(one: _Piece, other: _Piece) -> float:
    """Return how far two boxes are apart."""
    across = max(one.box[0], other.box[0]) - min(one.box[2], other.box[2])
    down = max(one.box[1], other.box[1]) - min(one.box[3], other.box[3])
    return float(np.hypot(max(across, 0), max(down, 0)))


def _lines(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Sort pieces into lines from the top, each from left to right.

    A piece goes on with the line whose last one it overlaps most in height: lines may rise or fall.
    """
    lines: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.box[0] + piece.box[2]):
        shares = [_shared_height(piece, line[-1]) for line in lines]
        if shares and max(shares) >= 0.3:
            lines[int(np.argmax(shares))].append(piece)
        else:
            lines.append([piece])
    return sorted(lines, key=lambda line: np.mean([piece.box[1] + piece.box[3] for piece in line]))


def _shared_height(one: _Piece, other: _Piece) -> float:
    """Return which share of the lower one's height two pieces have in common."""
    common = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return common / min(one.height, other.height)


def _divided(line: list[_Piece], rate: Rate) -> list[Character]:
    """Divide a line into characters at the least cost."""
    height = float(np.median([piece.height for piece in line]))
    pieces = [part for piece in line for part in _cut(piece, height)]
    spans = list(_spans(pieces, height))
    if len(spans) == len(pieces):  # there is no choice
        return [_character(piece, cut=False) for piece in pieces]
    wholes = [_united(pieces[first:end]) for first, end in spans]
    costs = rate([whole.ink for whole in wholes])
    price = _PRICE if sum(piece.cuts[0] is None for piece in pieces) > 2 else _PRICE_OF_TWO
    prices = {
        span: price + cost + _price_of_shape(pieces[span[0] : span[1]], whole, height)
        for span, whole, cost in zip(spans, wholes, costs, strict=True)
    }
    found = dict(zip(spans, wholes, strict=True))
    return [
        _character(found[span], cut=any(price is not None for price in found[span].cuts))
        for span in _cheapest(prices, len(pieces))
    ]


def _spans(pieces: list[_Piece], height: float) -> Iterator[tuple[int, int]]:
    """Yield which pieces in a row can be one character, as the first one and the first that follows."""
    for first in range(len(pieces)):
        for end in range(first + 1, len(pieces) + 1):
            some = pieces[first:end]
            if end > first + 1:
                separate = sum(piece.cuts[0] is None for piece in some)
                gaps = [_gap(one, other) for one, other in pairwise(some)]
                width = max(piece.box[2] for piece in some) - min(piece.box[0] for piece in some)
                if max(gaps) > _NEAR * height or separate > _MOST_PIECES:
                    break
                if separate > 1 and width > _WIDEST * height:
                    break
            yield first, end


def _gap(one: _Piece, other: _Piece) -> float:
    """Return how far apart two neighbours of a line are; less than 0 where one reaches over the other."""
    return other.box[0] - one.box[2]


def _price_of_shape(pieces: list[_Piece], whole: _Piece, height: float) -> float:
    """Return what speaks against pieces as one character, by their shape alone."""
    gaps = [max(_gap(one, other), -0.1 * height) / height for one, other in pairwise(pieces) if other.cuts[0] is None]
    wide = max(0.0, whole.width / height - _WIDE)
    thin = 4 * max(0.0, _NARROWEST_CUT - whole.width / height) if any(cut is not None for cut in whole.cuts) else 0
    cut = sum(price for price in whole.cuts if price is not None) / 2  # the neighbour pays the other half
    return _GAP_PRICE * sum(gaps) + wide + thin + cut


def _cheapest(prices: dict[tuple[int, int], float], count: int) -> list[tuple[int, int]]:
    """Return the spans that together are all of `count` pieces at the least price."""
    best: list[tuple[float, list[tuple[int, int]]]] = [(0.0, [])]
    for end in range(1, count + 1):
        best.append(
            min(
                (
                    (best[first][0] + price, [*best[first][1], (first, last)])
                    for (first, last), price in prices.items()
                    if last == end
                ),
                key=lambda choice: choice[0],
            )
        )
    return best[-1][1]


def _cut(piece: _Piece, height: float) -> list[_Piece]:
    """Cut connected strokes wherever two characters may touch; most cuts will be undone again."""
    if piece.width <= _WIDE * height:
        return [piece]
    stroke = _stroke_width(piece.ink)
    places = _narrows(piece.ink, height)
    if not places:
        return [piece]
    reach = max(2, round(0.15 * height))
    paths = [_path(piece.ink, place, reach) for place in places]
    columns = np.arange(piece.width)
    pieces = []
    edges = [(np.zeros(piece.height, int), None), *paths, (np.full(piece.height, piece.width), None)]
    for (left, left_price), (right, right_price) in pairwise(edges):
        own = piece.ink * ((columns >= left[:, None]) & (columns < right[:, None]))
        if (own >= _INKED).any():
            prices = tuple(
                None if crossed is None else _CUT_PRICE * max(1.0, crossed / stroke)
                for crossed in (left_price, right_price)
            )
            pieces.append(_trimmed(_Piece(piece.box, own, (prices[0], prices[1]))))
    return pieces


def _stroke_width(ink: np.ndarray) -> float:
    """Return the strokes' mean width in pixels; those across a stroke of width w lie w/4 from its edge on average."""
    inked = np.pad(ink >= _INKED, 1)
    return float(4 * (ndimage.distance_transform_edt(inked)[inked].mean() - 0.5))


def _narrows(ink: np.ndarray, height: float) -> list[int]:
    """Return the columns where there is less ink than beside them, at least an eighth of the height apart."""
    least = max(2, round(_NARROWEST_CUT * height))
    profile = ndimage.gaussian_filter1d(ink.sum(axis=0), 0.03 * height)
    lowest = ndimage.minimum_filter1d(profile, 2 * least + 1)
    places = [int(i) for i in np.flatnonzero(profile <= lowest) if least <= i < ink.shape[1] - least]
    return [place for i, place in enumerate(places) if i == 0 or place - places[i - 1] >= least]


def _path(ink: np.ndarray, column: int, reach: int) -> tuple[np.ndarray, float]:
    """Find the way from the top to the bottom, near a column, that crosses the least ink.

    Returns:
        The column of each row, int `(H,)`, and how much ink lies on the way.
    """
    first = max(0, column - reach)
    part = ink[:, first : column + reach + 1]
    cost = part + 0.01 * np.abs(np.arange(part.shape[1]) + first - column) / reach
    total = cost.copy()
    for row in range(1, len(cost)):
        before = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(before[:-2] + 0.01, before[2:] + 0.01), before[1:-1])
    way = np.empty(len(cost), int)
    way[-1] = total[-1].argmin()
    for row in range(len(cost) - 2, -1, -1):
        begin = max(0, way[row + 1] - 1)
        way[row] = begin + total[row, begin : way[row + 1] + 2].argmin()
    return way + first, float(part[np.arange(len(cost)), way].sum())
