"""A prediction as JSON, for the command line and the HTTP service alike.

json.dumps(prediction_json(answer))
"""

from typing import Any

from core.inference.answers import Found, Prediction, Unreadable


def prediction_json(answer: Prediction | Unreadable) -> dict[str, Any]:
    """Return what is said of an image.

    - `file`, `label`, `probability`: of several characters their labels in a row, and that all of them are right.
    - `probabilities` by class; empty where there are several characters, each of which has its own.
    - `unfamiliar` and its `score`: above 1 it is nothing that the network knows; null where that is not known.
    - `warnings`, a sentence each.
    - `found`: one entry a character, line by line from left to right, with `label`, `probability`, `box` (left, top,
      right, bottom in pixels of the upright image), `probabilities`, `unfamiliar`, `score` and `touching`.

    An image that cannot be read has `file` and `error`, a sentence.
    """
    if isinstance(answer, Unreadable):
        return {"file": answer.name, "error": answer.reason}
    single = len(answer.found) == 1
    return {
        "file": answer.name,
        "label": answer.label,
        "probability": answer.probability,
        "probabilities": _by_class(answer.found[0], answer) if single else {},
        "unfamiliar": answer.unfamiliar,
        "score": answer.score,
        "warnings": list(answer.warnings),
        "found": [_found(each, answer) for each in answer.found],
    }


def _found(each: Found, answer: Prediction) -> dict[str, Any]:
    return {
        "label": each.label(answer.class_names),
        "probability": float(each.probabilities.max()),
        "box": list(each.pixel_box(answer.size)),
        "probabilities": _by_class(each, answer),
        "unfamiliar": each.unfamiliar,
        "score": each.score,
        "touching": each.touching,
    }


def _by_class(each: Found, answer: Prediction) -> dict[str, float]:
    return dict(zip(answer.class_names, map(float, each.probabilities), strict=True))
