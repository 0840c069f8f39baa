"""What Duet's own recipes reach, and how long that takes.

    python -m benchmarks.own_recipes                            # five seeds in both frameworks
    python -m benchmarks.own_recipes --recipe fast-99 --seeds 2

Nothing was chosen by the test images, which are what is told here; `benchmarks.ablations` says by what it was.
Runs are kept in the usual store and not repeated, so this can be stopped and taken up; `docs/own_recipes.md` is
written anew after each.
"""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

from core.cli.parsing import Parser, exit_with_error
from core.config import FRAMEWORK_TITLES, RunConfig
from core.recipes import Recipe, get_recipe
from core.runs import FinishedRun, Store, open_store
from core.studies.comparison import mean_std
from core.studies.replication import config_of, finished_runs, machine, train
from core.system.files import write_bytes
from core.system.paths import PROJECT
from core.system.text import duration

DOCUMENT = PROJECT / "docs" / "own_recipes.md"
OWN = ("fast-99", "fast-99.5", "best")


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing and write the table."""
    return train_and_write("own_recipes", __doc__, arguments, seeds=5, configs=full_configs, write=write_document)


def train_and_write(
    command: str,
    about: str,
    arguments: list[str] | None,
    *,
    seeds: int,
    configs: Callable[[Recipe], Mapping[str, RunConfig]],
    write: Callable[[Store, str], None],
) -> int:
    """Train what is missing of some configs of each recipe, and write a document anew after each training.

    Args:
        command: its name in `benchmarks`, with the first line of `about` for its help.
        seeds: of each config, unless told otherwise.
        configs: those of a recipe, by what is told of them.
        write: called with the store and the command.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    name = f"python -m benchmarks.{command}"
    parser = Parser(prog=name, description=about.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--recipe", metavar="NAME", nargs="+", default=OWN, help="only these recipes")
    parser.add_argument("--seeds", type=int, default=seeds, metavar="N", help=f"trainings of each (default {seeds})")
    options = parser.parse_args(given)
    try:
        recipes = [get_recipe(recipe) for recipe in options.recipe]
    except ValueError as error:
        exit_with_error(str(error))
    store, whole_command = open_store(), " ".join([name, *given])
    for recipe in recipes:
        for title, config in configs(recipe).items():
            for seed in range(config.seed, config.seed + options.seeds):
                if seed in {done.config.seed for done in finished_runs(store, config)}:
                    continue
                print(f"{recipe.name} {title}, seed {seed}", file=sys.stderr)
                if code := train(config.model_copy(update={"seed": seed})):
                    return code
                write(store, whole_command)
    write(store, whole_command)
    return 0


def full_configs(recipe: Recipe) -> dict[str, RunConfig]:
    """Return a recipe as it is, in each framework."""
    return {
        f"in {title}": config_of(recipe, framework, recipe.settings["dataset"])
        for framework, title in FRAMEWORK_TITLES.items()
    }


def write_document(store: Store, command: str) -> None:
    """Write the table of what has been trained so far."""
    reached = []
    for name in OWN:
        for config in full_configs(get_recipe(name)).values():
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
    write_bytes(DOCUMENT, text.encode())


def _reached(runs: Sequence[FinishedRun]) -> str:
    if not runs:
        return "not run yet | | |"
    seconds = [run.results.train_seconds for run in runs]
    return (
        f"{mean_and_spread([run.results.test_accuracy for run in runs])} | {len(runs)} | "
        f"{duration(statistics.fmean(seconds))} | {duration(min(seconds))}"
    )


def mean_and_spread(values: Sequence[float]) -> str:
    """Return a mean in words and, of several values, their standard deviation."""
    found = mean_std(values)
    return f"{found.mean:.4f}" + ("" if found.deviation is None else f" ± {found.deviation:.4f}")


if __name__ == "__main__":
    sys.exit(main())
