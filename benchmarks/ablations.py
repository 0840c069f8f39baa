"""What each setting of Duet's own recipes is worth: each recipe with one thing taken away or changed.

    python -m benchmarks.ablations                              # two seeds of each; hours without a GPU
    python -m benchmarks.ablations --recipe fast-99 --seeds 5

In PyTorch, on the GPU where there is one. Test images must not choose anything, so what is told is the accuracy on
10,000 of the training images, which are not learnt from here. Runs are kept in the usual store and not repeated, so
this can be stopped and taken up; `docs/ablations.md` is written anew after each.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.own_recipes import OWN, mean_and_spread, train_and_write
from core.config import RunConfig
from core.engines import get_engine
from core.recipes import Recipe, get_recipe
from core.runs import FinishedRun, Store
from core.studies.replication import config_of, finished_runs, machine
from core.system.files import write_bytes
from core.system.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "ablations.md"

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "without label smoothing": {"label_smoothing": 0.0},
    "with label smoothing": {"label_smoothing": 0.1},
    "without weight decay": {"weight_decay": 0.0},
    "without Nesterov": {"nesterov": False},
    "at a constant rate of 0.05": {"schedule": "constant", "learning_rate": 0.05},
    "with pixels from 0 to 1": {"normalization": "unit"},
    "without augmentation": {"rotation": 0.0, "zoom": 0.0, "shift_x": 0.0, "shift_y": 0.0, "erasing": 0.0},
    "without weight averaging": {"ema_decay": 0.0},
    "with the network cnn-fast": {"architecture": "cnn-fast"},
    "with the network cnn-balanced": {"architecture": "cnn-balanced"},
}
# Ten thousand images validate.
_ALL_HAVE = {"validation_share": 1 / 6, "device": "auto"}


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing and write the table."""
    return train_and_write("ablations", __doc__, arguments, seeds=2, configs=configs, write=write_document)


def configs(recipe: Recipe) -> dict[str, RunConfig]:
    """Return a recipe with one thing taken away or changed, for each thing that it has; by what is told of it."""
    found: dict[str, RunConfig] = {}
    for title, changes in ABLATIONS.items():
        config = config_of(recipe, "pytorch", recipe.settings["dataset"], **_ALL_HAVE | changes)
        if config not in found.values():
            found[title] = config
    return found


def write_document(store: Store, command: str) -> None:
    """Write the table of what has been trained so far."""
    found = {
        name: {title: finished_runs(store, config) for title, config in configs(get_recipe(name)).items()}
        for name in OWN
    }
    lines = [f"| `{name}` | {title} | {_worth(runs)} |" for name in OWN for title, runs in found[name].items()]
    rows = "\n".join(lines)
    text = f"""# What the settings of Duet's own recipes are worth

Written by `{command}` on {machine()}; runs of earlier
commands are kept, and count, too.
{_where([run for changed in found.values() for runs in changed.values() for run in runs])}

Means over seeds ± the standard deviation over them, of the accuracy on 10,000 of the training images, which a seed
draws and nothing was learnt from: no test image has chosen anything. Other images alone make ±.0012 of an accuracy of
.9965 (95%), so only what differs by more than the spread says something; of one seed alone the spread is not known.

| recipe | | validation accuracy | seeds |
|---|---|---:|---:|
{rows}
"""
    write_bytes(DOCUMENT, text.encode())


def _where(runs: Sequence[FinishedRun]) -> str:
    """Return in a sentence what the runs were trained on."""
    if not runs:
        return "Nothing is trained yet."
    titles = {device["name"]: device["title"] for device in get_engine("pytorch").devices()}
    devices = sorted({titles.get(run.config.device, run.config.device) for run in runs})
    versions = sorted({run.results.versions["torch"] for run in runs})
    return f"Trained in PyTorch {' and '.join(versions)} on {' and '.join(devices)}."


def _worth(runs: Sequence[FinishedRun]) -> str:
    return f"{mean_and_spread([run.results.val_accuracy for run in runs])} | {len(runs)}" if runs else "not run yet |"


if __name__ == "__main__":
    sys.exit(main())
