"""Which images a cell counts, and which classes stand together."""

import numpy as np
import pytest

from core.studies.errors import (
    agreement,
    blocks_in_order,
    by_confidence,
    class_blocks,
    column_rates,
    greatest_changes,
    images_in_cell,
    likeness_order,
    most_confused_with,
    with_other_classes,
)
from core.training.metrics import confusion

LABELS = np.array([4, 4, 9, 4, 0, 4])
PREDICTED = np.array([9, 4, 9, 9, 4, 0])


def test_a_cell_holds_the_images_it_counts() -> None:
    assert images_in_cell(LABELS, PREDICTED, [4], [9]).tolist() == [0, 3]
    assert images_in_cell(LABELS, PREDICTED, [4]).tolist() == [0, 1, 3, 5]
    assert images_in_cell(LABELS, PREDICTED, None, [0, 9]).tolist() == [0, 2, 3, 5]
    assert images_in_cell(LABELS, PREDICTED).tolist() == [0, 1, 2, 3, 4, 5]


def test_every_cell_of_a_random_matrix_holds_as_many_images_as_it_says() -> None:
    generator = np.random.default_rng(3)
    labels, predicted = generator.integers(0, 7, size=(2, 500))
    matrix = confusion(labels, predicted, 7)

    for i, j in np.ndindex(7, 7):
        assert len(images_in_cell(labels, predicted, [i], [j])) == matrix[i, j]


def test_images_come_by_confidence() -> None:
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5]])

    assert by_confidence(probabilities, np.array([0, 1, 3])).tolist() == [1, 0, 3]
    assert by_confidence(probabilities, np.array([0, 1, 3]), ascending=True).tolist() == [3, 0, 1]


def test_rates_by_column_are_precisions() -> None:
    np.testing.assert_allclose(column_rates(np.array([[8, 0], [2, 0]])), [[0.8, 0], [0.2, 0]])


def confused(classes: int, *pairs: tuple[int, int, int]) -> np.ndarray:
    matrix = np.diag(np.full(classes, 100))
    for i, j, count in pairs:
        matrix[i, j] += count
    return matrix


def test_confused_classes_stand_side_by_side() -> None:
    order = likeness_order(confused(10, (4, 9, 20), (0, 6, 15), (3, 8, 10))).tolist()

    for one, other in ((4, 9), (0, 6), (3, 8)):
        assert abs(order.index(one) - order.index(other)) == 1
    assert sorted(order) == list(range(10))
    assert likeness_order(confused(2)).tolist() == [0, 1]


def test_the_worst_block_comes_first() -> None:
    matrix = confused(200, (7, 150, 40), (150, 90, 30), (20, 21, 25))

    blocks = class_blocks(matrix, 20)

    assert {7, 90, 150} <= set(blocks[0].tolist())
    assert [len(block) for block in blocks] == [20] * 10
    assert sorted(np.concatenate(blocks).tolist()) == list(range(200))


def test_few_classes_are_one_block() -> None:
    assert [sorted(block.tolist()) for block in class_blocks(confused(3, (0, 1, 1)), 20)] == [[0, 1, 2]]
    assert [block.tolist() for block in blocks_in_order(45, 20)] == [
        list(range(20)),
        list(range(20, 40)),
        list(range(40, 45)),
    ]


def test_a_class_is_shown_with_those_it_is_confused_with() -> None:
    assert most_confused_with(confused(50, (5, 40, 3), (41, 5, 9)), 5, 4).tolist()[:3] == [5, 41, 40]


@pytest.mark.parametrize("classes", [[3], [5, 2], [0, 1, 2, 3, 4, 5]])
def test_a_part_of_the_matrix_leaves_no_image_of_its_classes_out(classes: list[int]) -> None:
    matrix = np.random.default_rng(1).integers(0, 9, (6, 6))

    part = with_other_classes(matrix, classes)

    np.testing.assert_array_equal(part[:-1].sum(axis=1), matrix[classes].sum(axis=1))
    np.testing.assert_array_equal(part[:, :-1].sum(axis=0), matrix[:, classes].sum(axis=0))
    assert part[-1, -1] == 0


def test_two_networks_agree_in_four_ways() -> None:
    labels = np.array([0, 1, 2, 3, 0])

    counts = agreement(np.array([0, 1, 0, 0, 0]), np.array([0, 0, 2, 0, 0]), labels)

    assert counts.tolist() == [[2, 1], [1, 1]]


def test_errors_that_changed_most_come_first_whether_more_or_fewer():
    before = np.array([[5, 3, 0], [1, 7, 0], [0, 0, 8]])
    after = np.array([[8, 0, 0], [2, 6, 0], [0, 0, 8]])

    assert greatest_changes(before, after) == [(0, 1, -3), (1, 0, 1)]
    assert greatest_changes(before, before) == []
