"""Which labels of a data set are likely to be wrong: each training image is predicted by a network that never saw it.

    check = Check("mnist", "pytorch")
    start_check(check)                      # in a process of its own, about a minute for MNIST
    check_progress(check)                   # Status("running", 0.4, "Fold 3 of 5")
    suspects(dataset, check)                # the most suspicious first; None while it has not been computed

The images are divided into five folds, each class in proportion. Each fold is predicted by a network that is trained
on the other four. An image is suspected if another class than its label is predicted; cleanlab ranks those by the
probability that is left for the label. `python -m core.studies.label_check NAME` is the process; what it finds is kept
by `core.datasets.inspection.cache`.

Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

import numpy as np

from core.config import Framework, RunConfig, configure
from core.datasets import Dataset, Split, load
from core.datasets.inspection.cache import Arrays, cache_folder, read_cached, write_cached
from core.engines import get_engine
from core.engines.frozen import make_engine
from core.engines.normalization import scaling_of
from core.engines.pretrained import first_weights
from core.networks.layers import check_network
from core.networks.registry import get_architecture
from core.recipes import RECIPES
from core.system.background import Job, Journal, Status
from core.system.processes import lower_priority
from core.training.loop import Listener, count_steps, split_of, train
from core.training.metrics import probabilities
from core.training.records import StepMetrics

FOLDS = 5

_FORMAT = 1
"""Of what is kept; changes with the method."""

_RECIPES = ("fast-99", "quick")
"""The quickest first: the first whose network fits the images is taken."""

_IMAGES = 48_000
"""So many images a fold's network sees at least, where they are fewer by repeating them, as that of MNIST does."""

_MOST_EPOCHS = 60
_MOST_OUTLIERS = 100
_RANKING_SHARE = 0.02
"""Of the time, about, that cleanlab takes."""


class Check(NamedTuple):
    """What is to be checked, and with what."""

    dataset: str
    framework: Framework = "pytorch"
    seed: int = 42


@dataclass(frozen=True)
class Suspect:
    """A training image whose label is likely to be wrong.

    Attributes:
        index: its row in the train split.
        label: the label it has.
        suggested: what a network that was not trained on it predicts.
        score: the probability that is left for the label, 0 to 1: the lower, the more suspicious.
        confidence: the probability of what is predicted.
    """

    index: int
    label: int
    suggested: int
    score: float
    confidence: float


@dataclass(frozen=True)
class Outlier:
    """A training image that is unlike its data set's classes.

    Attributes:
        index: its row in the train split.
        typicality: cleanlab's score, 0 to 1, of how sure a network that has not seen it is of any class: the lower, the
            less typical.
    """

    index: int
    typicality: float


@dataclass(frozen=True)
class Suspects:
    """What a check has found.

    Attributes:
        ranked: the suspects, the most suspicious first.
        estimated: how many labels are wrong by cleanlab's estimate; a careful one, often too low.
        unchecked: how many images cannot be checked, as they are the only ones of their class.
        settings: those of the check, of JSON's values, for the provenance of decisions.
        outliers: the least typical images, the least typical first; none of an earlier check, which kept none.
    """

    ranked: tuple[Suspect, ...]
    estimated: int
    unchecked: int
    settings: Mapping[str, Any]
    outliers: tuple[Outlier, ...] = ()


def suspects(dataset: Dataset, check: Check) -> Suspects | None:
    """Return what a check has found in a data set; None if it was not made."""
    found = read_cached(dataset.fingerprint, _name(check))
    if found is None:
        return None
    order = found["order"]
    rows = zip(order, dataset.train.labels[order], *(found[key][order] for key in _BY_IMAGE), strict=True)
    return Suspects(
        ranked=tuple(Suspect(int(index), int(label), *map(_plain, values)) for index, label, *values in rows),
        estimated=int(found["estimated"]),
        unchecked=int(found["unchecked"]),
        settings=json.loads(str(found["settings"])),
        outliers=tuple(
            Outlier(index, typicality)
            for index, typicality in zip(
                *(found[key].tolist() if key in found else () for key in ("outliers", "typicality")), strict=True
            )
        ),
    )


def start_check(check: Check) -> None:
    """Begin a check, unless it was made or goes on."""
    dataset = load(check.dataset)
    options = ("--framework", check.framework, "--seed", str(check.seed))
    _job(dataset, check).start(
        "core.studies.label_check",
        check.dataset,
        *options,
        unless=lambda: read_cached(dataset.fingerprint, _name(check)) is not None,
    )


def check_progress(check: Check) -> Status:
    """Return how far a check has come; one that has ended is done where `suspects` finds its result."""
    dataset = load(check.dataset)
    job = _job(dataset, check)
    status = job.status()
    if status.state == "failed" and not status.sentence:
        return status._replace(sentence=job.last_words())
    return status


def cancel_check(check: Check) -> None:
    """End a check; one that has ended stays as it is."""
    _job(load(check.dataset), check).cancel()


def fold_config(dataset: Dataset, check: Check) -> RunConfig:
    """Return how each fold's network is trained: by the quickest recipe whose network fits the images.

    Fewer images than MNIST's are seen more often, so that each network takes as many steps.

    Raises:
        ValueError: if no recipe's network fits.
    """
    images = max(1, len(dataset.train.labels) * (FOLDS - 1) // FOLDS)
    epochs = min(_MOST_EPOCHS, math.ceil(_IMAGES / images))
    for last, name in enumerate(_RECIPES, 1):
        settings = dict(RECIPES[name].settings)
        # A warm-up is meant as a share of the whole training.
        settings["warmup_epochs"] = settings.get("warmup_epochs", 0) / settings["epochs"] * epochs
        config = configure(
            **settings
            | {
                "dataset": dataset.specification.name,
                "framework": check.framework,
                "seed": check.seed,
                "epochs": epochs,
                "checkpoint_policy": "last",
                "validation_every": epochs,
            }
        )
        try:
            # The last batch of an epoch may be a single image.
            check_network(get_architecture(config.architecture), dataset.image_shape, len(dataset.class_names), 1)
        except ValueError:
            if last == len(_RECIPES):
                raise
            continue
        return config
    raise AssertionError("a recipe is returned, or the last one's error raised")


def fold_of(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each image, int64 `(N,)` of 0 to 4: each class is spread over them evenly."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), np.int64)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def check_labels(
    dataset: Dataset, check: Check, on_progress: Callable[[float, str], None] = lambda _share, _sentence: None
) -> Suspects:
    """Train the folds' networks, rank the labels, and keep and return what is found; what was kept comes at once.

    Args:
        on_progress: is told the share that is done, 0 to 1, and that in a sentence.

    Raises:
        ValueError: if the images cannot be learnt by any of the quick recipes.
        DivergedError: if a loss is infinite or not a number.
    """
    if (kept := suspects(dataset, check)) is not None:
        return kept
    config = fold_config(dataset, check)
    predicted = _predict_out_of_sample(dataset, config, on_progress)
    on_progress(1 - _RANKING_SHARE, "Ranking the labels")
    write_cached(dataset.fingerprint, _name(check), _rank(dataset, predicted, config))
    found = suspects(dataset, check)
    assert found is not None, "it was written just now"
    return found


def _predict_out_of_sample(
    dataset: Dataset, config: RunConfig, on_progress: Callable[[float, str], None]
) -> np.ndarray:
    """Return the probabilities of each training image by a network that was not trained on it: float32 `(N, C)`."""
    images, labels = dataset.train.images, np.asarray(dataset.train.labels)
    architecture, classes = get_architecture(config.architecture), len(dataset.class_names)
    folds = fold_of(labels, config.seed)
    found = np.zeros((len(labels), classes), np.float32)
    engine_module = get_engine(config.framework)
    for fold in range(FOLDS):
        held_out = folds == fold
        if not held_out.any():  # fewer images than folds
            continue
        others = replace(dataset, train=Split(images[~held_out], labels[~held_out]))
        of_fold = config.model_copy(update={"seed": config.seed + fold})
        learnt_from = split_of(of_fold, others).train
        engine = make_engine(
            engine_module,
            of_fold,
            architecture,
            dataset.image_shape,
            classes,
            scaling_of(of_fold, others.train.images, learnt_from),
        )
        if (drawn := first_weights(of_fold, architecture, dataset.image_shape, classes)) is not None:
            engine.load_weights(drawn)
        train(of_fold, others, engine, _Progress(fold, count_steps(of_fold, others), on_progress))
        found[held_out] = probabilities(engine.predict(images[held_out]), architecture)
    return found


class _Progress(Listener):
    """Tells how far the training of a fold's network has come."""

    def __init__(self, fold: int, steps: int, on_progress: Callable[[float, str], None]):
        self._fold, self._steps, self._on_progress = fold, steps, on_progress

    def on_metrics(self, metrics: StepMetrics) -> None:
        share = (self._fold + metrics.step / self._steps) / FOLDS
        self._on_progress(share * (1 - _RANKING_SHARE), f"Fold {self._fold + 1} of {FOLDS}")


_BY_IMAGE = ("suggested", "score", "confidence")


def _rank(dataset: Dataset, predicted: np.ndarray, config: RunConfig) -> Arrays:
    """Return what is kept of a check: for each image what `Suspect` says of it, and the suspects' order."""
    # Seconds to import, and only whoever checks needs them.
    from cleanlab.count import num_label_issues
    from cleanlab.outlier import OutOfDistribution
    from cleanlab.rank import get_label_quality_scores

    labels = np.asarray(dataset.train.labels)
    # No network has seen the class of an image that is alone in it.
    checked = np.flatnonzero(np.bincount(labels, minlength=len(dataset.class_names))[labels] > 1)
    scores = np.ones(len(labels), np.float32)
    scores[checked] = get_label_quality_scores(labels[checked], predicted[checked], method="self_confidence")
    several = len(np.unique(labels[checked])) > 1
    suggested = predicted.argmax(axis=1)
    suspected = checked[suggested[checked] != labels[checked]]
    typicality = OutOfDistribution({"adjust_pred_probs": False}).score(pred_probs=predicted[checked])
    outliers = np.argsort(typicality, kind="stable")[:_MOST_OUTLIERS]
    return {
        "suggested": suggested,
        "score": scores,
        "confidence": predicted.max(axis=1),
        "order": suspected[np.argsort(scores[suspected], kind="stable")],
        "estimated": np.array(num_label_issues(labels[checked], predicted[checked]) if several else 0),
        "outliers": checked[outliers],
        "typicality": typicality[outliers],
        "unchecked": np.array(len(labels) - len(checked)),
        "settings": np.array(json.dumps({"folds": FOLDS, **config.model_dump(mode="json", exclude_defaults=True)})),
    }


def _plain(value: Any) -> Any:
    """Return one of NumPy's numbers as one of Python's."""
    return value.item()


def _name(check: Check) -> str:
    return f"labels-{_FORMAT}-{check.framework}-{check.seed}"


def _job(dataset: Dataset, check: Check) -> Job:
    return Job(
        cache_folder(dataset.fingerprint) / _name(check),
        is_done=lambda: read_cached(dataset.fingerprint, _name(check)) is not None,
    )


def main(arguments: list[str] | None = None) -> int:
    """Make a check for the dashboard, which reads its progress and what it finds."""
    parser = argparse.ArgumentParser(prog="python -m core.studies.label_check", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="a data set")
    parser.add_argument("--framework", choices=get_args(Framework), default="pytorch")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)
    check = Check(options.name, options.framework, options.seed)
    dataset = load(check.dataset)
    journal = Journal(_job(dataset, check).folder)
    try:
        found = check_labels(dataset, check, journal.advance)
    except (ValueError, ArithmeticError, MemoryError) as error:
        journal.end("failed", str(error) or "The memory of this machine was not enough.")
        return 1
    journal.end("done", f"{len(found.ranked):,} suspects")
    return 0


if __name__ == "__main__":
    lower_priority()
    sys.exit(main())
