"""What tells runs apart: the settings in which they differ, and how far results spread over seeds.

settings_in_words([run.config for run in runs])      # {"Framework": ["PyTorch", "Keras"], "Epochs": [3, 3], ...}
differing_settings([run.config for run in runs])     # {"Framework": ["PyTorch", "Keras"]}
mean_std([.989, .991]).in_words(".4f")                 # "0.9900 ± 0.0014"
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.config import CHOICE_TITLES, RunConfig, is_used


def differing_settings(configs: Sequence[RunConfig]) -> dict[str, list[Any]]:
    """Return the title of each setting in which configs differ, with the value of each config in words.

    The value of one in which the setting does nothing is None.
    """
    return {
        title: each for title, each in settings_in_words(configs).items() if any(value != each[0] for value in each)
    }


def settings_in_words(configs: Sequence[RunConfig]) -> dict[str, list[Any]]:
    """Return the title of each setting with the value of each config in words, None where the setting does nothing."""
    dumped = [config.model_dump() for config in configs]
    return {
        str(field.title): [
            CHOICE_TITLES.get(name, {}).get(each[name], each[name]) if is_used(name, each) else None for each in dumped
        ]
        for name, field in RunConfig.model_fields.items()
    }


def value_of_setting(value: Any) -> str:
    """Return a value of `settings_in_words` as a table shows it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
    return str(value)


@dataclass(frozen=True)
class MeanStd:
    """The mean of some figures, one a seed, and their standard deviation, which a single one does not have."""

    mean: float
    deviation: float | None
    count: int

    def in_words(self, form: str) -> str:
        """Return it as "0.9900 ± 0.0014", each in the format `form`."""
        return f"{self.mean:{form}}" if self.deviation is None else f"{self.mean:{form}} ± {self.deviation:{form}}"


def mean_std(figures: Sequence[float]) -> MeanStd:
    """Return mean and standard deviation (n - 1 in the denominator) of at least one figure."""
    deviation = statistics.stdev(figures) if len(figures) > 1 else None
    return MeanStd(statistics.fmean(figures), deviation, len(figures))
