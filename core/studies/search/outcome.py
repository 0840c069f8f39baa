"""What came of a search: the best trial by validation accuracy, and whether it still gets better.

best = best_trial(store.trials(search_id))
search_summary(search, trials)          # what the command prints as JSON
"""

from collections.abc import Iterable, Sequence
from typing import Any

from core.runs import Search, Trial


def best_trial(trials: Iterable[Trial]) -> Trial | None:
    """Return the finished trial of the highest mean validation accuracy, the first of equals; None if none is done."""
    done = [trial for trial in trials if trial.state == "done" and trial.val_accuracy is not None]
    return max(done, key=lambda trial: (trial.val_accuracy, -trial.number), default=None)


def search_summary(search: Search, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return what the command line tells of a search as JSON; accuracies that are not known yet are null."""
    best = best_trial(trials)
    return {
        "search_id": search.id,
        "state": search.state,
        "reason": search.reason,
        "best": best and _as_json(best),
        "trials": [_as_json(trial) for trial in trials],
    }


def _as_json(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "run_id": trial.run_ids[0] if trial.run_ids else None,
        "run_ids": list(trial.run_ids),
        "settings": trial.settings,
        "state": trial.state,
        "reason": trial.reason,
        "val_accuracy": trial.val_accuracy,
        "spread": trial.spread,
        "images": trial.images,
        "seconds": trial.seconds,
    }


def trials_without_gain(trials: Iterable[Trial], gain: float = 0.001) -> int:
    """Return how many trials have ended since the best accuracy last rose by more than `gain`."""
    best, since = float("-inf"), 0
    for trial in trials:
        if trial.state not in ("done", "pruned"):
            continue
        since += 1
        if trial.state == "done" and trial.val_accuracy is not None and trial.val_accuracy > best + gain:
            best, since = trial.val_accuracy, 0
    return since
