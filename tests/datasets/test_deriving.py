"""Data sets made of others by decisions about labels."""

import numpy as np
import pytest

from core import datasets
from core.datasets import storage
from core.datasets.decisions import Decision
from core.datasets.deriving import derivation_of, derive, describe_decisions
from tests.sample_data import make_dataset, noise, store

CHANGES = (
    Decision("train", 1, "relabel", 1, 0, by="ada", at="2026-11-28T08:00:00Z"),
    Decision("train", 3, "leave out", 1),
    Decision("train", 0, "keep", 0),
    Decision("test", 2, "relabel", 0, 1),
)


@pytest.fixture
def source() -> datasets.Dataset:
    return store(make_dataset(noise(8), [0, 1] * 4, noise(4, seed=1), [0, 1, 0, 1]))


def test_what_was_decided_is_changed_and_the_original_is_not(source):
    name = derive(source, CHANGES, name="Better", by="ada", check={"folds": 5})

    made, stays = datasets.load(name), [0, 1, 2, 4, 5, 6, 7]
    np.testing.assert_array_equal(made.train.images, source.train.images[stays])
    assert made.train.labels.tolist() == [0, 0, 0, 0, 1, 0, 1]
    np.testing.assert_array_equal(made.test.images, source.test.images)
    assert made.test.labels.tolist() == [0, 1, 1, 1]
    again = datasets.load("tiny")
    assert storage.fingerprint(storage.place() / "tiny") == again.fingerprint == source.fingerprint
    assert made.fingerprint != source.fingerprint


def test_it_says_what_it_was_made_of(source):
    name = derive(source, CHANGES, name="Better", by="ada", check={"folds": 5})

    made = derivation_of(name)

    assert (made.source, made.title, made.fingerprint) == ("tiny", "Tiny", source.fingerprint)
    assert (made.summary, made.made_by, made.check) == (
        "2 relabelled, 1 left out and 1 found right",
        "ada",
        {"folds": 5},
    )
    assert made.decisions[0] == {
        **{"split": "train", "index": 1, "label": "dog", "action": "relabel", "new_label": "cat"},
        **{"by": "ada", "at": "2026-11-28T08:00:00Z"},
    }
    specification = datasets.get_specification(name)
    assert specification.title == "Better"
    assert specification.source.startswith("made here. Made of Tiny on 20")
    assert derivation_of("tiny") is None
    assert derivation_of("not-here") is None


def test_it_outlives_the_original(source):
    name = derive(source, CHANGES, name="Better", by="ada")
    datasets.delete("tiny", lambda _name: [])

    assert len(datasets.load(name).train.labels) == 7
    assert derivation_of(name).source == "tiny"


def test_one_can_be_made_of_one_that_was_made(source):
    first = datasets.load(derive(source, CHANGES, name="Better", by="ada"))

    second = derive(first, [Decision("train", 0, "leave out", 0)], name="Best", by="ada")

    assert derivation_of(second).source == "better"


def test_sizes_before_the_import_are_taken_over(source):
    for split, count in (("train", 8), ("test", 4)):
        np.save(storage.place() / "tiny" / f"{split}_sizes.npy", np.arange(2 * count, dtype=np.int32).reshape(-1, 2))

    train, test = datasets.original_sizes(derive(source, CHANGES, name="Better", by="ada"))

    assert train[:, 0].tolist() == [0, 2, 4, 8, 10, 12, 14]
    assert len(test) == 4


@pytest.mark.parametrize(
    ("changes", "name", "sentence"),
    [
        ([Decision("train", 0, "keep", 0)], "Better", "expected at least one that relabels an image"),
        (CHANGES, "Tiny", "expected one that is free, received 'Tiny'"),
        (CHANGES, " ", "expected 1 to 80 printable characters"),
        ([Decision("train", i, "leave out", 1) for i in (1, 3, 5, 7)], "Better", "none of dog stays"),
        ([Decision("test", i, "leave out", 0) for i in range(4)], "Better", "some test images stay, but all are left"),
    ],
)
def test_what_would_be_no_data_set_is_refused_and_nothing_is_left(source, changes, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        derive(source, changes, name=name, by="ada")
    assert datasets.names() == ["mnist", "tiny"]
    assert not list(storage.place().glob(".staging-*"))


def test_the_same_labels_twice_are_refused(source):
    derive(source, CHANGES, name="Better", by="ada")

    with pytest.raises(ValueError, match=r"received those of Better \(better\)"):
        derive(source, CHANGES, name="Best", by="ada")


def test_nothing_decided_is_said():
    assert describe_decisions([]) == "none"


def test_validation_images_that_came_with_the_data_stay_those():
    source = store(make_dataset(noise(8), [0, 1] * 4, noise(2, seed=1), [0, 1], validation_images=3))

    made = datasets.load(derive(source, [*CHANGES[:2], Decision("train", 6, "leave out", 0)], name="Better", by="ada"))

    assert made.specification.validation_images == 2
    np.testing.assert_array_equal(made.train.images[-2:], source.train.images[[5, 7]])
