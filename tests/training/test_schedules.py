"""Learning rates: each schedule is what both frameworks call by its name, or what a hand would draw."""

import math

import numpy as np
import pytest

from core.config import choices_of, configure
from core.engines import get_engine
from core.training.schedules import ONE_CYCLE_START, SCHEDULES, learning_rates, preview

EPOCHS, STEPS = 6, 10


def rates(**settings) -> np.ndarray:
    return learning_rates(configure(epochs=EPOCHS, learning_rate=0.4, **settings), STEPS)


def test_every_choice_has_a_schedule():
    assert set(SCHEDULES) == set(choices_of("schedule"))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_there_is_a_positive_rate_for_every_step(schedule):
    found = rates(schedule=schedule, warmup_epochs=1.5)

    assert found.shape == (EPOCHS * STEPS,)
    assert found.dtype == np.float64
    assert found.min() > 0
    assert found.max() <= 0.4 * (1 + 1e-12)


class TestPyTorch:
    @pytest.mark.parametrize(
        ("settings", "name", "arguments", "every"),
        [
            ({"schedule": "constant"}, "ConstantLR", {"factor": 1}, 1),
            (
                {"schedule": "step", "decay_factor": 0.3, "decay_epochs": 2},
                "StepLR",
                {"step_size": 2, "gamma": 0.3},
                10,
            ),
            ({"schedule": "exponential", "decay_factor": 0.7}, "ExponentialLR", {"gamma": 0.7 ** (1 / STEPS)}, 1),
            ({"schedule": "cosine"}, "CosineAnnealingLR", {"T_max": EPOCHS * STEPS}, 1),
            ({"schedule": "one_cycle"}, "OneCycleLR", {"max_lr": 0.4, "total_steps": EPOCHS * STEPS}, 1),
            (
                {"schedule": "one_cycle", "warmup_epochs": 1.5},
                "OneCycleLR",
                {"max_lr": 0.4, "total_steps": EPOCHS * STEPS, "pct_start": 0.25},
                1,
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    @pytest.mark.filterwarnings("ignore:Detected call of")
    def test_has_the_same_rates(self, settings, name, arguments, every):
        get_engine("pytorch")
        import torch

        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4, momentum=0.9)
        scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
        expected = []
        for step in range(EPOCHS * STEPS):
            expected.append(optimizer.param_groups[0]["lr"])
            if (step + 1) % every == 0 and step + 1 < EPOCHS * STEPS:
                scheduler.step()

        np.testing.assert_allclose(rates(**settings), expected, rtol=1e-9)


class TestKeras:
    @pytest.mark.parametrize(
        ("settings", "name", "arguments"),
        [
            (
                {"schedule": "step", "decay_factor": 0.3, "decay_epochs": 2},
                "ExponentialDecay",
                {"decay_steps": 2 * STEPS, "decay_rate": 0.3, "staircase": True},
            ),
            (
                {"schedule": "exponential", "decay_factor": 0.7, "decay_epochs": 1.5},
                "ExponentialDecay",
                {"decay_steps": 1.5 * STEPS, "decay_rate": 0.7},
            ),
            ({"schedule": "cosine"}, "CosineDecay", {"decay_steps": EPOCHS * STEPS}),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_has_the_same_rates(self, settings, name, arguments):
        get_engine("keras")
        import keras

        schedule = getattr(keras.optimizers.schedules, name)(0.4, **arguments)
        expected = [float(schedule(step)) for step in range(EPOCHS * STEPS)]

        np.testing.assert_allclose(rates(**settings), expected, rtol=1e-4)  # Keras computes them in float32


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "one_cycle"])
def test_warm_up_rises_in_equal_steps_to_the_schedule_itself(schedule):
    warm, cold = rates(schedule=schedule, warmup_epochs=2), rates(schedule=schedule)

    np.testing.assert_allclose(warm[: 2 * STEPS] / cold[: 2 * STEPS], np.arange(1, 21) / 20)
    np.testing.assert_array_equal(warm[2 * STEPS :], cold[2 * STEPS :])


def test_one_cycle_begins_low_and_is_highest_after_its_rise():
    found = rates(schedule="one_cycle")

    assert found[0] == pytest.approx(0.4 * ONE_CYCLE_START)
    assert found.argmax() == round(0.3 * EPOCHS * STEPS) - 1
    assert found[-1] < found[0] / 1000


@pytest.mark.parametrize("decay_epochs", [0.1, 1 / 3, 0.7, 3])
def test_rounding_moves_no_step_of_a_staircase(decay_epochs):
    """A third of an epoch is no binary number: the stairs must come where a whole number of them has passed."""
    found = learning_rates(configure(epochs=30, learning_rate=1, schedule="step", decay_epochs=decay_epochs), 30)

    stairs = [math.floor(round(step / 30 / decay_epochs, 6)) for step in range(900)]
    np.testing.assert_allclose(found, 0.5 ** np.array(stairs))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_preview_follows_the_schedule_however_long_it_is(schedule):
    config = configure(epochs=1000, learning_rate=1, schedule=schedule, decay_epochs=300, decay_factor=0.5)
    whole = learning_rates(config, 60)

    epochs, shown = preview(config, steps_per_epoch=60)
    longer, same = preview(config, steps_per_epoch=60_000)

    assert len(shown) == len(same) <= 1000
    assert (epochs[0], round(epochs[-1])) == (0, 1000)
    np.testing.assert_allclose(longer, epochs, atol=0.1)
    np.testing.assert_allclose(shown, whole[(epochs * 60).round().astype(int)], atol=0.01)


def test_preview_of_a_short_run_has_every_step():
    config = configure(epochs=2, schedule="cosine")

    epochs, shown = preview(config, steps_per_epoch=4)

    np.testing.assert_array_equal(epochs, np.arange(8) / 4)
    np.testing.assert_array_equal(shown, learning_rates(config, 4))
