"""Train from the command line: the same run, in the same store, as from the dashboard.

    python -m core train --architecture cnn-64-32-32 --framework pytorch --epochs 3
    python -m core train --recipe ann-100 --json
    python -m core train --from 3f9c0a1b2c3d --framework keras

    python -m core train --recipe ann-100 --seeds 5

`--from` takes the settings of a run and goes on from its weights; options given beside it win.

The training happens in this process; progress goes to stderr, the summary to stdout, with `--json`
as one object on the last line. With `--seeds` it trains as often, each time with the next seed, one after the
other and as one group, and tells the mean and the spread. Ctrl-C stops after the current chunk and records it.
"""

import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from core import datasets
from core.cli.parsing import Parser, command_parser, exit_with_error, show
from core.cli.settings import configure_chosen
from core.config import FRAMEWORK_TITLES, MOST_SEEDS, RunConfig, expected, option, with_seeds
from core.engines import get_engine
from core.jobs.worker import execute, starting_weights
from core.networks.layers import check_network
from core.networks.pretrained import check_pretrained
from core.networks.registry import get_architecture
from core.recipes import get_recipe
from core.runs import Run, Store, finished, new_id, open_store, summary
from core.studies.comparison import mean_std
from core.system.paths import run_directory
from core.system.text import duration, quoted
from core.training.loop import count_steps
from core.training.records import StepMetrics

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Check the options, train, and say how it went."""
    options = vars(_parser().parse_args(arguments))
    as_json, recipe, source, seeds = (options.pop(name) for name in ("json", "recipe", "source", "seeds"))
    given = {name: value for name, value in options.items() if value is not None}
    try:
        config = configure_chosen({**_settings_to_start_from(recipe, source), **given})
        configs = with_seeds(config, seeds)
        dataset = datasets.load(config.dataset)
        check_network(
            get_architecture(config.architecture), dataset.image_shape, len(dataset.class_names), config.batch_size
        )
        check_pretrained(config.architecture, dataset.image_shape)
        count_steps(config, dataset)
        if config.initial_weights:
            starting_weights(open_store(), config.initial_weights, config, dataset)
        configs = [_settle_device(each) for each in configs]
        runs = _train(open_store(), configs)
    except ValueError as error:
        exit_with_error(str(error))
    if seeds == 1:
        _show_summary(runs[0], as_json)
    else:
        _show_group(runs, as_json)
    return {"done": 0, "stopped": _INTERRUPTED}.get(runs[-1].state, 1)


def _parser() -> Parser:
    parser = command_parser("train", __doc__)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--recipe", metavar="NAME", help="start from the settings of a recipe")
    start.add_argument("--from", dest="source", metavar="RUN_ID", help="start from the settings and weights of a run")
    for name, field in RunConfig.model_fields.items():
        text = f"{field.description} {expected(name).capitalize()}. Default: {field.default}."
        parser.add_argument(option(name), metavar="VALUE", help=text.replace("%", "%%"))
    several = f"train as often, each time with the next seed: a whole number from 1 to {MOST_SEEDS}. Default: 1."
    parser.add_argument("--seeds", type=int, default=1, metavar="COUNT", help=several)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    return parser


def _settings_to_start_from(recipe: str | None, source: str | None) -> Mapping[str, Any]:
    if recipe:
        return get_recipe(recipe).settings
    if source:
        return {**open_store().get(source).config.model_dump(), "initial_weights": source}
    return {}


def _settle_device(config: RunConfig) -> RunConfig:
    """Return the config with a device that the framework has here; every machine has the CPU, which costs no import.

    Raises:
        ValueError: if it asks for one that is not here.
    """
    if config.device == "cpu":
        return config
    there = [device["name"] for device in get_engine(config.framework).devices()]
    if config.device == "auto":
        return config.model_copy(update={"device": next((name for name in there if name != "cpu"), "cpu")})
    if config.device not in there:
        raise ValueError(
            f"Device (--device): {FRAMEWORK_TITLES[config.framework]} has {', '.join(there)} on this machine, "
            f"received {quoted(config.device)}."
        )
    return config


def _train(store: Store, configs: Sequence[RunConfig]) -> list[Run]:
    """Train one run after the other, until one does not come to its end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    group = new_id() if len(configs) > 1 else None
    runs: list[Run] = []
    for config in configs:
        run_id = store.create(config, submission=new_id(), group=group, claimed=True)
        seed = f", seed {config.seed}" if group else ""
        print(f"Run {run_id}: {config.architecture} in {FRAMEWORK_TITLES[config.framework]}{seed}", file=sys.stderr)
        progress = _Progress(config)
        with _logged(run_id):
            execute(store, run_id, store.get(run_id).attempt, stop=stop, on_metrics=progress.show)
        progress.close()
        runs.append(store.get(run_id))
        if runs[-1].state != "done":
            break
    return runs


@contextmanager
def _logged(run_id: str) -> Iterator[None]:
    """Keep what is logged in the block in the run's folder."""
    directory = run_directory(run_id)
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(directory / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("duet")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


class _Progress:
    """One line on stderr with the time left; on a terminal it is rewritten, in a file it is one line an epoch."""

    def __init__(self, config: RunConfig):
        self._epochs = config.epochs
        self._speed = 0.0
        self._rewritten = False

    def show(self, point: StepMetrics, total_steps: int) -> None:
        self._speed = point.images_per_second or self._speed
        if point.split == "train" and not sys.stderr.isatty():
            return
        left = point.seconds / point.step * (total_steps - point.step)
        line = (
            f"epoch {point.epoch:.2f} of {self._epochs} · {point.split} loss {point.loss:.4f}, "
            f"accuracy {point.accuracy:.4f} · {self._speed:,.0f} images/s · {duration(left)} left"
        )
        self._rewritten = sys.stderr.isatty()
        print(f"\r\x1b[K{line}" if self._rewritten else line, end="" if self._rewritten else "\n", file=sys.stderr)
        sys.stderr.flush()

    def close(self) -> None:
        if self._rewritten:
            print(file=sys.stderr)


def _show_summary(run: Run, as_json: bool) -> None:
    if run.state == "failed":
        show(f"Run {run.id} failed. {run.failure} {run.advice}", sys.stderr)
    if as_json:
        print(json.dumps(summary(run)))
    elif done := run.finished():
        results = done.results
        show(f"Run {run.id} is done: {run.config.architecture} in {FRAMEWORK_TITLES[run.config.framework]}")
        print(f"  parameters          {results.parameters:,}")
        print(f"  test accuracy       {results.test_accuracy:.4f}   (loss {results.test_loss:.4f})")
        print(
            f"  validation accuracy {results.val_accuracy:.4f}   "
            f"(loss {results.val_loss:.4f}, epoch {results.best_epoch} kept)"
        )
        print(f"  training took       {duration(results.train_seconds)} ({results.images_per_second:,.0f} images/s)")
        if doubt := run.doubt:
            show(f"  But {doubt.title}. {doubt.reason} {doubt.advice}")
    elif run.state == "stopped":
        print(f"Run {run.id} was stopped after {run.step:,} of {run.total_steps or 0:,} steps.")


def _show_group(runs: Sequence[Run], as_json: bool) -> None:
    done = finished(runs)
    found = {
        figure: mean_std([getattr(run.results, figure) for run in done])
        for figure in ("test_accuracy", "val_accuracy", "train_seconds")
        if done
    }
    if as_json:
        spreads = {figure: asdict(each) for figure, each in found.items()}
        print(json.dumps({"group": runs[0].group, "runs": [summary(run) for run in runs], "spread": spreads}))
        return
    for run in runs:
        _show_summary(run, as_json=False)
    if done:
        print(f"Over {len(done)} seed{'s' if len(done) > 1 else ''}")
        print(f"  test accuracy       {found['test_accuracy'].in_words('.4f')}")
        print(f"  validation accuracy {found['val_accuracy'].in_words('.4f')}")
        print(f"  training took       {found['train_seconds'].in_words('.1f')} s")
