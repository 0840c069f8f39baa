"""Whether a training step can fit into memory at all, asked before one is tried.

    check(step_bytes(layer_rows(architecture, input_shape, classes), batch_size=64, precision="float32"))

A framework that gets no memory may crash without a word, as TensorFlow does on a CPU, or take the whole machine along.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import psutil

from core.config import Precision
from core.networks.layers import LayerRow

_BYTES: dict[Precision, int] = {"float32": 4, "bfloat16": 2, "float64": 8}
_CGROUPS = Path("/sys/fs/cgroup")


def check(needed: int) -> None:
    """Refuse to begin what needs more bytes than this process can get.

    Raises:
        MemoryError: if so; it says how much is needed and how much is left.
    """
    left = left_bytes()
    if needed > left:
        raise MemoryError(
            f"A step needs at least {needed / 1e6:,.0f} MB of memory, of which {left / 1e6:,.0f} MB are left."
        )


def step_bytes(rows: Iterable[LayerRow], batch_size: int, precision: Precision) -> int:
    """Return the least bytes that a training step on the CPU holds at once.

    The gradient of a layer's weights is made of what came to it, so that is kept for a whole batch; and at some time
    the largest output of a layer is there, too. What a framework takes besides is not known.
    """
    learning = [row for row in rows if row.multiplications]
    kept = sum(math.prod(row.input_shape) for row in learning)
    largest = max((math.prod(row.output_shape) for row in learning), default=0)
    return (kept + largest) * batch_size * _BYTES[precision]


def left_bytes() -> float:
    """Return how many bytes this process can still get: of the machine, of its own limit, and of its container's."""
    return min(
        psutil.virtual_memory().available + psutil.swap_memory().free, _left_of_own_limit(), _left_of_container()
    )


def _left_of_own_limit() -> int | float:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return math.inf
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if most == resource.RLIM_INFINITY else max(most - psutil.Process().memory_info().vms, 0)


def _left_of_container() -> int | float:
    """Look where Linux (cgroups, version 2) keeps the limit of a container; what it has cached it can give back."""
    try:
        most = (_CGROUPS / "memory.max").read_text().strip()
        used = int((_CGROUPS / "memory.current").read_text())
        cached = dict(line.split() for line in (_CGROUPS / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one that does not tell
        return math.inf
    return math.inf if most == "max" else max(int(most) - used + int(cached.get("inactive_file", 0)), 0)
