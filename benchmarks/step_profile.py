"""Where the time of a training step goes in PyTorch, operation by operation.

    python -m benchmarks.step_profile                                  # cnn-64-32-32 in batches of 64
    python -m benchmarks.step_profile --network ann-100 --batch-size 64

The engine takes its steps under PyTorch's profiler, which slows small operations down; the shares are what to read.
"""

import sys
from typing import NamedTuple

import core.backends.pytorch  # isort: skip  # sets what must be set before torch is imported
import numpy as np
from torch.profiler import profile

from benchmarks.rows import step_flops
from core.architectures import ARCHITECTURES
from core.command_line import Parser
from core.config import configure
from core.datasets import load
from core.replicate import machine
from core.training import order_of, split_of

STEPS = 40
_SHOWN = 12


class Share(NamedTuple):
    """What an operation takes of a step: milliseconds of its own, and its share."""

    operation: str
    milliseconds: float
    share: float


def measure(network: str, batch_size: int, steps: int = STEPS) -> list[Share]:
    """Return what each operation takes of a step, the longest first."""
    config = configure(framework="pytorch", architecture=network, batch_size=batch_size)
    dataset = load(config.dataset)
    engine = core.backends.pytorch.Engine(config, ARCHITECTURES[network], dataset.image_shape, len(dataset.class_names))
    engine.load_data(dataset.train.images, dataset.train.labels)
    order = order_of(config, split_of(config, dataset), epoch=0)
    indices = np.resize(order, (2 * steps, batch_size))
    engine.train(indices[:steps])
    with profile() as profiled:
        engine.train(indices[steps:])
    found = {event.key: event.self_cpu_time_total / steps / 1000 for event in profiled.key_averages()}
    total = sum(found.values())
    ordered = sorted(found.items(), key=lambda item: item[1], reverse=True)
    return [Share(name, milliseconds, milliseconds / total) for name, milliseconds in ordered]


def as_markdown(network: str, batch_size: int, shares: list[Share], command: str) -> str:
    """Return the longest operations as a table, the others as its last row."""
    shown, others = shares[:_SHOWN], shares[_SHOWN:]
    rest = Share("all others", sum(one.milliseconds for one in others), sum(one.share for one in others))
    rows = "\n".join(f"| {one.operation} | {one.milliseconds:.3f} | {one.share:.0%} |" for one in [*shown, rest])
    total = sum(one.milliseconds for one in shares)
    return f"""`{network}`, batches of {batch_size}: {total:.2f} ms a step under the profiler, for \
{batch_size * step_flops(network) / 1e9:.2f} GFLOP.
Written by `{command}` on {machine()}.

| operation | ms a step | share |
|---|---:|---:|
{rows}
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog="python -m benchmarks.step_profile", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--network", choices=ARCHITECTURES, default="cnn-64-32-32", help="default cnn-64-32-32")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default 64")
    options = parser.parse_args(given)
    shares = measure(options.network, options.batch_size)
    command = " ".join(["python -m benchmarks.step_profile", *given])
    print(as_markdown(options.network, options.batch_size, shares, command), end="")


if __name__ == "__main__":
    main()
