"""What Duet's own recipes reach, and how long that takes.

    python -m benchmarks.own_recipes                            # five seeds in both frameworks
    python -m benchmarks.own_recipes --recipe fast-99 --seeds 2

Nothing was chosen by the test images, which are what is told here; `benchmarks.ablations` says by what it was.
Runs are kept in the usual store and not repeated, so this can be stopped and taken up; `docs/own_recipes.md` is
written anew after each.
"""

import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import get_args

from core.checkpoints import write_file
from core.command_line import Parser, duration, refuse
from core.comparison import spread
from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.home import PROJECT
from core.recipes import RECIPES, Recipe, get_recipe
from core.replicate import config_of, finished_runs, machine, train
from core.runs import Run, Store, open_store

DOCUMENT = PROJECT / "docs" / "own_recipes.md"
OWN = tuple(name for name in ("fast-99", "fast-99.5", "best") if name in RECIPES)


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing and write the tables."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog="python -m benchmarks.own_recipes", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--recipe", metavar="NAME", nargs="+", default=OWN, help="only these recipes")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="how many trainings of each (default 5)")
    options = parser.parse_args(given)
    try:
        recipes = [get_recipe(name) for name in options.recipe]
    except ValueError as error:
        refuse(str(error))
    store, command = open_store(), " ".join(["python -m benchmarks.own_recipes", *given])
    plan = [each for recipe in recipes for config in full_configs(recipe) for each in seeded(config, options.seeds)]
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


def seeded(config: RunConfig, count: int) -> Iterator[RunConfig]:
    """Return a config with its own seed, and with those that follow."""
    return (config.model_copy(update={"seed": config.seed + number}) for number in range(count))


def write_document(store: Store, command: str) -> None:
    """Write the table of what has been trained so far."""
    reached = []
    for name in OWN:
        recipe = get_recipe(name)
        for config in full_configs(recipe):
            cells = _reached(finished_runs(store, config))
            reached.append(f"| `{name}` | {FRAMEWORK_TITLES[config.framework]} | {cells} |")
    rows = "\n".join(reached)
    text = f"""# Duet's own recipes

Written by `{command}` on {machine()}; runs of earlier commands
are kept, and count, too.

Means over seeds ± the standard deviation over them. Seconds are those of training, validation and imports not
included, whatever else the machine did meanwhile; the least is that of the run that was disturbed the least. An
accuracy of .99 on 10,000 images is itself uncertain by ±.002, and one of .9965 by ±.0012 (95%).

| recipe | framework | test accuracy | seeds | seconds, mean | seconds, least |
|---|---|---:|---:|---:|---:|
{rows}
"""
    write_file(DOCUMENT, text.encode())


def _reached(runs: Sequence[Run]) -> str:
    if not runs:
        return "not run yet | | |"
    seconds = [run.results["train_seconds"] for run in runs]
    return (
        f"{mean_and_spread([run.results['test_accuracy'] for run in runs])} | {len(runs)} | "
        f"{duration(statistics.fmean(seconds))} | {duration(min(seconds))}"
    )


def mean_and_spread(values: Sequence[float]) -> str:
    """Return a mean in words and, of several values, their standard deviation."""
    found = spread(values)
    return f"{found.mean:.4f}" + ("" if found.deviation is None else f" ± {found.deviation:.4f}")


if __name__ == "__main__":
    sys.exit(main())
