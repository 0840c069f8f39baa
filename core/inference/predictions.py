"""A network's answers in words and as a table.

verdict(probabilities, class_names)        # "Prediction: 7 (98%)", or "Low confidence: 4 or 9"
frame = prediction_table(answers, class_names)
to_csv(frame)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from core.inference.answers import Found, Prediction, Unreadable
from core.system.text import is_like_a_formula

_SURE = 0.9
_MOST_CANDIDATES = 3


def verdict(reading: Prediction) -> str:
    """Say what was predicted, as certainly as the probabilities allow.

    The candidates are the fewest classes that have 90% of the probability together.
    """
    if len(reading.found) > 1:
        sure = reading.probability > _SURE and not reading.unfamiliar
        said = "Prediction" if sure else "Low confidence"
        return f"{said}: {reading.label} ({percentage(reading.probability)})"
    if reading.unfamiliar:
        return f"Unfamiliar: nothing that it was trained on; {reading.label} is the least unlike"
    order = np.argsort(-reading.probabilities, kind="stable")
    count = int(np.searchsorted(np.cumsum(reading.probabilities[order]), _SURE)) + 1
    names = [reading.class_names[i] for i in order[:count]]
    if count == 1:
        return f"Prediction: {names[0]} ({percentage(reading.probabilities[order[0]])})"
    if count <= _MOST_CANDIDATES:
        return f"Low confidence: {', '.join(names[:-1])} or {names[-1]}"
    return f"Low confidence: perhaps {names[0]}"


def boxed(picture: np.ndarray, found: Sequence[Found], colour: tuple[int, int, int]) -> np.ndarray:
    """Return a picture, uint8 `(H, W)` or `(H, W, 3)`, as RGB with a box around each thing that was found."""
    drawn = Image.fromarray(picture).convert("RGB")
    pen = ImageDraw.Draw(drawn)
    for each in found:
        left, top, right, bottom = each.pixel_box(drawn.size)
        width = max(1, round(max(drawn.size) / 140))
        pen.rectangle((left - width, top - width, right + width - 1, bottom + width - 1), outline=colour, width=width)
    return np.asarray(drawn)


def percentage(probability: float) -> str:
    """Return a probability in whole per cent, but never 100: no network is certain."""
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def prediction_table(answers: Sequence[Prediction | Unreadable]) -> pd.DataFrame:
    """Gather answers of one network in a table: a row a character that was found, or an image that cannot be read.

    Its columns: `file`, `number` of the character in its image from 1, `label`, `probability`, `unfamiliar`, `score`,
    `left`, `top`, `right`, `bottom` in pixels, `warnings`, `error`, and `p(…)` of each class.
    """
    rows: list[dict[str, str | float | None]] = []
    for one in answers:
        if isinstance(one, Unreadable):
            rows.append({"file": one.name, "error": one.reason})
            continue
        for number, each in enumerate(one.found, start=1):
            box = zip(("left", "top", "right", "bottom"), each.pixel_box(one.size), strict=True)
            rows.append(
                {
                    "file": one.name,
                    "number": number,
                    "label": each.label(one.class_names),
                    "probability": float(each.probabilities.max()),
                    "unfamiliar": each.unfamiliar,
                    "score": each.score,
                    **dict(box),
                    "warnings": " ".join(one.warnings) or None,
                    "error": None,
                    **{f"p({name})": float(p) for name, p in zip(one.class_names, each.probabilities, strict=True)},
                }
            )
    frame = pd.DataFrame(rows, columns=None if any("label" in row for row in rows) else ["file", "error"])
    whole = frame.columns.intersection(["number", "left", "top", "right", "bottom"])
    return frame.astype(dict.fromkeys(whole, "Int64"))


def to_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8 in which no text can pass for a spreadsheet's formula."""
    safe = frame.map(lambda value: f"'{value}" if isinstance(value, str) and is_like_a_formula(value) else value)
    return safe.to_csv(index=False, float_format="%.6f").encode()
