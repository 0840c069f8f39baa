"""Waiting for what happens behind the page."""

import time
from collections.abc import Callable

PATIENCE_MS = 60_000


def wait_until(condition: Callable[[], bool]) -> None:
    """Come back when the condition holds; fail if it does not within `PATIENCE_MS`."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
