"""The running average of the weights (EMA) that a run may have: how fast it forgets.

average += ema_weight * (weights - average)     # after each step, one of `ema_weights`
"""


def averaging_decay(decay: float, steps: int) -> float:
    """Return how much of the weights' running average is kept after so many steps.

    It starts low, or the first weights would weigh on the average for long: as in TensorFlow's
    `ExponentialMovingAverage` with `num_updates`.
    """
    return min(decay, (1 + steps) / (10 + steps))


def ema_weights(decay: float, taken: int, count: int) -> list[float]:
    """Return how far the average moves towards the weights in each of the next `count` steps, after `taken` ones."""
    return [1 - averaging_decay(decay, step) for step in range(taken + 1, taken + count + 1)]
