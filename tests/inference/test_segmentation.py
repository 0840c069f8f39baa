"""Characters found in a picture: which strokes are one, in which order, and what is no character at all."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.inference.segmentation import find_characters

Boxes = list[tuple[int, int, int, int]]


def picture(*strokes: tuple[Sequence[tuple[int, int]], int], size: tuple[int, int] = (200, 100)) -> np.ndarray:
    """Return ink: each stroke is its points and its width."""
    image = Image.new("L", size)
    for points, width in strokes:
        ImageDraw.Draw(image).line(list(points), fill=255, width=width, joint="curve")
    return np.asarray(image) / 255


def narrow_is_good(inks: Sequence[np.ndarray]) -> np.ndarray:
    """Take what is at most three quarters as wide as it is high for a character."""
    return np.array([4.0 if ink.shape[1] > 0.75 * ink.shape[0] else 0.0 for ink in inks])


def anything_is_good(inks: Sequence[np.ndarray]) -> np.ndarray:
    return np.zeros(len(inks))


def boxes(ink: np.ndarray, rate: Callable = anything_is_good) -> Boxes:
    return [character.box for character in find_characters(ink, rate)]


def upright(x: int, top: int = 20, bottom: int = 80) -> tuple[list[tuple[int, int]], int]:
    return [(x, top), (x, bottom)], 6


def test_strokes_apart_are_characters_from_left_to_right():
    found = boxes(picture(upright(150), upright(30), upright(90)))

    assert [(left + right) // 2 for left, _, right, _ in found] == pytest.approx([30, 90, 150], abs=2)


def test_lines_are_read_one_after_the_other():
    ink = picture(*(upright(x, 110, 170) for x in (150, 30)), *(upright(x, 15, 75) for x in (120, 60)), size=(200, 190))

    assert [box[0] // 10 for box in boxes(ink)] == [5, 11, 2, 14]


def test_a_line_may_rise():
    ink = picture(*(upright(20 + 40 * i, 150 - 25 * i, 210 - 25 * i) for i in range(6)), size=(260, 240))

    assert [box[0] for box in boxes(ink)] == sorted(box[0] for box in boxes(ink))
    assert len(boxes(ink)) == 6


def test_a_bar_belongs_to_the_stroke_beside_it():
    five = [(60, 35), (60, 50), (85, 65), (60, 80)], 5
    bar = [(68, 28), (90, 28)], 5

    assert len(boxes(picture(five, bar, upright(150)))) == 2


def test_specks_and_ruled_lines_and_frames_are_no_characters():
    speck = [(20, 20), (23, 20)], 4
    rule = [(0, 92), (199, 92)], 2
    frame = [(4, 4), (195, 4), (195, 86), (4, 86), (4, 4)], 3

    assert len(boxes(picture(upright(100), speck))) == 1
    assert len(boxes(picture(upright(100), rule))) == 1
    (box,) = boxes(picture(upright(100), frame))
    assert box[2] - box[0] < 15


def test_what_touches_is_cut_where_that_reads_better_and_told():
    left, right = ([(30, 20), (60, 20), (30, 80), (60, 80)], 5), ([(68, 20), (98, 20), (68, 80), (98, 80)], 5)
    joint = [(58, 80), (70, 80)], 5

    one = find_characters(picture(left, right, joint), anything_is_good)
    two = find_characters(picture(left, right, joint), narrow_is_good)

    assert [character.cut for character in one] == [False]
    assert [character.cut for character in two] == [True, True]
    assert two[0].box[2] == pytest.approx(64, abs=6)


def test_a_broken_stroke_stays_one_character_where_that_reads_better():
    pieces = upright(80), upright(89)

    assert len(boxes(picture(*pieces))) == 1
    assert len(boxes(picture(*pieces), lambda inks: np.array([4.0 * (ink.shape[1] > 10) for ink in inks]))) == 2


def test_a_pattern_is_not_read_as_hundreds():
    ink = np.kron(np.indices((20, 40)).sum(axis=0) % 2, np.ones((5, 5))) * np.kron(np.ones((20, 40)), np.eye(5)[::-1])

    assert len(boxes(np.tile(np.pad(ink[:20, :20], 4), (6, 12)))) == 1


def test_a_blank_picture_has_none():
    assert find_characters(np.zeros((10, 10)), anything_is_good) == []
