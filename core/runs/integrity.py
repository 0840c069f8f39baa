"""Whether what a run has kept in its folder is what was written, without a framework.

find_damage(run)        # a sentence for each thing that is not; none where all is whole
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from core.runs.epoch_predictions import kept_epochs, read_epoch_predictions
from core.runs.predictions import read_predictions, read_test_predictions
from core.runs.run import Run
from core.system.paths import run_directory
from core.training import checkpoints


def find_damage(run: Run) -> list[str]:
    """Return a sentence for each of the weights, the state to go on from and the predictions that is damaged."""
    directory = run_directory(run.id)
    found = []
    if run.state == "done" or checkpoints.has_weights(directory):
        found += _damage(lambda: checkpoints.load(directory).damage)
    found += _damage(lambda: (state := checkpoints.load_state(directory)) and state.damage)
    if run.state == "done":
        found += _damage(lambda: read_test_predictions(run.id, run.results.confusion))
        found += _damage(lambda: read_predictions(run.id, "validation"))
    for epoch in checkpoints.epochs_with_weights(directory)[:-1]:
        found += _damage(partial(_load_epoch, directory, epoch))
    for epoch in kept_epochs(run.id):
        found += _damage(partial(read_epoch_predictions, run.id, epoch))
    return found


def _load_epoch(directory: Path, epoch: int) -> None:
    checkpoints.load(directory, epoch)


def _damage(read: Callable[[], object]) -> list[str]:
    """Return why something cannot be read, or the sentence on its damage with which it was read."""
    try:
        found = read()
    except ValueError as error:
        return [str(error)]
    return [found] if isinstance(found, str) and found else []
