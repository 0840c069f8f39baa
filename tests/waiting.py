"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def wait_for(
    condition: Callable[[], object], seconds: float = 30, what: str = "It did not come about in time."
) -> None:
    """Wait until a condition holds; fail with `what` if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
