"""A network's answers in words and as a table.

verdict(probabilities, class_names)        # "Prediction: 7 (98%)", or "Low confidence: 4 or 9"
frame = prediction_table(answers, class_names)
to_csv(frame)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.inference.service import Prediction, Unreadable

_SURE = 0.9
_MOST_CANDIDATES = 3
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def verdict(reading: Prediction) -> str:
    """Say what was read, as certainly as the probabilities allow.

    The candidates are the fewest classes that have 90% of the probability together.
    """
    order = np.argsort(-reading.probabilities, kind="stable")
    count = int(np.searchsorted(np.cumsum(reading.probabilities[order]), _SURE)) + 1
    names = [reading.class_names[i] for i in order[:count]]
    if count == 1:
        return f"Prediction: {names[0]} ({percentage(reading.probabilities[order[0]])})"
    if count <= _MOST_CANDIDATES:
        return f"Low confidence: {', '.join(names[:-1])} or {names[-1]}"
    return f"Low confidence: perhaps {names[0]}"


def percentage(probability: float) -> str:
    """Return a probability in whole per cent, but never 100: no network is certain."""
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def top_prediction(reading: Prediction) -> tuple[str, float]:
    """Return the likeliest class and its probability."""
    best = int(reading.probabilities.argmax())
    return reading.class_names[best], float(reading.probabilities[best])


def prediction_table(answers: Sequence[Prediction | Unreadable]) -> pd.DataFrame:
    """Gather answers of one network: `file`, `label`, `probability`, `error`, `p(…)` of each class; a row an image."""
    rows: list[dict[str, str | float | None]] = []
    for one in answers:
        if isinstance(one, Unreadable):
            rows.append({"file": one.name, "error": one.reason})
            continue
        label, probability = top_prediction(one)
        shares = {f"p({name})": float(share) for name, share in zip(one.class_names, one.probabilities, strict=True)}
        rows.append({"file": one.name, "label": label, "probability": probability, "error": None, **shares})
    return pd.DataFrame(rows)


def to_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8 in which no text can pass for a spreadsheet's formula."""
    safe = frame.map(
        lambda value: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_BEGINNINGS) else value
    )
    return safe.to_csv(index=False, float_format="%.6f").encode()
