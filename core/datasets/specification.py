"""What is known about a data set without opening its images."""

from dataclasses import dataclass
from typing import Literal

Preparation = Literal["ink", "photo"]


@dataclass(frozen=True)
class Specification:
    """Names, classes and origin of a data set.

    `preparation` says how an image from outside is brought into the data set's form:
    `ink` finds the strokes, whichever of paper and ink is darker, and centres them as MNIST was
    made; `photo` only converts colour and size.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    preparation: Preparation
    source: str
    licence: str
