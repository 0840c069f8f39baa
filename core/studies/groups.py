"""Runs that differ by their seed alone are one thing that was measured several times; and what tells such things apart.

run_labels(runs)                 # {run id: "batch 256"}: what differs among these, and nothing else
fold_seeds(finished(runs))       # a SeedGroup for each setting, with the runs of its seeds
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config import CHOICE_TITLES, FRAMEWORK_TITLES, Framework, RunConfig, is_used
from core.runs import FinishedRun, Run
from core.runs.folding import settings_key
from core.studies.comparison import MeanStd, mean_std

_NAMES = ("dataset", "architecture", "framework", "optimizer", "precision")
"""Settings whose value says what it is."""

_SPOKEN: Mapping[str, str] = {
    "batch_size": "batch {}",
    "learning_rate": "rate {}",
    "train_limit": "{} images",
    "validation_part": "{} validation",
    "schedule": "{} schedule",
}
"""How a label says a setting, where its title before the value would be longer than needed."""

_EMPTY: Mapping[str, str] = {"train_limit": "all images", "initial_weights": "untrained"}
_WHERE = ("device", "threads")
"""Settings that a label mentions only where nothing else differs: they do not change what is computed."""


@dataclass(frozen=True)
class SeedGroup:
    """Finished runs that share all settings but the seed, one of each seed, in the order of the seeds; often one alone.

    Attributes:
        key: tells it from other groups, and stays the same when a seed is added.
        label: what differs between it and those that it was made with.
    """

    key: str
    label: str
    runs: tuple[FinishedRun, ...]

    @property
    def framework(self) -> Framework:
        """The framework of all of them."""
        return self.runs[0].config.framework

    @property
    def fingerprint(self) -> str:
        """That of the data of all of them."""
        return self.runs[0].results.fingerprint

    @property
    def ids(self) -> tuple[str, ...]:
        """The runs' ids."""
        return tuple(run.id for run in self.runs)

    def figures(self, name: str) -> list[float]:
        """Return a figure of `core.runs.results.FinishedResults`, such as "test_accuracy", a seed."""
        return [getattr(run.results, name) for run in self.runs]

    def spread(self, name: str) -> MeanStd:
        """Return the mean and deviation of a figure over the seeds."""
        return mean_std(self.figures(name))


def fold_seeds(runs: Sequence[FinishedRun], *, together: bool = True) -> list[SeedGroup]:
    """Return the groups of some runs, in the order in which each first appears.

    Args:
        together: whether the seeds of a setting are one group, of each seed its newest run; or each run is one.
    """
    found: dict[str, list[FinishedRun]] = {}
    for run in runs:
        found.setdefault(_key(run) if together else run.id, []).append(run)
    of_seeds = {key: _newest_of_each_seed(each) for key, each in found.items()}
    told = [(each[0].id, each[0].name, each[0].config) for each in of_seeds.values()]
    labels = _labels(told, without=("seed",) if together else ())
    return [SeedGroup(key, label, runs) for (key, runs), label in zip(of_seeds.items(), labels, strict=True)]


def fold_all_seeds(runs: Sequence[FinishedRun]) -> list[SeedGroup]:
    """Return the groups of some runs with all of them in it: each run alone where there are several of a seed."""
    groups = fold_seeds(runs)
    return groups if sum(len(group.runs) for group in groups) == len(runs) else fold_seeds(runs, together=False)


def are_matched(first: SeedGroup, second: SeedGroup) -> bool:
    """Say whether two are the same seeds of the same settings in both frameworks: matched pairs, seed by seed."""
    seeds = [[run.config.seed for run in group.runs] for group in (first, second)]
    keys = [settings_key(group.runs[0].config.model_dump()) for group in (first, second)]
    return seeds[0] == seeds[1] and keys[0] == keys[1] and first.framework != second.framework


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return a name for each run id: what differs among these runs, and what its user calls it."""
    return dict(zip((run.id for run in runs), _labels([(run.id, run.name, run.config) for run in runs]), strict=True))


def setting_in_label(name: str, settings: Mapping[str, Any]) -> str:
    """Return how a label says a setting: "batch 256", "Keras", "Nesterov momentum"; empty where it does nothing.

    Args:
        settings: a value for every field of `RunConfig`.
    """
    if not is_used(name, settings):
        return ""
    title, value = str(RunConfig.model_fields[name].title), settings[name]
    title = title[0].lower() + title[1:]
    chosen = CHOICE_TITLES.get(name, {}).get(value)
    if name in _NAMES:
        return chosen or value
    if name == "epochs":
        return f"{value:,} epoch{'' if value == 1 else 's'}"
    match value:
        case None:
            return _EMPTY.get(name, f"{title} by default")
        case bool():
            return title if value else f"no {title}"
        case float():
            said = f"{value:g}"
        case int():
            said = str(value) if name == "seed" else f"{value:,}"
        case _:
            said = value if chosen is None else chosen[0].lower() + chosen[1:]
    return _SPOKEN.get(name, f"{title} {{}}").format(said)


def _key(run: FinishedRun) -> str:
    return f"{settings_key(run.config.model_dump())}-{run.config.framework}-{run.results.fingerprint[:8]}"


def _newest_of_each_seed(runs: Sequence[FinishedRun]) -> tuple[FinishedRun, ...]:
    by_seed = {run.config.seed: run for run in sorted(runs, key=lambda run: run.created_at)}
    return tuple(by_seed[seed] for seed in sorted(by_seed))


def _labels(runs: Sequence[tuple[str, str | None, RunConfig]], without: Sequence[str] = ()) -> list[str]:
    """Return a label for each id, name and config, no two of them the same; some settings are left `without`."""
    dumped = [config.model_dump() for _, _, config in runs]
    known = [name for name in RunConfig.model_fields if name not in without]
    differing = [name for name in known if any(each[name] != dumped[0][name] for each in dumped)]
    telling = [name for name in differing if name not in _WHERE] or differing
    said = [
        " · ".join(part for name in telling if (part := setting_in_label(name, each)))
        or f"{each['architecture']} · {FRAMEWORK_TITLES[each['framework']]}"
        for each in dumped
    ]
    names = Counter(name for _, name, _ in runs if name)
    labels = [
        said if not name else name if names[name] == 1 else f"{name} · {said}"
        for (_, name, _), said in zip(runs, said, strict=True)
    ]
    often = Counter(labels)
    return [label if often[label] == 1 else f"{label} · {run[0][:4]}" for label, run in zip(labels, runs, strict=True)]
