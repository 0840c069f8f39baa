"""Run published experiments and put what they reported beside what is measured here.

    python -m core replicate                             # every recipe once, in its own framework
    python -m core replicate --recipe ann-100 --seeds 5
    python -m core replicate --recipe ann-100 --framework pytorch
    python -m core replicate --quick                     # a minute: does everything run?

Each training is `python -m core train --recipe NAME`, in the usual store; what is there already is not
trained again, so this can be stopped and taken up. After each training `docs/replication.md` and
`docs/replication.json` are written anew from all finished runs that a recipe describes.
"""

import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

import psutil

from core import datasets
from core.config import FRAMEWORK_TITLES, Framework, RunConfig, configure, option
from core.recipes import RECIPES, SIGN_LANGUAGE, Recipe, Reported, describe
from core.runs import FinishedRun, Store, finished
from core.system.files import write_bytes, write_json
from core.system.paths import PROJECT
from core.system.text import duration

DOCUMENT = PROJECT / "docs" / "replication.md"
"""The table for people; the same rows lie beside it as JSON."""

_KAGGLE_TRAIN_IMAGES = 27_455
INTERRUPTED = 130
_ALL_RUNS = 100_000
QUICK = {"epochs": 1, "train_limit": 2000}


@dataclass(frozen=True)
class Row:
    """One reported figure and what runs of its recipe measured, one value a seed.

    `missing` says what to do where nothing is measured yet. Seconds are those of training, on average.
    """

    recipe: str
    framework: Framework
    data: str
    figure: str
    reported: float
    measured: tuple[float, ...]
    seconds: float | None
    missing: str

    @property
    def mean(self) -> float:
        """The mean of the measured values."""
        return statistics.fmean(self.measured)

    @property
    def spread(self) -> float | None:
        """The standard deviation over the seeds; None where there is but one."""
        return statistics.stdev(self.measured) if len(self.measured) > 1 else None


@dataclass(frozen=True)
class Report:
    """The rows, and on what machine, with which versions, when and by which command they were measured."""

    machine: str
    versions: dict[str, str]
    date: str
    command: str
    rows: tuple[Row, ...]


class Data(NamedTuple):
    """The data set that a recipe can use here, and in words which images those are."""

    name: str | None
    title: str


def data_of(recipe: Recipe) -> Data:
    """Return the data for a recipe: of several imports of the signs that with Kaggle's training images."""
    wanted = recipe.settings["dataset"]
    if wanted != SIGN_LANGUAGE:
        return Data(wanted, datasets.get_specification(wanted).title)
    found = [name for name in datasets.names() if name.startswith(SIGN_LANGUAGE)]
    if not found:
        return Data(None, "Sign Language MNIST")
    sizes = {name: len(datasets.load(name).train.labels) for name in found}
    name = max(found, key=lambda name: sizes[name] == _KAGGLE_TRAIN_IMAGES)
    if sizes[name] == _KAGGLE_TRAIN_IMAGES:
        return Data(name, "Sign Language MNIST, Kaggle's split")
    test = len(datasets.load(name).test.labels)
    return Data(name, f"Sign Language MNIST, not Kaggle's split: {sizes[name]:,} to train on, {test:,} to test on")


def config_of(recipe: Recipe, framework: Framework, dataset: str, **changes: Any) -> RunConfig:
    """Return the run that a recipe describes, in a framework, on the data there are."""
    return configure(**{**recipe.settings, "framework": framework, "dataset": dataset, **changes})


def finished_runs(store: Store, config: RunConfig) -> list[FinishedRun]:
    """Return the finished runs of `config` with any seed, one a seed, by seed; where they ran makes no difference."""
    return _matching(finished(store.find(states=["done"], limit=_ALL_RUNS)), config)


def _matching(done: Iterable[FinishedRun], config: RunConfig) -> list[FinishedRun]:
    same = ("seed", "device", "threads")
    found: dict[int, FinishedRun] = {}
    for run in done:
        if run.config.model_copy(update={name: getattr(config, name) for name in same}) == config:
            found.setdefault(run.config.seed, run)
    return [found[seed] for seed in sorted(found)]


def measure(store: Store, run: FinishedRun, reported: Reported) -> float:
    """Return a run's own value of a reported figure."""
    if reported.epoch is None:
        return float(getattr(run.results, reported.figure))
    epoch = min(reported.epoch, run.config.epochs)
    points = (point for _, point in store.metrics(run.id) if point.split == "validation")
    (point,) = (point for point in points if point.epoch == epoch)
    return point.loss if reported.figure.endswith("loss") else point.accuracy


def train(config: RunConfig) -> int:
    """Train a run in a process of its own, whose memory is free afterwards; return its exit code."""
    # How validation images are taken is always said: left out, it would be as is usual for the data set.
    settings = config.model_dump(exclude_defaults=True) | {"validation_part": config.validation_part}
    options = [text for name, value in settings.items() for text in (option(name), str(value))]
    return subprocess.run(
        [sys.executable, "-m", "core", "train", *options], cwd=PROJECT, check=False, stdout=subprocess.DEVNULL
    ).returncode


def rows(store: Store, **changes: Any) -> Iterator[Row]:
    """Yield a row for each reported figure in its own framework, and in the other one where it was run there."""
    done = finished(store.find(states=["done"], limit=_ALL_RUNS))
    for recipe in (recipe for recipe in RECIPES.values() if recipe.reported):
        data = data_of(recipe)
        for framework in get_args(Framework):
            runs = _matching(done, config_of(recipe, framework, data.name, **changes)) if data.name else []
            if not runs and framework != recipe.settings.get("framework"):
                continue
            missing = f"run `python -m core replicate --recipe {recipe.name}`"
            for reported in recipe.reported:
                yield Row(
                    recipe=recipe.name,
                    framework=framework,
                    data=data.title,
                    figure=describe(reported).replace(f" {reported.value:.4f}", ""),
                    reported=reported.value,
                    measured=tuple(measure(store, run, reported) for run in runs),
                    seconds=statistics.fmean(run.results.train_seconds for run in runs) if runs else None,
                    missing="" if runs else missing if data.name else f"import {data.title}, then {missing}",
                )


def as_table(found: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| recipe | framework | data | figure | reported | measured | seeds | difference | training |",
        "|---|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        name = (
            f"| `{row.recipe}` | {FRAMEWORK_TITLES[row.framework]} | {row.data} | {row.figure} | {row.reported:.4f} |"
        )
        if not row.measured:
            lines.append(f"{name} {row.missing} | | | |")
            continue
        spread = "" if row.spread is None else f" ± {row.spread:.4f}"
        lines.append(
            f"{name} {row.mean:.4f}{spread} | {len(row.measured)} | {row.mean - row.reported:+.4f} | "
            f"{duration(row.seconds or 0)} |"
        )
    return "\n".join(lines)


def write_report(store: Store, path: Path, command: str) -> None:
    """Write what is measured so far as Markdown to `path` and as JSON beside it."""
    report = Report(machine(), _versions(store), f"{datetime.now(UTC):%Y-%m-%d}", command, tuple(rows(store)))
    assumed = "\n".join(f"- `{recipe.name}`: {recipe.assumed}" for recipe in RECIPES.values() if recipe.assumed)
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    text = f"""# Published figures, measured again

Written by `{command}` on {report.date}: {report.machine}; {versions}.

Measured is the mean over the seeds ± the standard deviation over them. A figure "after 5 epochs" is that of the
fifth epoch; any other one is that of the epoch with the lowest validation loss, whose weights are kept. The
time is that of training, whatever else the machine did meanwhile. An accuracy of .99 on MNIST's 10,000 test images
is itself uncertain by ±.002 (95%), and one of .97 by ±.003.

{as_table(report.rows)}

## What was assumed

Where a write-up is silent:

{assumed}
"""
    write_bytes(path, text.encode())
    write_json(path.with_suffix(".json"), asdict(report))


def read_report() -> Report | None:
    """Return the report that was written last, or None if there is none."""
    path = DOCUMENT.with_suffix(".json")
    if not path.exists():
        return None
    values = json.loads(path.read_text())
    found = (Row(**{**row, "measured": tuple(row["measured"])}) for row in values["rows"])
    return Report(**{**values, "rows": tuple(found)})


def machine() -> str:
    """Return in words what processor, memory and system this machine has."""
    described = Path("/proc/cpuinfo")
    models = [line for line in described.read_text().splitlines() if "model name" in line] if described.exists() else []
    processor = models[0].partition(":")[2].strip() if models else platform.processor()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{processor}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def _versions(store: Store) -> dict[str, str]:
    versions: dict[str, str] = {}
    for run in finished(store.find(states=["done"], limit=_ALL_RUNS, order="oldest")):
        versions |= run.results.versions
    return versions
