"""What a search is to do: the settings that stay, those that vary, how they are chosen, and when it ends.

specification = specify(RunConfig(), ["batch_size=32,64,128", "learning-rate=0.001..1:log"], trials=20)
specification.configs({"batch_size": 64, "learning_rate": 0.01}, seed=0)    # a trial's runs of the first seed
Specification.model_validate(search.specification)
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from core import datasets
from core.config import FRAMEWORK_TITLES, MOST_SEEDS, RunConfig
from core.engines import available_cores
from core.networks.layers import check_network
from core.networks.registry import get_architecture
from core.studies.search.space import (
    Dimension,
    Value,
    apply_settings,
    check_dimension,
    grid_point,
    grid_size,
    parse_dimension,
)
from core.system.text import quoted
from core.training.loop import count_steps

Sampler = Literal["grid", "random", "tpe"]
Pruner = Literal["none", "median", "hyperband"]

SAMPLERS: dict[Sampler, str] = {"grid": "Grid", "random": "Random", "tpe": "TPE"}
"""Each sampler, as people read it. TPE is the tree-structured Parzen estimator: Bergstra and others, 2011."""

PRUNERS: dict[Pruner, str] = {"none": "None", "median": "Median", "hyperband": "Hyperband"}

USUAL_TRIALS = 20
MOST_TRIALS = 10_000
_CHECKED_POINTS = 200


class Specification(BaseModel):
    """A search as it was asked for. A budget that is None does not end it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: RunConfig
    """The settings of all trials, but for what is varied."""
    space: tuple[Dimension, ...]
    sampler: Sampler
    pruner: Pruner = "none"
    pairs: bool = False
    """Whether each trial trains in both frameworks, side by side."""
    seeds: int = 1
    trials: int | None = None
    minutes: float | None = None
    """Of work: while it is paused none pass."""
    images: int | None = None
    """Images that all its runs train on, each counted each time."""

    @property
    def size(self) -> int | None:
        """How many different trials there are; None where they cannot be counted."""
        if self.sampler == "grid":
            return grid_size(self.space)
        size = 1
        for dimension in self.space:
            if dimension.count is None:
                return None
            size *= dimension.count
        return size

    @property
    def most_trials(self) -> int | None:
        """How many trials it makes at the most; None where only minutes or images end it."""
        return min((each for each in (self.trials, self.size) if each is not None), default=None)

    def sample(self, count: int) -> list[list[RunConfig]]:
        """Return the runs of at most so many trials from all over the space, by which to estimate the time of all.

        The settings of layers stay as they are: a network would be kept for each.
        """
        space = [dimension for dimension in self.space if dimension.name in RunConfig.model_fields]
        last = grid_size(space) - 1
        sampled = []
        for number in sorted({round(last * place / max(count - 1, 1)) for place in range(count)}):
            try:
                sampled.append(self.configs(grid_point(space, number), seed=0))
            except ValueError:  # these do not fit together: a trial that fails takes no time
                continue
        return sampled

    def configs(self, settings: Mapping[str, Value], seed: int) -> list[RunConfig]:
        """Return the runs of a trial for one seed, counted from 0: one, or a pair.

        Raises:
            ValueError: if the settings do not fit together, or the network does not fit the data.
        """
        config = apply_settings(self.config, settings)
        config = config.model_copy(update={"seed": config.seed + seed})
        dataset = datasets.load(config.dataset)
        architecture = get_architecture(config.architecture)
        check_network(architecture, dataset.image_shape, len(dataset.class_names), config.batch_size)
        count_steps(config, dataset)
        if not self.pairs:
            return [config]
        threads = config.threads
        if config.device == "cpu" and not threads:
            threads = max(1, available_cores() // len(FRAMEWORK_TITLES))
        return [config.model_copy(update={"framework": each, "threads": threads}) for each in FRAMEWORK_TITLES]


def specify(
    config: RunConfig,
    vary: Iterable[str],
    *,
    sampler: Sampler | None = None,
    pruner: Pruner = "none",
    pairs: bool = False,
    seeds: int = 1,
    trials: int | None = None,
    minutes: float | None = None,
    images: int | None = None,
) -> Specification:
    """Return a search of what a user asks for.

    Args:
        vary: each `NAME=VALUES`, see `parse_dimension`.
        sampler: by default a grid over lists of values, TPE where there is a range.
        trials: by default all points of a grid, else 20 where no other budget is given.

    Raises:
        ValueError: with one sentence that names what is wrong, what was expected and what came.
    """
    space = [_parse(each) for each in vary]
    names = [dimension.name for dimension in space]
    if not space:
        raise ValueError(
            "Vary (--vary): expected at least one NAME=VALUES, such as batch-size=32,64,128, received none."
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"Vary (--vary): expected each setting once, received {twice} twice: put its values together.")
    if pairs and "framework" in names:
        raise ValueError("Pairs train in both frameworks: vary the framework, or search with pairs, not both.")
    if config.validation_part == "test":
        raise ValueError(
            "Validation images (--validation-part): a search chooses by validation accuracy, which must not be "
            "measured on the test images: choose stratified or last."
        )
    _check_whole("Seeds (--seeds)", seeds, MOST_SEEDS)
    if trials is not None:
        _check_whole("Trials (--trials)", trials, MOST_TRIALS)
    if images is not None:
        _check_whole("Images (--images)", images, 10**12)
    if minutes is not None and not 0 < minutes <= 525_600:
        raise ValueError(f"Minutes (--minutes): expected a number above 0, at most 525,600, received {minutes:g}.")
    if sampler is None:
        sampler = "grid" if all(dimension.values for dimension in space) else "tpe"
    if trials is None and sampler != "grid" and minutes is None and images is None:
        trials = USUAL_TRIALS
    specification = Specification(
        config=config,
        space=tuple(space),
        sampler=sampler,
        pruner=pruner,
        pairs=pairs,
        seeds=seeds,
        trials=trials,
        minutes=minutes,
        images=images,
    )
    if "architecture" not in names:
        for dimension in space:
            check_dimension(dimension, config)
    if sampler == "grid" and grid_size(space) > MOST_TRIALS:
        raise ValueError(
            f"The grid has {grid_size(space):,} points, at most {MOST_TRIALS:,} are tried: give fewer values, or "
            "choose tpe (--sampler)."
        )
    _check_some_points(specification)
    return specification


def _parse(text: str) -> Dimension:
    name, separator, values = text.partition("=")
    if not separator:
        raise ValueError(f"Vary (--vary): expected NAME=VALUES, such as batch-size=32,64,128, received {quoted(text)}.")
    return parse_dimension(name, values)


def _check_whole(title: str, value: Any, most: int) -> None:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{title}: expected a whole number from 1 to {most:,}, received {quoted(value)}.")


def _check_some_points(specification: Specification) -> None:
    """Refuse a search none of whose first points can be trained; a point that cannot is a failed trial.

    Raises:
        ValueError: with what is wrong with the first one.
    """
    first: ValueError | None = None
    for number in range(min(grid_size(specification.space), _CHECKED_POINTS)):
        try:
            specification.configs(grid_point(specification.space, number), seed=0)
        except ValueError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first
