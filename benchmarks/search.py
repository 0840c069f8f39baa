"""What a search finds, what pruning saves, and what a trial costs beyond its training.

    python -m benchmarks.search > docs/search.md
    python -m benchmarks.search --only made --only ask        # without trainings

Everything happens in a store of its own in a temporary folder. The made problem is asked and told by what real
searches ask and tell (`core.studies.search.suggestions`); the real one is two searches over the same settings, with
and without pruning, trained by Duet's own queue. Exit code 1 if a bound is missed.
"""

import math
import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import optuna

from core.config import RunConfig, configure
from core.runs import Store, Trial, new_id, open_store
from core.studies.replication import machine
from core.studies.search.control import ensure_driving, start_search
from core.studies.search.outcome import best_trial
from core.studies.search.space import grid_point, grid_size
from core.studies.search.specification import Pruner, Specification, specify
from core.studies.search.suggestions import Suggestions, distributions_of

SEEDS, TRIALS = 10, 20
POINTS = 0.1
SAVED = 0.4
OVERHEAD_S = 0.1
_LONG = 1_000
_REAL_TRIALS = 16
_LOOK_S = 0.5

_VARIED = ["batch-size=16,32,64,128,256", "learning-rate=0.001,0.003,0.01,0.03,0.1,0.3", "momentum=0,0.9"]
_RATES = "learning-rate=0.0003..3:log"


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a document."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(_PARTS), help="one part; may be given several times")
    options = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUET_HOME"] = folder
        store = open_store()
        command = " ".join(["python -m benchmarks.search", *given])
        print(f"# Search\n\nWritten by `{command}` on {machine()}.")
        kept = [_PARTS[name](store) for name in options.only or _PARTS]
    return 0 if all(kept) else 1


def made_accuracy(settings: Mapping[str, Any]) -> float:
    """Return the accuracy of a made problem in percent: a ridge of rates that suit a batch size; momentum helps."""
    batch_size, rate, momentum = (settings[name] for name in ("batch_size", "learning_rate", "momentum"))
    off = math.log10(rate / batch_size * 64) + 1.5 + (0.5 if momentum else 0)
    return 98.5 - 1.2 * off**2 - 0.15 * abs(math.log2(batch_size / 64)) + (0.3 if momentum else 0)


def _show_made(store: Store) -> bool:
    specifications = [specify(configure(seed=seed), _VARIED, sampler="tpe", trials=TRIALS) for seed in range(SEEDS)]
    space = specifications[0].space
    size = grid_size(space)
    highest = max(made_accuracy(grid_point(space, number)) for number in range(size))
    missing = [highest - max(_search_made(store, each)) for each in specifications]
    near = sum(each <= POINTS for each in missing)
    print(
        f"\n## A made problem\n\n{size} points of batch size, learning rate and momentum; TPE, {TRIALS} trials, "
        f"{SEEDS} seeds. Points of accuracy short of the best of the whole grid: "
        f"{', '.join(f'{each:.2f}' for each in missing)}. Within {POINTS:g}: {near} of {SEEDS}."
    )
    return near == SEEDS


def _search_made(store: Store, specification: Specification) -> list[float]:
    suggestions = Suggestions(store, new_id(), specification)
    found = []
    for _ in range(TRIALS):
        number, settings = suggestions.ask()
        found.append(made_accuracy(settings))
        suggestions.tell(number, "done", found[-1])
    suggestions.close()
    return found


def _show_asking(store: Store) -> bool:
    """Time asking and telling, here and by Optuna alone in memory."""
    specification = specify(RunConfig(), ["learning-rate=0.001..1:log", "momentum=0..0.9"], trials=_LONG)
    suggestions = Suggestions(store, new_id(), specification)
    study = optuna.create_study(direction="maximize")
    distributions = distributions_of(specification.space)
    ours: list[float] = []
    alone: list[float] = []
    for number in range(_LONG):
        study.sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=5, multivariate=True)
        started = time.perf_counter()
        trial = study.ask(distributions)
        study.tell(trial, trial.params["momentum"])
        alone.append(time.perf_counter() - started)
        started = time.perf_counter()
        number, settings = suggestions.ask()
        suggestions.tell(number, "done", float(settings["momentum"]))  # type: ignore[arg-type]
        ours.append(time.perf_counter() - started)
    suggestions.close()
    print(
        "\n## Asking for a trial and telling its result\n\n| trials before | Duet, ms | Optuna alone, in memory, ms |"
    )
    print("|---:|---:|---:|")
    for first in (0, 90, _LONG - 10):
        part = slice(first, first + 10)
        print(f"| {first:,} to {first + 9:,} | {1000 * median(ours[part]):.1f} | {1000 * median(alone[part]):.1f} |")
    return median(ours[-10:]) <= OVERHEAD_S


def _show_pruning(store: Store) -> bool:
    config = configure(architecture="cnn-64-32-32", train_limit=2000, epochs=6)
    pruners: tuple[Pruner, ...] = ("none", "median")
    found = {pruner: _search(store, config, pruner) for pruner in pruners}
    print(
        f"\n## Pruning\n\nTwo searches of {_REAL_TRIALS} random learning rates from .0003 to 3, the same in both: "
        f"cnn-64-32-32 on {config.train_limit:,} images of MNIST, {config.epochs} epochs. Beyond training is what "
        "passes from the first trial to the last while none trains: the start of each process, and the queue.\n\n"
        "| pruning | images | pruned | best validation accuracy | beyond training, s a trial |\n"
        "|---|---:|---:|---:|---:|"
    )
    for pruner, trials in found.items():
        best = best_trial(trials)
        pruned = sum(trial.state == "pruned" for trial in trials)
        reached = "" if best is None or best.val_accuracy is None else f"{best.val_accuracy:.2%}"
        print(f"| {pruner} | {_images(trials):,} | {pruned} | {reached} | {_beyond_training(store, trials):.2f} |")
    saved = 1 - _images(found["median"]) / _images(found["none"])
    bests = [best_trial(trials) for trials in found.values()]
    same = bests[0] is not None and bests[1] is not None and bests[0].settings == bests[1].settings
    print(f"\nSaved: {saved:.0%} of the images, with {'the same' if same else 'another'} best setting.")
    return saved >= SAVED and same


def _search(store: Store, config: RunConfig, pruner: Pruner) -> list[Trial]:
    specification = specify(config, [_RATES], sampler="random", trials=_REAL_TRIALS, pruner=pruner)
    search_id = start_search(store, specification, submission=new_id())
    while store.search(search_id).state == "running":
        ensure_driving()
        time.sleep(_LOOK_S)
    return store.trials(search_id)


def _images(trials: list[Trial]) -> int:
    return sum(trial.images for trial in trials)


def _beyond_training(store: Store, trials: list[Trial]) -> float:
    """Return the seconds of a trial in which nothing trains."""
    runs = [store.get(run_id) for trial in trials for run_id in trial.run_ids]
    spans = [(run.training_at, run.ended_at) for run in runs if run.training_at and run.ended_at]
    whole = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return (whole - sum(end - begin for begin, end in spans)) / max(len(spans) - 1, 1)


_PARTS: dict[str, Callable[[Store], bool]] = {"made": _show_made, "ask": _show_asking, "pruning": _show_pruning}


if __name__ == "__main__":
    raise SystemExit(main())
