"""Answers in words and as a table."""

import numpy as np
import pytest

from core.inference.predictions import prediction_table, to_csv, top_prediction, verdict
from core.inference.service import Prediction, Unreadable

PIXELS = np.zeros((2, 2, 1), np.uint8)


def reading(*probabilities: float, name: str = "x.png") -> Prediction:
    return Prediction(name, (), PIXELS, np.array(probabilities, np.float32), tuple("abcdef"[: len(probabilities)]))


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ((0.0, 1.0), "Prediction: b (over 99%)"),
        ((0.006, 0.994), "Prediction: b (over 99%)"),
        ((0.92, 0.08), "Prediction: a (92%)"),
        ((0.4, 0.0, 0.6), "Low confidence: c or a"),
        ((0.3, 0.5, 0.2), "Low confidence: b, a or c"),
        ((0.1, 0.25, 0.2, 0.3, 0.15), "Low confidence: perhaps d"),
    ],
)
def test_the_verdict_is_as_certain_as_the_probabilities(probabilities, words):
    assert verdict(reading(*probabilities)) == words


def test_the_answer_is_the_likeliest_class():
    assert top_prediction(reading(0.25, 0.75)) == ("b", 0.75)


def test_the_table_has_answers_and_reasons():
    table = prediction_table([reading(0.25, 0.75), Unreadable("y.png", "y.png: empty.")])

    assert list(table.columns) == ["file", "label", "probability", "error", "p(a)", "p(b)"]
    assert list(table.iloc[0].drop("error")) == ["x.png", "b", 0.75, 0.25, 0.75]
    assert table["error"].isna().tolist() == [True, False]
    assert table.iloc[1]["error"] == "y.png: empty."
    assert table.iloc[1].drop(["file", "error"]).isna().all()


@pytest.mark.parametrize("name", ["=1+1.png", "+1.png", "-1.png", "@sum.png", "\tx.png"])
def test_no_name_in_the_csv_is_a_formula(name):
    lines = to_csv(prediction_table([reading(0.5, 0.5, name=name)])).decode().splitlines()

    assert lines[0] == "file,label,probability,error,p(a),p(b)"
    assert lines[1].startswith(f"'{name}")
