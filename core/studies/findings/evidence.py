"""What a run is judged by: its epochs, predictions, leaks and the speeds of runs like it, read once.

Nothing of it grows with the steps of a run: an epoch is one row, without its matrix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from core.datasets import Dataset, load
from core.datasets.grouping import known_groups
from core.runs import FinishedRun, Store
from core.runs.predictions import DamagedPredictionsError, Part, Predictions, read_predictions, read_test_predictions
from core.studies.leaks import GroupedAccuracy, grouped_accuracy
from core.training.records import Epoch


@dataclass(frozen=True)
class Evidence:
    """What is known of a finished run.

    Attributes:
        epochs: their records, in order, without matrices.
        validation_images: how many validated each of them.
        class_names: as the data set has them, or the numbers of the classes where that is gone.
        tested: what it predicted of the test images; None where that cannot be read.
        leaks: by part, the accuracy without near-duplicates of training images, where those are known.
        usual_speeds: images per second of finished runs like it, itself left out.
    """

    run: FinishedRun
    epochs: Sequence[Epoch]
    validation_images: int
    class_names: Sequence[str]
    tested: Predictions | None = None
    leaks: Mapping[Part, GroupedAccuracy] = field(default_factory=dict)
    usual_speeds: Sequence[float] = ()

    @cached_property
    def matrix(self) -> np.ndarray:
        """Test images by true class (row) and predicted class (column), int64."""
        return np.array(self.run.results.confusion, np.int64)

    @cached_property
    def loss_noise(self) -> float | None:
        """By how much chance alone lets two mean losses on as many images differ, as `noise_floor` of accuracies.

        None where the loss of single images is not known, or nothing validates.
        """
        if self.tested is None or not self.validation_images:
            return None
        probabilities = self.tested.probabilities[np.arange(len(self.tested.labels)), self.tested.labels]
        losses = -np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
        return float(1.96 * losses.std() * np.sqrt(2 / self.validation_images))


def gather(store: Store, run: FinishedRun) -> Evidence:
    """Return what is known of a run."""
    dataset = dataset_of(run)
    epochs = store.epochs(run.id, matrices=False)
    matrices = [epoch.confusion for epoch in store.epochs(run.id, after=len(epochs) - 1) if epoch.confusion]
    return Evidence(
        run=run,
        epochs=epochs,
        validation_images=int(np.sum(matrices[-1])) if matrices else 0,
        class_names=[str(label) for label in range(len(run.results.confusion))]
        if dataset is None
        else dataset.class_names,
        tested=_tested(run),
        leaks={} if dataset is None else _leaks(run, dataset),
        usual_speeds=[
            past.images_per_second
            for past in store.past_speeds(run.config)
            if past.run_id != run.id and past.batch_size == run.config.batch_size
        ],
    )


def dataset_of(run: FinishedRun) -> Dataset | None:
    """Return the data that a run was tested on, if they are here and still the same ones."""
    try:
        dataset = load(run.config.dataset)
    except (ValueError, OSError):
        return None
    return dataset if dataset.fingerprint == run.results.fingerprint else None


def _tested(run: FinishedRun) -> Predictions | None:
    try:
        return read_test_predictions(run.id, run.results.confusion)
    except DamagedPredictionsError:  # which is said where they are shown
        return None


def _leaks(run: FinishedRun, dataset: Dataset) -> dict[Part, GroupedAccuracy]:
    groups = known_groups(dataset)
    if groups is None:
        return {}
    found: dict[Part, GroupedAccuracy] = {}
    parts: tuple[Part, ...] = ("validation", "test")
    for part in parts:
        try:
            predictions = read_predictions(run.id, part)
        except DamagedPredictionsError:
            continue
        if predictions is not None:
            found[part] = grouped_accuracy(dataset, run.config, predictions, part, groups)
    return found
