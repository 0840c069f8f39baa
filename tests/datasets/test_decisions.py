"""Decisions about labels: read from a file that cannot be misread, and kept on the disk as they are made."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.datasets.decisions import Decision, Notebook, as_json, read_decisions
from tests.sample_data import make_dataset, noise

DATASET = make_dataset(noise(4), [0, 1, 0, 1], noise(2, seed=1), [0, 1], class_names=("7", "cat"))
SUSPECT = {"split": "train", "index": 0, "label": "7", "suggested": "cat", "score": 0.01}


@pytest.mark.parametrize(
    ("entry", "decision"),
    [
        (SUSPECT | {"action": "relabel"}, Decision("train", 0, "relabel", 0, 1)),
        (SUSPECT | {"action": "leave out"}, Decision("train", 0, "leave out", 0)),
        (SUSPECT | {"action": "keep"}, Decision("train", 0, "keep", 0)),
        ({"split": "test", "index": 1, "action": "relabel", "new_label": "7"}, Decision("test", 1, "relabel", 1, 0)),
        ({"split": "test", "index": 1, "action": "relabel", "new_label": 7}, Decision("test", 1, "relabel", 1, 0)),
        ({"split": "train", "index": 2, "action": "relabel", "label": "cat"}, Decision("train", 2, "relabel", 0, 1)),
    ],
)
def test_an_entry_says_one_thing(entry, decision):
    assert read_decisions([entry], DATASET) == ((decision,), 0)


def test_what_is_suggested_gives_way_to_a_new_label():
    three = make_dataset(noise(4), [0, 1, 2, 1], noise(2), [0, 1], class_names=("7", "cat", "dog"))

    (decision,) = read_decisions([SUSPECT | {"action": "relabel", "new_label": "dog"}], three).decisions

    assert decision.new_label == 2


def test_entries_without_an_action_are_undecided():
    assert read_decisions([SUSPECT, SUSPECT | {"index": 2, "action": "keep"}], DATASET) == (
        (Decision("train", 2, "keep", 0),),
        1,
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (3, 'a list of objects such as {"split": "train", "index": 17, "action": "leave out"}, received 3'),
        ({"decisions": None}, "received null"),
        (["keep"], 'entry 1: expected an object with split, index and action, received "keep"'),
        ([SUSPECT | {"action": "remove"}], 'one of relabel, leave out, keep as action, received "remove"'),
        ([SUSPECT | {"acton": "keep"}], "expected only split, index, label"),
        ([SUSPECT | {"split": "validation"}], 'train or test as split, received "validation"'),
        ([SUSPECT | {"index": 4, "action": "keep"}], "a whole number from 0 to 3 as index of a train image of Tiny"),
        ([SUSPECT | {"index": True, "action": "keep"}], "received true"),
        ([SUSPECT | {"index": -1, "action": "keep"}], "received -1"),
        ([SUSPECT | {"action": "relabel", "new_label": "dog"}], "one of 7, cat, received 'dog'"),
        ([SUSPECT | {"action": "relabel", "new_label": 1}], "one of 7, cat, received '1'"),
        ([SUSPECT | {"action": "relabel", "new_label": ["cat"]}], "one of 7, cat, received ['cat']"),
        ([{"split": "train", "index": 0, "action": "relabel"}], "expected a new_label, or a suggested one"),
        ([{"split": "train", "index": 0, "action": "relabel", "label": "7"}], "another label than '7'"),
        ([SUSPECT | {"label": "cat", "action": "relabel"}], "expected '7' as label, which train image 0 of Tiny has"),
        ([SUSPECT | {"label": "cat"}], "were these made on other data?"),
        ([SUSPECT | {"action": "keep"}] * 2, "entry 2: expected one on each image, received another in entry 1"),
        ({"fingerprint": "0" * 64, "decisions": []}, f"received some on the data of fingerprint {'0' * 64}"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(values, sentence):
    with pytest.raises(ValueError, match="Decisions") as refused:
        read_decisions(values, DATASET)
    assert sentence in str(refused.value)


def test_a_notebook_is_a_file_of_decisions_with_their_provenance():
    notebook = Notebook(DATASET)
    assert notebook.read() == ()
    notebook.decide(Decision("train", 0, "relabel", 0, 1), by="ada", check={"folds": 5})
    notebook.decide(Decision("train", 2, "keep", 0), by="grace")

    kept = json.loads(notebook.path.read_text())

    assert kept["dataset"] == "tiny"
    assert kept["fingerprint"] == DATASET.fingerprint
    assert kept["check"] == {"folds": 5}
    assert [(entry["by"], entry["at"][:2]) for entry in kept["decisions"]] == [("ada", "20"), ("grace", "20")]
    assert read_decisions(kept, DATASET).decisions == notebook.read()
    assert as_json(notebook.read()[0], DATASET) == kept["decisions"][0]


def test_a_later_decision_takes_the_place_of_an_earlier_one_and_can_be_taken_back():
    notebook = Notebook(DATASET)
    notebook.decide(Decision("train", 0, "keep", 0), by="ada")
    notebook.decide(Decision("train", 0, "leave out", 0), by="ada")
    assert [decision.action for decision in notebook.read()] == ["leave out"]

    notebook.take_back("train", 0)
    notebook.take_back("train", 3)

    assert notebook.read() == ()


def test_those_who_decide_at_once_lose_nothing():
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda index: Notebook(DATASET).decide(Decision("train", index, "keep", 0), by=""), (0, 2)))

    assert {decision.index for decision in Notebook(DATASET).read()} == {0, 2}


def test_a_damaged_notebook_says_where_it_lies():
    notebook = Notebook(DATASET)
    notebook.path.parent.mkdir()
    notebook.path.write_text("{")

    with pytest.raises(ValueError, match=r"cannot be read .* Move .*\.json away"):
        notebook.read()
