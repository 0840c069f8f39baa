"""Planted faults are found, each with its images; sound data raise no alarm."""

import numpy as np
import pytest

from core.datasets import storage
from core.datasets.inspection.health import check_health, class_doubts, compare_shares
from tests.sample_data import make_dataset, noise, plant_faults, store

SIGNS_TRAIN = [1126, 1010, 1144, 1196, 957, 1204, 1090, 1013, 1162, 1114, 1241, 1055]
SIGNS_TRAIN += [1151, 1196, 1088, 1279, 1294, 1199, 1186, 1161, 1082, 1225, 1164, 1118]
SIGNS_TEST = [331, 432, 310, 245, 498, 247, 348, 436, 288, 331, 209, 394, 291, 246, 347, 164, 144, 246, 248, 266, 346]
SIGNS_TEST += [206, 267, 332]


def findings(dataset) -> dict:
    return {finding.key: finding for finding in check_health(dataset)}


@pytest.fixture(params=[(8, 8, 1), (10, 9, 3)], ids=str)
def found(request: pytest.FixtureRequest) -> dict:
    return findings(store(plant_faults(request.param)))


def test_a_test_image_that_was_trained_on_is_found(found: dict) -> None:
    assert found["leak"].positions.tolist() == [3, 45]
    assert found["leak"].sentence.startswith("1 test image is also among the training images")
    assert [found["leak"].remark(i) for i in range(2)] == ["same as test image 5", "same as training image 3"]


def test_twins_with_different_labels_are_found(found: dict) -> None:
    assert found["labels"].positions.tolist() == [10, 11]
    assert [found["labels"].remark(i) for i in range(2)] == ["also labelled dog", "also labelled cat"]


def test_all_duplicates_lie_side_by_side(found: dict) -> None:
    positions = found["twins"].positions.tolist()
    assert sorted(positions) == [3, 10, 11, 45]
    assert abs(positions.index(3) - positions.index(45)) == 1
    assert found["twins"].remark(positions.index(10)) == "same as training image 11"
    assert found["twins"].remark(positions.index(45)) == "same as training image 3"
    assert "in 2 groups" in found["twins"].sentence


def test_a_blank_image_is_found(found: dict) -> None:
    assert found["blank"].positions.tolist() == [47]
    assert found["blank"].sentence.startswith("1 image is of one colour throughout")


def test_classes_that_cannot_be_learnt_or_scored_are_named() -> None:
    names = ("ant", "bee", "cow", "dog")
    labels = [0] * 10 + [1] * 10 + [2]
    given = make_dataset(noise(23), [*labels, 0, 3], noise(6), [0] * 5 + [2], class_names=names, validation_images=2)
    assert class_doubts(given) == [
        "Without training images, so that no network can learn them: dog.",
        "Without test images, so that they are not scored: bee.",
        "Rare, so that they are hardly learnt, with few training images: cow (1).",
    ]
    assert class_doubts(make_dataset(noise(8), [0, 1] * 4, noise(2), [0, 1])) == []


def test_sound_images_have_no_findings() -> None:
    found = findings(store(make_dataset(noise(40), np.arange(40) % 2, noise(10, seed=1), [0, 1] * 5)))
    assert all(len(finding.positions) == 0 for finding in found.values())
    assert all(finding.sentence.startswith("No ") for finding in found.values())


def test_images_that_differ_by_one_value_are_no_duplicates() -> None:
    images = np.repeat(noise(1), 65, axis=0)
    for i in range(64):
        images[i + 1, i // 8, i % 8] += 1
    found = findings(store(make_dataset(images, [0] * 65, noise(2, seed=1), [1, 1])))
    assert len(found["twins"].positions) == 0


def test_three_alike_are_one_group() -> None:
    images = noise(6)
    images[[2, 4]] = images[0]
    found = findings(store(make_dataset(images, [0] * 6, noise(2, seed=1), [1, 1])))
    assert found["twins"].positions.tolist() == [0, 2, 4]
    assert [found["twins"].remark(i)[-1] for i in range(3)] == ["2", "4", "0"]


def test_images_of_odd_sizes_are_found() -> None:
    dataset = store(plant_faults((16, 16, 3)))
    assert "sizes" not in findings(dataset), "all came in the size they have"
    sizes = np.tile(np.array([20, 20], np.int32), (40, 1))
    sizes[4], sizes[6] = (12, 40), (20, 40)
    np.save(storage.place() / "tiny" / "train_sizes.npy", sizes)
    np.save(storage.place() / "tiny" / "test_sizes.npy", np.tile(np.array([20, 21], np.int32), (20, 1)))
    found = findings(dataset)["sizes"]
    assert found.positions.tolist() == [4, 6]
    assert [found.remark(i) for i in range(2)] == ["was 12×40, enlarged", "was 20×40, 50% cropped"]


def test_splits_that_differ_are_told_the_most_different_first() -> None:
    found = compare_shares(np.array(SIGNS_TRAIN), np.array(SIGNS_TEST))
    assert found[0].label == 4, "E"
    assert found[0].train == pytest.approx(957 / 27_455)
    assert found[0].test == pytest.approx(498 / 7_172)
    assert 16 in {difference.label for difference in found}, "R"
    assert sum(SIGNS_TRAIN) == 27_455
    assert sum(SIGNS_TEST) == 7_172


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ([9, 11], [3, 1]),  # few images scatter
        ([500, 500], [51, 49]),
        ([100_000, 101_000], [51_000, 50_000]),  # sure, but of no importance
        ([10, 0], [5, 0]),
        ([5, 5], [0, 0]),
    ],
    ids=str,
)
def test_chance_and_trifles_are_no_difference(train: list[int], test: list[int]) -> None:
    assert compare_shares(np.array(train), np.array(test)) == []


def test_drawn_alike_seldom_alarms() -> None:
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.ones(10) * 5)
    alarms = [
        compare_shares(generator.multinomial(5000, shares), generator.multinomial(1000, shares)) for _ in range(300)
    ]
    assert sum(map(bool, alarms)) <= 2
