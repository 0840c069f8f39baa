"""The benchmark of the label check plants what it says, and corrects by the true labels."""

from benchmarks.label_check import decide, plant
from core.datasets.decisions import read_decisions
from tests.sample_data import make_dataset, noise

DATASET = make_dataset(noise(30), [0, 1, 2] * 10, noise(2), [0, 1], class_names=("a", "b", "c"))


def test_as_many_images_as_asked_for_get_another_label():
    planted = plant(DATASET, 20)

    assert len({decision.index for decision in planted}) == 20
    assert all(decision.label == DATASET.train.labels[decision.index] != decision.new_label for decision in planted)
    assert {decision.new_label for decision in planted} == {0, 1, 2}


def test_who_knows_the_truth_corrects_what_is_wrong_and_keeps_what_is_right():
    spoilt = make_dataset(DATASET.train.images, [1, 1, 2] * 10, noise(2), [0, 1], class_names=("a", "b", "c"))
    suspects = [
        {"split": "train", "index": 0, "label": "b", "suggested": "c", "score": 0.1},
        {"split": "train", "index": 1, "label": "b", "suggested": "a", "score": 0.2},
    ]

    wrong, right = read_decisions(decide(suspects, DATASET), spoilt).decisions

    assert (wrong.action, wrong.new_label) == ("relabel", 0)
    assert right.action == "keep"
