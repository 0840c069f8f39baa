"""The learning rate of every step of a run.

    rates = learning_rates(config, steps_per_epoch=844)     # float64, one a step, known before the first one

A new schedule is one entry in `SCHEDULES`.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from core.config import RunConfig, Schedule

ONE_CYCLE_START = 1 / 25
"""The share of the highest rate at which one-cycle begins."""

ONE_CYCLE_RISE = 0.3
"""The share of a training over which one-cycle rises, unless the warm-up says otherwise."""

_PREVIEW_STEPS = 50_000
_PREVIEW_POINTS = 1000
_ONE_CYCLE_END = ONE_CYCLE_START * 1e-4


def learning_rates(config: RunConfig, steps_per_epoch: int) -> np.ndarray:
    """Return the learning rate of each step, float64 `(epochs * steps_per_epoch,)`."""
    epochs = np.arange(config.epochs * steps_per_epoch) / steps_per_epoch
    shares = SCHEDULES[config.schedule](config, epochs)
    if config.schedule != "one_cycle" and config.warmup_epochs:
        # The first step is no step of length zero, and the first whole one comes when the warm-up is over.
        shares = shares * np.minimum(1, (epochs + 1 / steps_per_epoch) / config.warmup_epochs)
    return config.learning_rate * shares


def preview(config: RunConfig, steps_per_epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs and the learning rates, float64 `(n,)` each, that show how a run's rate will change.

    They are those of every step of a short run. Of a long one they are about a thousand, and its steps are taken as
    longer than they are, as a million of them are not needed to draw a line.
    """
    fewer = min(steps_per_epoch, math.ceil(_PREVIEW_STEPS / config.epochs))
    rates = learning_rates(config, fewer)
    chosen = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), _PREVIEW_POINTS)).round().astype(int))
    return chosen / fewer, rates[chosen]


def _constant(_config: RunConfig, epochs: np.ndarray) -> np.ndarray:
    return np.ones_like(epochs)


def _step(config: RunConfig, epochs: np.ndarray) -> np.ndarray:
    # Rounding must not put a step that begins an epoch into the one before.
    return config.decay_factor ** np.floor(epochs / config.decay_epochs + 1e-9)


def _exponential(config: RunConfig, epochs: np.ndarray) -> np.ndarray:
    return config.decay_factor ** (epochs / config.decay_epochs)


def _cosine(config: RunConfig, epochs: np.ndarray) -> np.ndarray:
    """Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2016, without restarts."""
    return _fall(epochs / config.epochs)


def _one_cycle(config: RunConfig, epochs: np.ndarray) -> np.ndarray:
    """Smith and Topin, "Super-convergence", 2017, in two cosines, as PyTorch's `OneCycleLR` draws it."""
    last = len(epochs) - 1
    rise = config.warmup_epochs / config.epochs if config.warmup_epochs else ONE_CYCLE_RISE
    peak = rise * len(epochs) - 1
    position = np.arange(len(epochs))
    rising = 1 + (ONE_CYCLE_START - 1) * _fall(position / max(peak, 1))
    falling = _ONE_CYCLE_END + (1 - _ONE_CYCLE_END) * _fall((position - peak) / max(last - peak, 1))
    return np.where(position <= peak, rising, falling)


def _fall(share: np.ndarray) -> np.ndarray:
    """Return half a cosine: 1 where `share` is 0, 0 where it is 1."""
    return (1 + np.cos(np.pi * share)) / 2


SCHEDULES: Mapping[Schedule, Callable[[RunConfig, np.ndarray], np.ndarray]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}
"""Each returns the share of the full rate at each step, given how many epochs have passed before it."""
