"""The images that the body of a request brings: one file as it is, a form with files, or pixels as JSON.

for name, data in images_of(body, content_type):
    ...
"""

import json
import math
from typing import Any, NoReturn

import numpy as np
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, FormParser, parse_options_header

from core.datasets.inspection.gallery import png

MOST_IMAGES = 200
"""So many images are taken in one request, as on the Predict page."""

MAX_JSON_BYTES = 8 * 2**20
"""The longest JSON: some 2,000 digits, or a photograph of a megapixel. As objects they take ten times it."""

_LONGEST_NAME = 200

_EXPECTED_PIXELS = 'expected {"images": [image, …]}, each image rows of numbers from 0 to 255 or of [red, green, blue]'


class RequestError(ValueError):
    """A body that brings no images; the message is a sentence, `status` that of the answer."""

    def __init__(self, sentence: str, status: int = 400):
        super().__init__(sentence)
        self.status = status


def images_of(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """Return the name and the bytes, as a file has them, of each image in a body; pixels become a PNG.

    What is neither JSON nor a form is one image file, whatever type is said: the decoder finds out by itself.

    Raises:
        RequestError: if there are none, or too many.
    """
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return _images_of_form(body, options.get(b"boundary", b""))
    if kind == b"application/json":
        return _images_of_json(body)
    if not body:
        raise RequestError("Body: expected an image, received nothing.")
    return [("image", body)]


def _images_of_form(body: bytes, boundary: bytes) -> list[tuple[str, bytes]]:
    images: list[tuple[str, bytes]] = []

    def take(file: File) -> None:
        _check_count(len(images) + 1)
        name = (file.file_name or b"").decode(errors="replace")[:_LONGEST_NAME]
        file.file_object.seek(0)
        images.append((name or "image", file.file_object.read()))

    if not boundary:
        raise RequestError("Content-Type: expected multipart/form-data with a boundary, received none.")
    in_memory = {"MAX_MEMORY_FILE_SIZE": math.inf}  # the body is there already
    try:
        parser = FormParser("multipart/form-data", None, take, boundary=boundary, config=in_memory)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(
            f"Body: expected a form of files, multipart/form-data, but it is damaged ({error})."
        ) from None
    if not images:
        raise RequestError("Body: expected a form with at least one file, received none.", 422)
    return images


def _images_of_json(body: bytes) -> list[tuple[str, bytes]]:
    if len(body) > MAX_JSON_BYTES:
        raise RequestError(
            f"Body: expected at most {MAX_JSON_BYTES // 2**20} MiB of JSON, received {math.ceil(len(body) / 2**20)} "
            "MiB: send image files.",
            413,
        )
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # neither JSON, nor UTF-8, nor nested so that anybody could read it
        raise RequestError("Body: expected JSON, received something else.") from None
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not images:
        raise RequestError(f"Body: {_EXPECTED_PIXELS}.", 422)
    _check_count(len(images))
    return [(f"image {number}", png(_pixels(image, number))) for number, image in enumerate(images, 1)]


def _check_count(count: int) -> None:
    if count > MOST_IMAGES:
        raise RequestError(f"Body: expected at most {MOST_IMAGES} images, received more: send them in parts.", 413)


def _pixels(image: Any, number: int) -> np.ndarray:
    """Return the pixels of one image, uint8 `(H, W, C)` with 1 or 3 channels.

    Raises:
        RequestError: if they are none; nothing is made of them before each has been looked at.
    """

    def refuse(received: str) -> NoReturn:
        raise RequestError(f"Image {number}: {_EXPECTED_PIXELS}, received {received}.", 422)

    if not _is_list_of_lists(image):
        refuse("something else")
    widths = {len(row) for row in image}
    if len(widths) > 1:
        refuse("rows of different lengths")
    if widths == {0}:
        refuse("empty rows")
    values, channels = [value for row in image for value in row], 1
    if any(isinstance(value, list) for value in values):
        if not all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
            refuse("pixels of different lengths")
        channels = len(values[0])
        if channels not in (1, 3):
            refuse(f"{channels} values a pixel")
        values = [value for pixel in values for value in pixel]
    if not all(type(value) is int and 0 <= value <= 255 for value in values):
        refuse("another value")
    return np.array(values, np.uint8).reshape(len(image), *widths, channels)


def _is_list_of_lists(image: Any) -> bool:
    return isinstance(image, list) and bool(image) and all(isinstance(row, list) for row in image)
