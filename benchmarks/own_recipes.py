"""What Duet's own recipes reach, how long that takes, and what each of their settings is worth.

    python -m benchmarks.own_recipes                            # five seeds in both frameworks, and the ablations
    python -m benchmarks.own_recipes --recipe fast-99 --seeds 2

The test accuracy is that of the recipe as it is. What is worth having was chosen on 10,000 validation images,
never on the test images: so are the ablations measured, each a recipe with one thing taken away or changed, in PyTorch.
Runs are kept in the usual store and not repeated, so this can be stopped and taken up; `docs/own_recipes.md` is
written anew after each.
"""

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from core.checkpoints import write_file
from core.command_line import Parser, duration, refuse
from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.home import PROJECT
from core.recipes import RECIPES, Recipe, get_recipe
from core.replicate import config_of, finished_runs, machine, train
from core.runs import Run, Store, open_store

DOCUMENT = PROJECT / "docs" / "own_recipes.md"
OWN = tuple(name for name in ("fast-99", "fast-99.5", "best") if name in RECIPES)

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "without label smoothing": {"label_smoothing": 0.0},
    "without weight decay": {"weight_decay": 0.0},
    "without Nesterov": {"nesterov": False},
    "at a constant rate of 0.05": {"schedule": "constant", "learning_rate": 0.05},
    "with pixels from 0 to 1": {"normalization": "unit"},
    "without augmentation": {"rotation": 0.0, "zoom": 0.0, "shift_x": 0.0, "shift_y": 0.0, "erasing": 0.0},
    "without weight averaging": {"weight_average": 0.0},
    "with the network cnn-fast": {"architecture": "cnn-fast"},
    "with the network cnn-balanced": {"architecture": "cnn-balanced"},
}
_TEN_THOUSAND_VALIDATE = {"validation_share": 1 / 6}


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing and write the tables."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog="python -m benchmarks.own_recipes", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--recipe", metavar="NAME", nargs="+", default=OWN, help="only these recipes")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="how many trainings of each (default 5)")
    parser.add_argument("--ablation-seeds", type=int, default=2, metavar="N", help="and of each ablation (default 2)")
    options = parser.parse_args(given)
    try:
        recipes = [get_recipe(name) for name in options.recipe]
    except ValueError as error:
        refuse(str(error))
    store, command = open_store(), " ".join(["python -m benchmarks.own_recipes", *given])
    plan = [
        *(config for recipe in recipes for config in full_configs(recipe) for config in _seeded(config, options.seeds)),
        *(
            config
            for recipe in recipes
            for ablation in ablation_configs(recipe).values()
            for config in _seeded(ablation, options.ablation_seeds)
        ),
    ]
    for config in plan:
        if config.seed in {run.config.seed for run in finished_runs(store, config)}:
            continue
        print(f"{config.architecture} in {FRAMEWORK_TITLES[config.framework]}, seed {config.seed}", file=sys.stderr)
        if code := train(config):
            return code
        write_document(store, command)
    write_document(store, command)
    return 0


def full_configs(recipe: Recipe) -> list[RunConfig]:
    """Return a recipe as it is, in each framework."""
    return [config_of(recipe, framework, recipe.settings["dataset"]) for framework in get_args(Framework)]


def ablation_configs(recipe: Recipe) -> dict[str, RunConfig]:
    """Return a recipe with one thing taken away or changed, for each thing that it has; by what is told of it."""
    found: dict[str, RunConfig] = {}
    for title, changes in ABLATIONS.items():
        config = config_of(recipe, "pytorch", recipe.settings["dataset"], **_TEN_THOUSAND_VALIDATE | changes)
        if config not in found.values():
            found[title] = config
    return found


def _seeded(config: RunConfig, count: int) -> Iterator[RunConfig]:
    return (config.model_copy(update={"seed": config.seed + number}) for number in range(count))


def write_document(store: Store, command: str) -> None:
    """Write the tables of what has been trained so far."""
    reached, worth = [], []
    for name in OWN:
        recipe = get_recipe(name)
        for config in full_configs(recipe):
            cells = _reached(finished_runs(store, config))
            reached.append(f"| `{name}` | {FRAMEWORK_TITLES[config.framework]} | {cells} |")
        for title, config in ablation_configs(recipe).items():
            worth.append(f"| `{name}` | {title} | {_worth(finished_runs(store, config))} |")
    rows, ablations = "\n".join(reached), "\n".join(worth)
    text = f"""# Duet's own recipes

Written by `{command}` on {machine()}; runs of earlier commands
are kept, and count, too.

Means over seeds ± the standard deviation over them. Seconds are those of training, validation and imports not
included, whatever else the machine did meanwhile; the least is that of the run that was disturbed the least. An
accuracy of .99 on 10,000 images is itself uncertain by ±.002, and one of .9965 by ±.0012 (95%).

| recipe | framework | test accuracy | seeds | seconds, mean | seconds, least |
|---|---|---:|---:|---:|---:|
{rows}

## What each setting is worth

In PyTorch, trained on 50,000 images and measured on the 10,000 others of the training images, as test images must
not choose anything.

| recipe | | validation accuracy | seeds |
|---|---|---:|---:|
{ablations}
"""
    write_file(DOCUMENT, text.encode())


def _reached(runs: Sequence[Run]) -> str:
    if not runs:
        return "not run yet | | |"
    seconds = [run.results["train_seconds"] for run in runs]
    return (
        f"{_spread([run.results['test_accuracy'] for run in runs])} | {len(runs)} | "
        f"{duration(statistics.fmean(seconds))} | {duration(min(seconds))}"
    )


def _worth(runs: Sequence[Run]) -> str:
    return f"{_spread([run.results['val_accuracy'] for run in runs])} | {len(runs)}" if runs else "not run yet |"


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{spread}"


if __name__ == "__main__":
    sys.exit(main())
