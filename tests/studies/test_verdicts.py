"""Verdicts on two: held against statsmodels, and against resamplings of which the truth is known."""

import math

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from core.studies.verdicts import compare_groups, compare_predictions, compare_runs, mcnemar, noise_floor

NAMES = ("A", "B")

SEEDS = 100
ANN = (0.9771, 0.0011)
"""The accuracy of `ann-100` on MNIST's test images in docs/replication.md, and a deviation over seeds assumed here."""


def groups(generator: np.random.Generator, effect: float = 0.0, spread: float = ANN[1], seeds: int = 5):
    first, second = generator.normal(ANN[0], spread, (2, seeds))
    return first.tolist(), (second + effect).tolist()


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (5, 0), (0, 4), (12, 31), (40, 38), (300, 200)])
def test_mcnemar_is_statsmodels(only_first, only_second):
    found = mcnemar(only_first, only_second, 1000)
    reference = reference_mcnemar([[400, only_first], [only_second, 100]], exact=True)

    assert found.p_value == pytest.approx(reference.pvalue, abs=1e-9)
    if split := only_first + only_second:
        low, high = proportion_confint(only_second, split, method="beta")
        expected = [(2 * share - 1) * split / 1000 for share in (low, high)]
        assert [found.low, found.high] == pytest.approx(expected, abs=1e-9)
    assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)


def test_counts_what_only_one_of_both_predicts_right():
    labels = np.array([0, 0, 0, 1, 1, 1])
    first, second = np.array([0, 0, 1, 1, 0, 0]) == labels, np.array([1, 1, 0, 1, 1, 2]) == labels

    found = compare_predictions(first, second)
    assert (found.only_first, found.only_second, found.images) == (2, 2, 6)
    found = compare_predictions(first, labels == labels)
    assert (found.only_first, found.only_second) == (0, 3)


def test_is_significant_where_a_coin_would_rarely_do_it():
    """A coin tossed for each image that only one predicts right, counted out for up to 150 of them."""
    for total in range(151):
        ways = 0
        for one in range(total // 2 + 1):
            ways += math.comb(total, one)
            rarely = min(1.0, 2 * ways / 2**total) < 0.05
            for found in (mcnemar(one, total - one, 1000), mcnemar(total - one, one, 1000)):
                assert (found.p_value < 0.05) == rarely
                assert found.in_words.endswith(", significant at 5%" if rarely else ", not significant at 5%")


@pytest.mark.parametrize(
    ("split", "words"), [((0, 6), "p = 0.031, "), ((0, 30), "p < 0.001, "), ((2, 2), "p = 1.000, ")]
)
def test_p_value_is_written_as_papers_do(split, words):
    assert mcnemar(*split, 1000).in_words.startswith(words)


@pytest.mark.parametrize("counts", [(5, 5), (2, 7), (3, 3)])
def test_interval_of_groups_is_statsmodels(counts):
    generator = np.random.default_rng(7)
    first, second = generator.normal(0.98, 0.002, counts[0]), generator.normal(0.985, 0.004, counts[1])
    found = compare_groups(first.tolist(), second.tolist(), images=10_000, names=NAMES)
    reference = CompareMeans(DescrStatsW(second), DescrStatsW(first))

    expected = reference.tconfint_diff(usevar="unequal")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)
    assert found.p_value == pytest.approx(reference.ttest_ind(usevar="unequal")[1], abs=1e-9)


def test_groups_of_the_same_settings_are_no_difference():
    generator = np.random.default_rng(1)
    found = [compare_groups(*groups(generator), images=10_000, names=NAMES) for _ in range(SEEDS)]

    assert sum(each.kind == "no difference" for each in found) >= 95
    assert found[0].sentence == f"No difference beyond {100 * found[0].margin:.2f} points."


def test_matched_pairs_leave_out_what_a_seed_does_to_both():
    first, second = [0.90, 0.95, 0.99], [0.901, 0.952, 0.990]

    found = compare_groups(first, second, images=10_000, names=NAMES, matched=True)

    reference = DescrStatsW(np.subtract(second, first))
    assert (found.low, found.high) == pytest.approx(reference.tconfint_mean(), abs=1e-9)
    assert found.p_value == pytest.approx(reference.ttest_mean()[1], abs=1e-9)
    assert found.kind == "no difference"
    assert compare_groups(first, second, images=10_000, names=NAMES).kind == "undecided"
    assert compare_groups(first, first, images=10_000, names=NAMES, matched=True).kind == "no difference"
    with pytest.raises(ValueError, match="as many seeds of both, received 3 and 2"):
        compare_groups(first, second[:2], images=10_000, names=NAMES, matched=True)


def test_a_large_difference_is_one():
    """As large as between `ann-100` and what is published of `cnn-64-32-32`: about 1.3 points."""
    generator = np.random.default_rng(2)
    found = [compare_groups(*groups(generator, effect=0.013), images=10_000, names=NAMES) for _ in range(SEEDS)]

    assert all(each.kind == "difference" and each.low > 0 for each in found)
    assert all(each.sentence.startswith("B is better by ") for each in found)
    assert sum(each.low <= 0.013 <= each.high for each in found) >= 90


def test_half_the_spread_cannot_be_told_from_five_seeds():
    """Where the spread is above what the test images tell apart, and where the margin is set below it."""
    generator = np.random.default_rng(3)
    found = [
        compare_groups(*groups(generator, effect=spread / 2, spread=spread), images=10_000, names=NAMES, margin=margin)
        for spread, margin in ((0.02, None), (ANN[1], ANN[1] / 2))
        for _ in range(SEEDS)
    ]

    assert sum(each.kind == "undecided" for each in found) >= 0.85 * len(found)
    assert all(each.more_seeds >= 1 for each in found if each.kind == "undecided")


def test_as_many_more_seeds_as_are_said_do_tell():
    """The groups that are undecided with five seeds are decided with as many more of the same spread and means."""
    first = [0.970, 0.972, 0.974, 0.976, 0.978]
    second = [each + 0.0015 for each in first]
    found = compare_groups(first, second, images=10_000, names=NAMES, margin=0.001)
    deviation = np.std(first, ddof=1)

    def again(count: int):
        spread = np.linspace(-1, 1, count)
        spread *= deviation / np.std(spread, ddof=1)
        return compare_groups(
            (0.974 + spread).tolist(), (0.9755 + spread).tolist(), images=10_000, names=NAMES, margin=0.001
        )

    assert found.kind == "undecided"
    assert found.sentence == f"Cannot be told yet: about {found.more_seeds} more seeds of each would."
    assert again(5 + found.more_seeds).kind == "difference"
    assert again(4 + found.more_seeds).kind == "undecided"


def test_a_difference_too_small_to_matter_is_none():
    first, second = [0.9700, 0.9701, 0.9702], [0.9710, 0.9711, 0.9712]

    assert compare_groups(first, second, images=10_000, names=NAMES, margin=0.0005).kind == "difference"
    assert compare_groups(first, second, images=10_000, names=NAMES, margin=0.005).kind == "no difference"


def test_one_seed_of_each_tells_nothing_of_the_settings():
    found = compare_groups([0.97], [0.99], images=10_000, names=NAMES)

    assert (found.kind, found.low, found.more_seeds) == ("undecided", None, 4)


def test_groups_without_any_spread_are_compared_exactly():
    assert compare_groups([0.5, 0.5], [0.9, 0.9], images=100, names=NAMES).kind == "difference"
    assert compare_groups([0.5, 0.5], [0.5, 0.5], images=100, names=NAMES).p_value == 1


def test_runs_are_compared_image_by_image():
    first = np.ones(1000, bool)
    second = first.copy()
    second[:60] = False
    found = compare_runs(first, second, names=NAMES)

    assert (found.kind, found.mcnemar.only_first, found.mcnemar.only_second) == ("difference", 60, 0)
    assert found.sentence == "A is better by 5.28 to 6.00 points."
    assert compare_runs(first, first, names=NAMES).kind == "no difference"
    assert compare_runs(first, second, names=NAMES, margin=0.1).kind == "no difference"


def test_noise_floor_is_what_chance_brings():
    generator = np.random.default_rng(4)
    accuracies = generator.binomial(1000, 0.9, (2, 20_000)) / 1000

    assert np.quantile(abs(accuracies[0] - accuracies[1]), 0.95) == pytest.approx(noise_floor(0.9, 1000), rel=0.05)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="expected the same test images, received 2 and 3"):
        compare_runs(np.ones(2, bool), np.ones(3, bool), names=NAMES)
    with pytest.raises(ValueError, match="at least one seed each, received 0 and 1"):
        compare_groups([], [0.5], images=10, names=NAMES)
    with pytest.raises(ValueError, match="Margin: expected a difference of accuracies from 0 to 1, received -1"):
        compare_groups([0.5], [0.5], images=10, names=NAMES, margin=-1)
