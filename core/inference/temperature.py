"""The temperature at which a run's probabilities are calibrated: the one that suits its validation images best."""

from core.runs.predictions import DamagedPredictionsError, read_predictions
from core.training.calibration import fit_temperature


def temperature_of(run_id: str) -> float:
    """Return the temperature of a run; 1 where it kept no predictions of validation images, or they are damaged.

    It is not below 1 where all of them are right, as they then say nothing of how often the network errs.
    """
    try:
        validated = read_predictions(run_id, "validation")
    except DamagedPredictionsError:  # Results says so
        return 1.0
    if validated is None:
        return 1.0
    found = fit_temperature(validated.probabilities, validated.labels).temperature
    # Where none of them is predicted wrongly, the likeliest temperature makes every prediction certain.
    all_right = bool((validated.probabilities.argmax(axis=1) == validated.labels).all())
    return max(found, 1.0) if all_right else found
