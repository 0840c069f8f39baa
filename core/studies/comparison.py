"""What tells runs apart: the settings in which they differ, and how far results spread over seeds.

differing_settings([run.config for run in runs])     # {"Framework": ["PyTorch", "Keras"]}
run_labels(runs)                                     # short names, unique
mean_std([.989, .991]).in_words(".4f")                 # "0.9900 ± 0.0014"
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scipy.special import stdtrit

from core.config import CHOICE_TITLES, FRAMEWORK_TITLES, RunConfig, is_used
from core.runs import Run


def differing_settings(configs: Sequence[RunConfig]) -> dict[str, list[Any]]:
    """Return the title of each setting in which configs differ, with the value of each config in words.

    The value of one in which the setting does nothing is None.
    """
    dumped = [config.model_dump() for config in configs]
    values = {
        str(field.title): [
            CHOICE_TITLES.get(name, {}).get(each[name], each[name]) if is_used(name, each) else None for each in dumped
        ]
        for name, field in RunConfig.model_fields.items()
    }
    return {title: each for title, each in values.items() if any(value != each[0] for value in each)}


@dataclass(frozen=True)
class MeanStd:
    """The mean of some figures, one a seed, and their standard deviation, which a single one does not have."""

    mean: float
    deviation: float | None
    count: int

    def in_words(self, form: str) -> str:
        """Return it as "0.9900 ± 0.0014", each in the format `form`."""
        return f"{self.mean:{form}}" if self.deviation is None else f"{self.mean:{form}} ± {self.deviation:{form}}"


class Difference(NamedTuple):
    """By how much the second of two figures is greater than the first over some seeds, and the 95% interval of that."""

    mean_std: MeanStd
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0: significant at the level of 5%, if differences are about normal."""
        return not self.low <= 0 <= self.high


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Compare figures seed by seed by Student's paired t interval; None for fewer than two seeds.

    Args:
        first: a figure a seed.
        second: the other's, of the same seeds in the same order.
    """
    if len(first) < 2:
        return None
    found = mean_std([other - one for one, other in zip(first, second, strict=True)])
    deviation = found.deviation or 0.0
    half = float(stdtrit(found.count - 1, 0.975)) * deviation / math.sqrt(found.count)
    return Difference(found, found.mean - half, found.mean + half)


def seed_groups(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs of each group that was launched with several seeds, groups and runs in the order of `runs`."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.group:
            groups.setdefault(run.group, []).append(run)
    return groups


def mean_std(figures: Sequence[float]) -> MeanStd:
    """Return mean and standard deviation (n - 1 in the denominator) of at least one figure."""
    deviation = statistics.stdev(figures) if len(figures) > 1 else None
    return MeanStd(statistics.fmean(figures), deviation, len(figures))


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return a name for each run id by which people can tell these runs apart."""
    titles = {run.id: f"{run.config.architecture} · {FRAMEWORK_TITLES[run.config.framework]}" for run in runs}
    seeds = {run.id: f"seed {run.config.seed}" for run in runs}
    for distinction in (seeds, {run.id: run.id[:4] for run in runs}):
        often = Counter(titles.values())
        titles = {
            run_id: title if often[title] == 1 else f"{title} · {distinction[run_id]}"
            for run_id, title in titles.items()
        }
    return titles
