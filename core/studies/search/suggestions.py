"""What Optuna does for a search: which settings to try next, and which trial is not worth going on with.

    suggestions = Suggestions(store, search_id, specification)
    number, settings = suggestions.ask()
    if suggestions.report(number, epoch=1, val_accuracy=0.91):    # prune it
        suggestions.tell(number, "pruned")
    suggestions.tell(number, "done", val_accuracy=0.97)
    get_importances(specification, trials)                        # {"learning_rate": 0.8, "batch_size": 0.2}

The study is called `duet-ID` and lies in the store's database, in Optuna's own tables. A list of numbers is stored in
it by position in ascending order, so that the sampler knows which values lie side by side; a sampler is made anew for
each trial with a seed of its own, so that a search goes on after a restart as it would have without one.
"""

import hashlib
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from core.runs import Store, Trial
from core.studies.search.space import Dimension, Value, grid_point
from core.studies.search.specification import Specification

optuna.logging.set_verbosity(optuna.logging.WARNING)

Outcome = Literal["done", "pruned", "failed"]

_STARTUP_TRIALS = 5
"""So many trials are drawn at random before TPE has something to go by, and run to their end before any is pruned."""

_DRAWS = 50

_OUTCOMES: dict[Outcome, TrialState] = {
    "done": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Suggestions:
    """The study of one search, for the one process that works on it."""

    def __init__(self, store: Store, search_id: str, specification: Specification):
        """Open the study of a search, which is made if there is none yet."""
        self._specification = specification
        self._distributions = distributions_of(specification.space)
        self._storage = RDBStorage(store.url, engine_kwargs=store.engine_options())
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=study_name(search_id),
            direction="maximize",
            pruner=_pruner(specification),
            load_if_exists=True,
        )
        self._study_id = self._storage.get_study_id_from_name(self._study.study_name)

    def close(self) -> None:
        """Give the connections back."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Begin a trial; return its number and the settings to try."""
        self._study.sampler = self._sampler(self._study.get_trials(deepcopy=False))
        trial = self._study.ask(self._distributions)
        return trial.number, decode(self._specification.space, trial.params)

    def unfinished(self) -> list[tuple[int, dict[str, Value]]]:
        """Return the trials that have begun and not ended; what was broken off while it began has failed."""
        found = []
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.params.keys() == self._distributions.keys():
                found.append((trial.number, decode(self._specification.space, trial.params)))
            else:
                self.tell(trial.number, "failed")
        return found

    def report(self, number: int, epoch: int, val_accuracy: float) -> bool:
        """Record what a trial has reached after an epoch, counted from 1; return whether to prune it."""
        trial_id = self._id_of(number)
        if self._storage.get_trial(trial_id).state.is_finished():
            return False
        self._storage.set_trial_intermediate_value(trial_id, epoch, val_accuracy)
        return self._study.pruner.prune(self._study, self._storage.get_trial(trial_id))

    def reported(self, number: int) -> int:
        """Return the last epoch that was reported of a trial; 0 if none was."""
        return self._storage.get_trial(self._id_of(number)).last_step or 0

    def tell(self, number: int, outcome: Outcome, val_accuracy: float | None = None) -> None:
        """Record how a trial has ended; one whose end is recorded stays as it is."""
        self._study.tell(number, val_accuracy, state=_OUTCOMES[outcome], skip_if_finished=True)

    def _id_of(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _sampler(self, trials: Sequence[FrozenTrial]) -> BaseSampler:
        """Return what chooses the settings of the trial after some others."""
        specification = self._specification
        if specification.sampler == "grid":
            return _Grid(specification.space)
        digest = hashlib.sha256(f"{specification.config.seed}/{len(trials)}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        sampler: BaseSampler
        if specification.sampler == "random":
            sampler = RandomSampler(seed=seed)
        else:
            # What is drawn is written down for others only where others run.
            others = any(trial.state == TrialState.RUNNING for trial in trials)
            sampler = TPESampler(n_startup_trials=_STARTUP_TRIALS, multivariate=True, constant_liar=others, seed=seed)
        return _Untried(sampler, self._distributions, specification.size, seed)


def study_name(search_id: str) -> str:
    """Return what Optuna calls the study of a search."""
    return f"duet-{search_id}"


def distributions_of(space: Sequence[Dimension]) -> dict[str, BaseDistribution]:
    """Return what Optuna chooses from, for each setting that is varied."""
    return {dimension.name: _distribution(dimension) for dimension in space}


def decode(space: Sequence[Dimension], params: Mapping[str, Any]) -> dict[str, Value]:
    """Return the settings that parameters of the study stand for."""
    return {
        dimension.name: _in_order(dimension)[params[dimension.name]]
        if _is_by_position(dimension)
        else params[dimension.name]
        for dimension in space
    }


def encode(space: Sequence[Dimension], settings: Mapping[str, Value]) -> dict[str, Any]:
    """Return the parameters of the study that stand for settings."""
    return {
        dimension.name: _in_order(dimension).index(settings[dimension.name])
        if _is_by_position(dimension)
        else settings[dimension.name]
        for dimension in space
    }


def get_importances(specification: Specification, trials: Iterable[Trial]) -> dict[str, float]:
    """Return how much each setting matters for being among the best tenth, all together 1, the greatest first.

    By PED-ANOVA: Watanabe, Bansal and Hutter, 2023. Empty for fewer than four finished trials.
    """
    distributions = distributions_of(specification.space)
    done = [
        create_trial(
            params=encode(specification.space, trial.settings), distributions=distributions, value=trial.val_accuracy
        )
        for trial in trials
        if trial.state == "done" and trial.val_accuracy is not None
    ]
    if len(done) < 4:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(done)
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def _distribution(dimension: Dimension) -> BaseDistribution:
    if _is_by_position(dimension):
        return IntDistribution(0, len(dimension.values) - 1)
    if dimension.values:
        return CategoricalDistribution(dimension.values)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _is_by_position(dimension: Dimension) -> bool:
    return bool(dimension.values) and dimension.is_ordered


def _in_order(dimension: Dimension) -> list[Any]:
    return sorted(dimension.values, key=float)


def _pruner(specification: Specification) -> BasePruner:
    match specification.pruner:
        case "median":
            return MedianPruner(n_startup_trials=_STARTUP_TRIALS)
        case "hyperband":
            return HyperbandPruner(min_resource=1, max_resource=specification.config.epochs)
    return NopPruner()


class _Grid(BaseSampler):
    """Gives each trial the point of the grid that has its number."""

    def __init__(self, space: Sequence[Dimension]):
        self._space = space

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return encode(self._space, grid_point(self._space, trial.number))[param_name]


class _Untried(BaseSampler):
    """Asks another sampler until it names what was not tried yet; where that can be counted, draws what is left."""

    def __init__(
        self, sampler: BaseSampler, distributions: Mapping[str, BaseDistribution], size: int | None, seed: int
    ):
        self._sampler, self._distributions, self._size = sampler, dict(distributions), size
        self._random = random.Random(seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        tried = {
            tuple(other.params.get(name) for name in search_space)
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number
        }
        relative = self._sampler.infer_relative_search_space(study, trial)
        for _ in range(_DRAWS):
            drawn = self._sampler.sample_relative(study, trial, relative)
            params = {
                name: drawn[name]
                if name in drawn
                else self._sampler.sample_independent(study, trial, name, distribution)
                for name, distribution in search_space.items()
            }
            if tuple(params.values()) not in tried:
                return params
        return self._left_over(tried) or params

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def _left_over(self, tried: set[tuple[Any, ...]]) -> dict[str, Any] | None:
        """Return settings that were not tried, at random; None where there are none, or they cannot be counted."""
        if self._size is None or len(tried) >= self._size:
            return None
        choices = [
            list(each.choices) if isinstance(each, CategoricalDistribution) else range(each.low, each.high + 1)
            for each in self._distributions.values()
            if isinstance(each, CategoricalDistribution | IntDistribution)
        ]
        skipped = self._random.randrange(self._size - len(tried)) if self._size <= 100_000 else 0
        left = (point for point in itertools.product(*choices) if point not in tried)
        point = next(itertools.islice(left, skipped, None))
        return dict(zip(self._distributions, point, strict=True))
