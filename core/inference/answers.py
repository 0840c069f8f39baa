"""The bytes of an image file to answers: the one way there, for pages, commands and services alike.

    found = answer(data, "seven.png", network)
    found.label, found.probability, found.unfamiliar
    for character in found.found:          # from left to right, line by line
        character.label(found.class_names), character.box

`network` is whatever predicts: a framework's engine, an ONNX session, or a test's own. It says what images it takes
by its `description`, and gives probabilities and, where it can, how unfamiliar images are to it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from core.datasets.decoding import decode, read_header
from core.inference.preprocessing import (
    AUTOMATIC,
    Adjustments,
    Prepared,
    Step,
    draw,
    find_strokes,
    keep_in_form,
    prepare,
)
from core.inference.segmentation import find_characters
from core.training.calibration import apply_temperature
from core.training.checkpoints import Description

Shares = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of a picture's sides."""

_LEAST_PROBABILITY = 1e-6

_ROUNDING = 1e-6
"""What a share of a side loses, in pixels, on its way to a file and back."""


class Network(Protocol):
    """What predicts."""

    @property
    def description(self) -> Description:
        """What it was trained on, and how images are prepared for it."""
        ...

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 `(N, classes)`, of uint8 images `(N, H, W, C)`."""
        ...

    def unfamiliarity(self, pixels: np.ndarray) -> np.ndarray | None:
        """Return how unfamiliar uint8 images `(N, H, W, C)` are, float `(N,)`: above 1 they are nothing it knows.

        None where nothing is known of that.
        """
        ...


class Found(NamedTuple):
    """One thing in a picture, such as a digit.

    Attributes:
        box: where it is in the picture that was prepared: left, top, right, bottom as shares of its sides.
        pixels: what the network saw, uint8 `(H, W, C)`.
        probabilities: of each class, float32 `(classes,)`.
        score: how unfamiliar it is: above 1 it is nothing that the network knows; None where that is not known.
        touching: whether it was cut off a neighbour, so that where it ends is a guess.
    """

    box: Shares
    pixels: np.ndarray
    probabilities: np.ndarray
    score: float | None = None
    touching: bool = False

    @property
    def unfamiliar(self) -> bool:
        """Whether it is nothing that the network knows."""
        return self.score is not None and self.score > 1

    def label(self, class_names: Sequence[str]) -> str:
        """Return the likeliest class."""
        return class_names[int(self.probabilities.argmax())]

    def pixel_box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the box in pixels of a picture of this `size`, width and height: the smallest that holds it."""
        (left, top, right, bottom), (width, height) = self.box, size
        return (
            math.floor(left * width + _ROUNDING),
            math.floor(top * height + _ROUNDING),
            math.ceil(right * width - _ROUNDING),
            math.ceil(bottom * height - _ROUNDING),
        )


class Prediction(NamedTuple):
    """What a network made of an image.

    Attributes:
        steps: how it was brought into the form of the training images, from the image as it came; where there are
            several characters, up to their strokes.
        pixels: what the network saw of the first that was found, uint8 `(H, W, C)`.
        probabilities: of the first that was found, of each class, float32 `(classes,)`.
        class_names: of the data that the network learned from.
        damage: that newer weights were damaged, so that older ones answered, in a sentence; empty if they were not.
        found: what there is in the picture, from left to right, line by line; one at least.
        size: width and height of the image in pixels, upright.
    """

    name: str
    steps: tuple[Step, ...]
    pixels: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    damage: str = ""
    found: tuple[Found, ...] = ()
    size: tuple[int, int] = (0, 0)

    @property
    def label(self) -> str:
        """The likeliest class; of several characters all of theirs, one after another."""
        return "".join(each.label(self.class_names) for each in self.found)

    @property
    def probability(self) -> float:
        """That of the label; of several characters, that all of them are right."""
        return math.prod(float(each.probabilities.max()) for each in self.found)

    @property
    def score(self) -> float | None:
        """How unfamiliar the least familiar of what was found is; None where that is not known."""
        return max((each.score for each in self.found if each.score is not None), default=None)

    @property
    def unfamiliar(self) -> bool:
        """Whether there is anything that the network does not know."""
        return any(each.unfamiliar for each in self.found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before this is believed, a sentence each."""
        told = [self.damage] if self.damage else []
        if 0 < max(self.size) < max(self.pixels.shape[:2]) / 2:
            told.append(
                f"It has only {self.size[0]} × {self.size[1]} pixels, where the network sees {self.pixels.shape[1]} × "
                f"{self.pixels.shape[0]}: a larger image is read more surely."
            )
        if self.unfamiliar:
            told.append(
                "Unlike anything that the network was trained on."
                if len(self.found) == 1
                else "Some of it is unlike anything that the network was trained on."
            )
        if any(each.touching for each in self.found):
            told.append("Some characters touch: where one ends and the next begins is a guess.")
        return tuple(told)


class Unreadable(NamedTuple):
    """An image without an answer, and the reason as a sentence that names it."""

    name: str
    reason: str


def answer(data: bytes, name: str, network: Network, adjustments: Adjustments = AUTOMATIC) -> Prediction:
    """Say what is on the image in the bytes of a file called `name`.

    Raises:
        ValueError: if they are no image, nothing is drawn on it, or the network gives no numbers for it; one sentence
            that names it.
    """
    image = decode(data, name)
    header = read_header(data, name)
    scale = max(header.width, header.height) / max(image.shape[:2])  # large images are decoded smaller
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    try:
        steps, places = _prepare(image, network, adjustments)
    except ValueError as error:
        sentence = str(error)
        raise ValueError(f"{name}: {sentence[:1].lower()}{sentence[1:]}") from None
    pixels = np.stack([place.pixels for place in places])
    probabilities, scores = network.predict(pixels), network.unfamiliarity(pixels)
    if not np.isfinite(probabilities).all():
        raise ValueError(
            f"{name}: expected probabilities, but the network gives what are no numbers, as its weights are too large: "
            "train it again with a lower learning rate."
        )
    found = tuple(
        Found(place.box, place.pixels, shares, None if scores is None else float(scores[i]), place.touching)
        for i, (place, shares) in enumerate(zip(places, probabilities, strict=True))
    )
    names = network.description.class_names
    return Prediction(name, steps, pixels[0], probabilities[0], names, found=found, size=size)


def calibrated(prediction: Prediction, temperature: float) -> Prediction:
    """Return a prediction whose probabilities are those at a temperature, see `core.training.calibration`."""
    if temperature == 1:
        return prediction
    found = tuple(
        each._replace(
            probabilities=apply_temperature(each.probabilities[np.newaxis], temperature)[0].astype(np.float32)
        )
        for each in prediction.found
    )
    return prediction._replace(found=found, probabilities=found[0].probabilities)


def reads_characters(description: Description) -> bool:
    """Say whether a network tells single letters and digits apart, so that several of them make a line."""
    return description.preparation == "handwriting" and all(
        len(name) == 1 and name.isascii() and name.isalnum() for name in description.class_names
    )


class _Place(NamedTuple):
    """Something that was found, before the network sees it."""

    box: Shares
    pixels: np.ndarray
    touching: bool = False


_ALL = (0.0, 0.0, 1.0, 1.0)


def _prepare(image: np.ndarray, network: Network, adjustments: Adjustments) -> tuple[tuple[Step, ...], list[_Place]]:
    """Return the steps of the preparation and what was found.

    Raises:
        ValueError: if nothing is drawn on an image that should hold ink.
    """
    about = network.description
    if adjustments.single or not reads_characters(about):
        prepared = prepare(image, about.preparation, about.input_shape, about.fit, adjustments)
        return prepared.steps, [_Place(_ALL, prepared.pixels)]
    if kept := keep_in_form(image, about.input_shape, adjustments):
        return kept.steps, [_Place(_ALL, kept.pixels)]
    strokes = find_strokes(image, adjustments)
    characters = find_characters(
        strokes.ink, lambda inks: _costs([draw(ink, about.input_shape) for ink in inks], network)
    )
    height, width = strokes.ink.shape
    drawn = [draw(character.ink, about.input_shape) for character in characters]
    places = [
        _Place(
            (character.box[0] / width, character.box[1] / height, character.box[2] / width, character.box[3] / height),
            each.pixels,
            character.cut,
        )
        for character, each in zip(characters, drawn, strict=True)
    ]
    if len(drawn) == 1:
        return strokes.steps + drawn[0].steps, places
    row = np.hstack([np.asarray(Image.fromarray(each.pixels[..., 0]).resize((56, 56))) for each in drawn[:10]])
    told = Step("Characters found", f"{len(drawn)}, each as the network sees it.", row[:, :280])
    return (*strokes.steps, told), places


def _costs(candidates: Sequence[Prepared], network: Network) -> np.ndarray:
    """Return what speaks against each candidate being one character, float `(N,)`: next to nothing is 0."""
    pixels = np.stack([candidate.pixels for candidate in candidates])
    costs = -np.log(np.maximum(network.predict(pixels).max(axis=1), _LEAST_PROBABILITY).astype(float))
    scores = network.unfamiliarity(pixels)
    return costs if scores is None else costs + 2 * np.clip(scores - 0.5, 0, 2)
