"""Which value is white, where pixels are no whole numbers from 0 to 255.

white = find_white(maximum=16, fractional=False)      # 16
to_bytes(values, white, "digits.csv")                 # uint8, 255 where the value was 16
"""

import numpy as np

_WHITES = (1, 15, 16, 31)
"""Values of white that are stretched: what is brightest in binary images, of 4 bits, of UCI's digits, of 5 bits."""

_DEEP = (1023, 4095, 16383, 65535)
"""Values of white in images of 10, 12, 14 and 16 bits."""

_DIM = 64
"""Images without a brighter value are told to be nearly black."""


def find_white(maximum: float, minimum: float = 0, *, fractional: bool = False, deep: bool = False) -> float:
    """Return the value of white of pixels from `minimum` to `maximum`.

    Args:
        fractional: whether some have decimals.
        deep: whether they are known to have more than 8 bits.

    Raises:
        ValueError: if the pixels are negative, beyond 16 bits, or far from any usual white; the message says what was
            expected and received.
    """
    if minimum < 0:
        raise ValueError(
            f"whole numbers from 0 to 255, received {minimum:g}: undo the normalisation, or shift and scale the values"
        )
    if maximum <= 255:
        whites = [white for white in _WHITES if maximum <= white]
        if maximum == 0 or not whites:
            return 255
        return 1 if fractional and maximum <= 1 else whites[0]
    whites = [white for white in _DEEP if maximum <= white]
    if not whites or not (deep or maximum >= whites[0] / 2):
        raise ValueError(
            f"whole numbers from 0 to 255, received {maximum:g}: scale them, or choose the value of white (--scale)"
        )
    return whites[0]


def note_on(white: float, maximum: float, name: str) -> str | None:
    """Return what to tell about the brightness of images, None if they are as they should be."""
    if white != 255:
        return (
            f"{name}: the pixels go up to {maximum:g}, so they are stretched to 0 to 255, with {white:g} as white; "
            "choose another value of white (--scale) if that is wrong."
        )
    if 0 < maximum < _DIM:
        return (
            f"{name}: no pixel looked at is brighter than {maximum:g} of 255, so the images are nearly black; choose "
            "the value of white (--scale) to stretch them."
        )
    return None


def to_bytes(values: np.ndarray, white: float, name: str) -> np.ndarray:
    """Return pixels as uint8 of the same shape, `white` becoming 255.

    Raises:
        ValueError: if a value lies outside of 0 to `white`.
    """
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if not values.size or (values.dtype == np.uint8 and white == 255):
        return values
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white):  # also true of NaN
        wrong = low if not low >= 0 else high
        fix = "" if white == 255 else ", as the first ones have: choose the value of white (--scale)"
        raise ValueError(f"{name}: expected pixels from 0 to {white:g}, received {wrong:g}{fix}.")
    if white == 255 and values.dtype.kind in "iu":
        return values.astype(np.uint8)
    return np.rint(values * (255 / white)).astype(np.uint8)
