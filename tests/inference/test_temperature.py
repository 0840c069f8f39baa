"""The temperature of a run, from its validation images."""

import numpy as np
import pytest

from core.inference.temperature import temperature_of
from core.runs import new_id
from core.runs.predictions import Predictions, write_predictions
from core.system.paths import run_directory
from core.training.calibration import fit_temperature


def run_with(probabilities: list[list[float]], labels: list[int]) -> str:
    """Return the id of a run that has kept these predictions of its validation images."""
    run_id = new_id()
    run_directory(run_id).mkdir(parents=True)
    kept = Predictions(np.array(probabilities, np.float32), np.array(labels), np.arange(len(labels)))
    write_predictions(run_directory(run_id), "validation", kept)
    return run_id


def test_it_is_the_one_that_suits_the_validation_images_best():
    probabilities, labels = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.9, 0.1]], [0, 0, 1, 1]

    found = temperature_of(run_with(probabilities, labels))

    assert found == pytest.approx(fit_temperature(np.array(probabilities, np.float32), np.array(labels)).temperature)
    assert found > 1


def test_a_few_images_that_are_all_right_make_no_prediction_certain():
    assert temperature_of(run_with([[0.9, 0.1], [0.3, 0.7]], [0, 1])) == 1


def test_without_validation_images_probabilities_stay_as_they_are():
    assert temperature_of(new_id()) == 1
