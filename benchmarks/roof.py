"""The roof: how many floating-point operations a second a large matrix product reaches here, by PyTorch.

Beside it, how fast memory is copied: operations that compute little end there before they reach the roof.
"""

import time
from collections.abc import Callable

import torch

from benchmarks.turns import Turns
from core.engines import available_cores

_SIDE = 2048
_COPIED = 2**26
_TRIES = 5


def gemm(turns: Turns, *, repeats: int) -> None:
    """Multiply square matrices of float32 on all cores; a turn reports `gflops`, those of its fastest product."""
    multiply = _product()
    multiply()
    for _ in range(repeats):
        with turns.measure() as figures:
            figures["gflops"] = _gflops(multiply)


def machine_limits() -> tuple[float, float]:
    """Return the GFLOP/s of the fastest product, and the GB/s that the fastest copy reads and writes, together."""
    torch.set_num_threads(available_cores())  # in a process with TensorFlow it would be one
    multiply, copy = _product(), _copy()
    multiply(), copy()
    return _gflops(multiply), 2 * 4 * _COPIED / _fastest(copy) / 1e9


def _gflops(multiply: Callable[[], object]) -> float:
    return 2 * _SIDE**3 / _fastest(multiply) / 1e9


def _product() -> Callable[[], object]:
    left, right = torch.rand(2, _SIDE, _SIDE)
    out = torch.empty(_SIDE, _SIDE)
    return lambda: torch.mm(left, right, out=out)


def _copy() -> Callable[[], object]:
    source, target = torch.rand(_COPIED), torch.empty(_COPIED)
    return lambda: target.copy_(source)


def _fastest(work: Callable[[], object]) -> float:
    return min(_time(work) for _ in range(_TRIES))


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
