"""The roof: how many floating-point operations a second a large matrix product reaches here, by PyTorch."""

import time

import torch

from benchmarks.turns import Turns

_SIDE = 2048
_PRODUCTS = 5


def gemm(turns: Turns, *, repeats: int) -> None:
    """Multiply square matrices of float32 on all cores; a turn reports `gflops`, those of its fastest product."""
    left, right = torch.rand(2, _SIDE, _SIDE)
    out = torch.empty(_SIDE, _SIDE)
    torch.mm(left, right, out=out)
    for _ in range(repeats):
        with turns.measure() as figures:
            seconds = min(_time(left, right, out) for _ in range(_PRODUCTS))
            figures["gflops"] = 2 * _SIDE**3 / seconds / 1e9


def _time(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> float:
    began = time.perf_counter()
    torch.mm(left, right, out=out)
    return time.perf_counter() - began
