"""Waiting for what happens behind the page."""

import time
from collections.abc import Callable

PATIENCE_MS = 60_000


def wait_until(condition: Callable[[], bool], patience_ms: int = PATIENCE_MS) -> None:
    """Come back when the condition holds; fail if it does not within the patience."""
    deadline = time.monotonic() + patience_ms / 1000
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
