"""What the engines do to their libraries, environment and interpreter for speed: each alone, with what it brings.

Nothing that is computed depends on any of them. Where a library has changed so that one no longer finds what it
looks for, it does nothing, and Duet is merely slower. The figures are those of `docs/what_was_tried.md`, and of the
start of a process, measured on two cores of a Xeon at 2.8 GHz with the pinned versions.
"""

import ctypes
import inspect
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SPIN_COUNT = 5000
"""How many times OpenMP's threads look for work before they sleep."""

# glibc's parameters of mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_memory() -> bool:
    """Let the memory of a step's tensors stay with the process for the next step; return whether that can be done.

    Otherwise glibc gives it back to the system, which clears the same pages anew in every step: 8,500 page faults,
    and 31.5 ms instead of 21.6 ms for a step of `cnn-64-32-32` in PyTorch. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**30))


def limit_spinning() -> None:
    """Let OpenMP's threads give the processor up after a while; to be called before the import of torch.

    They wait for each other by spinning. On a machine with anything else to do that turns 2,200 images/s into 200.
    Too soon, and waking them up takes longer: 28.6 ms instead of 26.1 ms for a step of `cnn-64-32-32`, and a quarter
    of a step of `ann-100`. What the user has set stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))


def leave_compiler_out(optimizers: type) -> None:
    """Keep the methods of `torch.optim.Optimizer` from importing torch's compiler, which this process never uses.

    They import it to say that they are not to be compiled, unless that has been settled before. Its import takes
    1.8 s of the processor, as long as that of torch itself.
    """
    for name in ("add_param_group", "zero_grad"):
        method = getattr(optimizers, name, None)
        if callable(method):
            plain = inspect.unwrap(method)
            setattr(plain, "__dynamo_disable", plain)


def plain_step(optimizer: Any, no_grad: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[[], Any]:
    """Return the step of a torch optimizer without its wrappers, which serve the profiler and the compiler.

    They import the compiler at the first step, see `leave_compiler_out`, and take 27 µs of each, where a whole one of
    `ann-100` takes about a millisecond.

    Args:
        no_grad: `torch.no_grad()`, as a decorator: one of the wrappers it replaces.
    """
    wrapped = type(optimizer).step
    plain = inspect.unwrap(wrapped)
    if plain is wrapped:
        return optimizer.step
    step = no_grad(plain)
    return lambda: step(optimizer)


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Let what is imported meanwhile find these packages missing, unless they have been imported before.

    Keras takes some for data that it is never given here, if they are installed: a third of the time that its import
    takes, and 140 MB of memory.
    """
    masked = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(masked))  # type: ignore[arg-type]  # None stands for a package that is missing
    try:
        yield
    finally:
        for name in masked:
            sys.modules.pop(name, None)


def remove_generated_files() -> None:
    """Remove the files into which TensorFlow's AutoGraph has written functions of this process, with their byte code.

    They lie in the system's folder for temporary files and have served once they are imported. TensorFlow removes them
    at the end of a process, unless that is killed, and leaves their byte code, if Python writes any, for ever.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("__autograph_generated_file"):
            for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
                if path:
                    with suppress(OSError):  # it is gone already, or another's
                        Path(path).unlink()
