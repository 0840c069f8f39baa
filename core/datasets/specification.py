"""What is known about a data set without opening its images."""

from dataclasses import dataclass
from typing import Literal

Preparation = Literal["handwriting", "photo"]

Fit = Literal["crop", "pad", "squeeze"]
"""How an image of other proportions becomes one of the data set's: its middle, all of it on edges of its own
colour, or all of it out of proportion."""

FORMER_PREPARATIONS: dict[str, Preparation] = {"ink": "handwriting"}
"""What earlier versions of Duet have stored."""


@dataclass(frozen=True)
class Specification:
    """Names, classes and origin of a data set.

    `name` is what runs record and never changes; `title` is what people read and may be changed.

    `preparation` says how an image from outside is brought into the data set's form:
    `handwriting` finds the strokes, whichever of paper and ink is darker, and centres them as MNIST was
    made; `photo` only converts colour and size.

    `fit` says how an image of other proportions is brought into those of the data set, unless it is handwriting.

    `validation_images` is how many of the training images, the last ones, came with the data to validate on.

    What is not `bundled` was imported or fetched, and can be renamed and deleted.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    preparation: Preparation
    source: str
    licence: str
    bundled: bool = False
    fit: Fit = "crop"
    validation_images: int = 0
