"""Answers in words and as a table."""

import numpy as np
import pytest

from core.inference.answers import Found, Prediction, Unreadable
from core.inference.prediction_json import prediction_json
from core.inference.predictions import prediction_table, to_csv, verdict

PIXELS = np.zeros((2, 2, 1), np.uint8)


def reading(*probabilities: float, name: str = "x.png") -> Prediction:
    shares = np.array(probabilities, np.float32)
    found = (Found((0.25, 0.0, 0.5, 1.0), PIXELS, shares, score=0.5),)
    return Prediction(name, (), PIXELS, shares, tuple("abcdef"[: len(probabilities)]), found=found, size=(40, 10))


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


def two() -> Prediction:
    one = reading(0.25, 0.75)
    strange = Found((0.5, 0.1, 1.0, 0.9), PIXELS, np.array([0.5, 0.5], np.float32), score=1.5, touching=True)
    return one._replace(found=(*one.found, strange))


def test_the_answer_is_the_likeliest_class_of_each():
    assert (reading(0.25, 0.75).label, reading(0.25, 0.75).probability) == ("b", 0.75)
    assert (two().label, two().probability) == ("ba", 0.375)
    assert not reading(0.25, 0.75).unfamiliar
    assert two().unfamiliar


def test_the_table_has_a_row_for_each_character_and_each_reason():
    table = prediction_table([two(), Unreadable("y.png", "y.png: empty.")])

    box = ["left", "top", "right", "bottom"]
    told = ["file", "number", "label", "probability", "unfamiliar", "score", *box, "warnings", "error"]
    assert list(table.columns) == [*told, "p(a)", "p(b)"]
    assert table["file"].tolist() == ["x.png", "x.png", "y.png"]
    assert table["label"].tolist()[:2] == ["b", "a"]
    assert table[box].iloc[0].tolist() == [10, 0, 20, 10]
    assert table[box].iloc[1].tolist() == [20, 1, 40, 9]
    assert table["error"].isna().tolist() == [True, True, False]
    assert table.iloc[2].drop(["file", "error"]).isna().all()


def test_as_json_it_has_an_entry_for_each_character():
    said = prediction_json(two())

    assert (said["file"], said["label"], said["probability"]) == ("x.png", "ba", 0.375)
    assert said["probabilities"] == {}
    assert (said["unfamiliar"], said["score"]) == (True, 1.5)
    assert [sentence.split()[0] for sentence in said["warnings"]] == ["Some", "Some"]
    first, second = said["found"]
    assert (first["label"], first["probability"], first["box"]) == ("b", 0.75, [10, 0, 20, 10])
    assert (first["unfamiliar"], second["unfamiliar"], second["touching"]) == (False, True, True)
    assert prediction_json(reading(0.25, 0.75))["probabilities"] == {"a": 0.25, "b": 0.75}
    assert prediction_json(Unreadable("y.png", "y.png: empty.")) == {"file": "y.png", "error": "y.png: empty."}


@pytest.mark.parametrize("name", ["=1+1.png", "+1.png", "-1.png", "@sum.png", "\tx.png"])
def test_no_name_in_the_csv_is_a_formula(name):
    lines = to_csv(prediction_table([reading(0.5, 0.5, name=name)])).decode().splitlines()

    assert lines[0].startswith("file,number,label,probability,")
    assert lines[1].startswith(f"'{name}")
