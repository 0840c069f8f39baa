"""What can be said of two runs, or two groups of seeds: one sentence, and the figures that it rests on.

    verdict = compare_groups([.981, .979], [.989, .991], images=10_000, names=("ann-100", "cnn-quick"))
    verdict.kind, verdict.sentence        # "difference", "cnn-quick is better by 0.34 to 1.66 points."
    compare_runs(right_first, right_second, names=("PyTorch", "Keras"))

Three things are said: *no difference* beyond a margin below which one does not matter, the region of practical
equivalence; *better*, by how much; or that it *cannot be told yet*, and how many more seeds would. Where no margin is
set, it is the noise floor: what that many test images cannot tell from no difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import bdtr, betaincinv, stdtr, stdtrit

from core.studies.comparison import MeanStd, mean_std
from core.system.text import quoted

Kind = Literal["no difference", "difference", "undecided"]

LEVEL = 0.05
"""A difference is told if chance alone brings one like it so seldom; intervals hold all but this."""

_Z = 1.959963984540054
_FEW_SEEDS = 5
_MOST_SEEDS = 1000


@dataclass(frozen=True)
class McNemar:
    """Two networks on the same images: how many only the one predicts right, and only the other.

    `p_value` is how probable so uneven a split of these, or a more uneven one, is if a coin tells who is right. The
    difference, the second's accuracy less the first's, has the 95% interval `low` to `high`, which excludes 0 where
    `p_value` is below 5%.
    """

    only_first: int
    only_second: int
    images: int
    p_value: float
    difference: float
    low: float
    high: float

    @property
    def in_words(self) -> str:
        """The outcome as papers write it, such as "p = 0.031, significant at 5%"."""
        p_value = f"p = {self.p_value:.3f}" if self.p_value >= 0.001 else "p < 0.001"
        return f"{p_value}, {'' if self.p_value < LEVEL else 'not '}significant at {LEVEL:.0%}"


@dataclass(frozen=True)
class Verdict:
    """What can be said of two, the first and the second.

    Attributes:
        kind: which of the three sentences it is.
        sentence: that sentence.
        first, second: the accuracies, 0 to 1; without a deviation where there is one seed only.
        difference: the second's accuracy less the first's.
        low, high: its 95% interval; None where nothing measures how far seeds spread.
        margin: below it a difference does not matter.
        p_value: of the test that there is no difference; None as above.
        more_seeds: about how many more of each would tell; None unless `kind` is "undecided".
        mcnemar: the test that two single runs were compared by.
    """

    kind: Kind
    sentence: str
    first: MeanStd
    second: MeanStd
    difference: float
    low: float | None
    high: float | None
    margin: float
    p_value: float | None
    more_seeds: int | None = None
    mcnemar: McNemar | None = None


def mcnemar(only_first: int, only_second: int, images: int) -> McNemar:
    """Compare two networks by the exact test of McNemar.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947, with
    the binomial distribution itself. The interval is that of Clopper and Pearson, 1934, for the share of the second
    among the images that only one predicts right, taken to the difference; so it agrees with the test.

    Args:
        only_first, only_second: images that only the first, or only the second, predicts right.
        images: all that both have seen, at least one.
    """
    split = only_first + only_second
    p_value = min(1.0, 2 * float(bdtr(min(only_first, only_second), split, 0.5))) if split else 1.0
    share_low = float(betaincinv(only_second, only_first + 1, LEVEL / 2)) if only_second else 0.0
    share_high = float(betaincinv(only_second + 1, only_first, 1 - LEVEL / 2)) if only_first else 1.0
    scale = split / images
    return McNemar(
        only_first=only_first,
        only_second=only_second,
        images=images,
        p_value=p_value,
        difference=(only_second - only_first) / images,
        low=(2 * share_low - 1) * scale,
        high=(2 * share_high - 1) * scale,
    )


def compare_predictions(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Compare two networks by whether each predicts the same images right, bool `(N,)`, with N at least 1.

    Raises:
        ValueError: if they are not of the same images, or there are none.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(f"Comparison: expected the same test images, received {len(first):,} and {len(second):,}.")
    return mcnemar(int((first & ~second).sum()), int((~first & second).sum()), len(first))


def noise_floor(accuracy: float, images: int) -> float:
    """Return what difference of two accuracies chance brings in 5% of the cases on so many images each.

    By the normal distribution, the images of both drawn independently. Networks that see the same images, and mostly
    fail on the same ones, can be told apart a little below it.
    """
    return _Z * math.sqrt(2 * accuracy * (1 - accuracy) / images)


def compare_runs(
    first: np.ndarray, second: np.ndarray, *, names: tuple[str, str], margin: float | None = None
) -> Verdict:
    """Compare two runs on the same test images. What is found holds for these two trainings, not for their settings.

    Args:
        first, second: whether each image is predicted right, bool `(N,)`.
        names: what the two are called in the sentence.
        margin: a difference below it does not matter, 0 to 1; by default the noise floor.

    Raises:
        ValueError: if they are not of the same images, or the margin is none.
    """
    test = compare_predictions(first, second)
    accuracies = float(first.mean()), float(second.mean())
    margin = _margin(margin, accuracies, len(first))
    kind = _kind(test.low, test.high, margin)
    more = _FEW_SEEDS - 1 if kind == "undecided" else None
    return Verdict(
        kind=kind,
        sentence=_sentence(kind, names, test.low, test.high, margin, more),
        first=mean_std([accuracies[0]]),
        second=mean_std([accuracies[1]]),
        difference=test.difference,
        low=test.low,
        high=test.high,
        margin=margin,
        p_value=test.p_value,
        more_seeds=more,
        mcnemar=test,
    )


def compare_groups(
    first: Sequence[float],
    second: Sequence[float],
    *,
    images: int,
    names: tuple[str, str],
    margin: float | None = None,
    matched: bool = False,
) -> Verdict:
    """Compare the accuracies of two groups of seeds by Welch's t interval for the difference of their means.

    Welch, "The generalization of 'Student's' problem when several different population variances are involved", 1947.

    Args:
        first, second: an accuracy a seed, 0 to 1, at least one each.
        images: the test images that they are measured on.
        names, margin: as in `compare_runs`.
        matched: whether the figures are of the same seeds in the same order, in runs that are matched pairs: what a
            seed does to both is then left out, by Student's t interval for the mean of the differences.

    Raises:
        ValueError: if a group is empty, matched ones are not of one size, or the margin is none.
    """
    if not first or not second:
        raise ValueError(f"Comparison: expected at least one seed each, received {len(first)} and {len(second)}.")
    if matched and len(first) != len(second):
        raise ValueError(f"Comparison: expected as many seeds of both, received {len(first)} and {len(second)}.")
    one, other = mean_std(first), mean_std(second)
    difference = other.mean - one.mean
    margin = _margin(margin, (one.mean, other.mean), images)
    if one.deviation is None or other.deviation is None:
        missing = _FEW_SEEDS - min(one.count, other.count)
        sentence = _sentence("undecided", names, 0, 0, margin, missing)
        return Verdict("undecided", sentence, one, other, difference, None, None, margin, None, missing)
    if matched:
        apart = mean_std([right - left for left, right in zip(first, second, strict=True)]).deviation or 0.0
        variance, freedom = apart**2, one.count - 1.0
        error = apart / math.sqrt(one.count)
    else:
        variance = one.deviation**2 + other.deviation**2
        variances = one.deviation**2 / one.count, other.deviation**2 / other.count
        error = math.sqrt(sum(variances))
        freedom = _freedom(variances, (one.count, other.count))
    half = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
    low, high = difference - half, difference + half
    kind = _kind(low, high, margin)
    fewest, groups = min(one.count, other.count), 1 if matched else 2
    more = _more_seeds(variance, fewest, groups, difference, margin) if kind == "undecided" else None
    return Verdict(
        kind=kind,
        sentence=_sentence(kind, names, low, high, margin, more),
        first=one,
        second=other,
        difference=difference,
        low=low,
        high=high,
        margin=margin,
        p_value=_p_value(difference, error, freedom),
        more_seeds=more,
    )


def _margin(given: float | None, accuracies: tuple[float, float], images: int) -> float:
    if given is None:
        return noise_floor(sum(accuracies) / 2, images)
    if not 0 <= given <= 1:
        raise ValueError(f"Margin: expected a difference of accuracies from 0 to 1, received {quoted(given)}.")
    return given


def _freedom(variances: tuple[float, float], counts: tuple[int, int]) -> float:
    """Return the degrees of freedom of Welch and Satterthwaite."""
    total = sum(variances)
    if not total:
        return float(sum(counts) - 2)
    return total**2 / sum(variance**2 / (count - 1) for variance, count in zip(variances, counts, strict=True))


def _p_value(difference: float, error: float, freedom: float) -> float:
    if not error:
        return float(difference == 0)
    return 2 * float(stdtr(freedom, -abs(difference) / error))


def _kind(low: float, high: float, margin: float) -> Kind:
    """Return what an interval says: a difference that is surely too small to matter is none."""
    if -margin <= low and high <= margin:
        return "no difference"
    return "undecided" if low <= 0 <= high else "difference"


def _more_seeds(variance: float, fewest: int, groups: int, difference: float, margin: float) -> int:
    """Return about how many more seeds of each tell, if the difference and the spread stay what they are.

    The interval must become so short that it excludes 0 or lies within the margin, whichever is nearer.

    Args:
        variance: of both groups' seeds, summed, or of the differences of matched ones.
        fewest: how many seeds the smaller group has.
        groups: 2, or 1 of matched ones, whose differences are one group.
    """
    needed = max(abs(difference), margin - abs(difference))
    for count in range(fewest + 1, fewest + _MOST_SEEDS):
        if float(stdtrit(groups * (count - 1), 1 - LEVEL / 2)) * math.sqrt(variance / count) < needed:
            return count - fewest
    return _MOST_SEEDS


def _sentence(kind: Kind, names: tuple[str, str], low: float, high: float, margin: float, more: int | None) -> str:
    match kind:
        case "no difference":
            return f"No difference beyond {_points(margin)} points."
        case "difference":
            best = names[1] if low > 0 else names[0]
            near, far = sorted((abs(low), abs(high)))
            return f"{best} is better by {_points(near)} to {_points(far)} points."
    about = f"more than {_MOST_SEEDS:,}" if more == _MOST_SEEDS else f"about {more}"
    return f"Cannot be told yet: {about} more seed{'' if more == 1 else 's'} of each would."


def _points(share: float) -> str:
    """Return a difference of accuracies in points of a percent, with two digits where it is small."""
    return f"{100 * share:.2f}" if share >= 0.0001 else f"{100 * share:.2g}"
