"""Windows that slide over an image: what fits, what is padded, and how each framework is told.

    height, width = slide((28, 28, 1), window=3, stride=2, padding="same", what="convolution")
    rows, columns = margins((28, 28, 1), window=3, stride=2, padding="same")      # (0, 1), (0, 1)

'same' pads as TensorFlow does: as many outputs as the stride leaves, and of an odd margin the larger part after.
"""

import math
from typing import Literal

Shape = tuple[int, ...]
Padding = Literal["same", "valid"]
Margin = tuple[int, int]
"""The rows, or columns, that are added before and after."""


def slide(shape: Shape, window: int, stride: int, padding: Padding, what: str) -> tuple[int, int]:
    """Return the height and the width of what a square window gives.

    Args:
        what: the layer's name in the sentence of a refusal, such as "convolution".

    Raises:
        ValueError: if the input is no image, or the window does not fit into it.
    """
    if len(shape) != 3:
        raise ValueError(f"A {what} needs an image (height, width, channels), received {shape}.")
    if padding == "same":
        return math.ceil(shape[0] / stride), math.ceil(shape[1] / stride)
    if min(shape[:2]) < window:
        raise ValueError(
            f"A {what} of {window}×{window} without padding does not fit into {shape[0]}×{shape[1]}: "
            "use padding 'same', a smaller window, or remove a pooling before it."
        )
    return (shape[0] - window) // stride + 1, (shape[1] - window) // stride + 1


def same_padding(size: int, window: int, stride: int) -> Margin:
    """Return how many rows 'same' padding adds before and after `size` rows, as TensorFlow counts them."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def margins(shape: Shape, window: int, stride: int, padding: Padding) -> tuple[Margin, Margin]:
    """Return what is added above and below, and left and right."""
    if padding == "valid":
        return (0, 0), (0, 0)
    return same_padding(shape[0], window, stride), same_padding(shape[1], window, stride)


def are_even(rows: Margin, columns: Margin) -> bool:
    """Return whether each side is padded as its opposite, which is all that an argument of PyTorch's can say."""
    return rows[0] == rows[1] and columns[0] == columns[1]


def pytorch_argument(rows: Margin, columns: Margin) -> str:
    """Return the argument `padding` of a call of PyTorch's for even margins, after a comma; nothing for none."""
    top, left = rows[0], columns[0]
    return f", padding={top if top == left else (top, left)}" if top or left else ""


def pytorch_sides(rows: Margin, columns: Margin) -> tuple[int, int, int, int]:
    """Return margins in the order that PyTorch's padding modules take."""
    return (*columns, *rows)


def onnx_pads(rows: Margin, columns: Margin) -> list[int]:
    """Return margins in the order that ONNX takes."""
    return [rows[0], columns[0], rows[1], columns[1]]
