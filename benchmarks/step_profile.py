"""Where the time of a training step goes, operation by operation.

    python -m benchmarks.step_profile                                  # cnn-64-32-32 in batches of 64, in PyTorch
    python -m benchmarks.step_profile --framework keras --network ann-100

The engine takes its steps under its framework's profiler, which slows small operations down; the shares are what to
read. TensorFlow's operations may overlap.
"""

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from benchmarks.rows import step_flops
from core.cli.parsing import Parser
from core.config import FRAMEWORK_TITLES, Framework, configure
from core.datasets import load
from core.engines import get_engine
from core.networks.zoo import ARCHITECTURES
from core.studies.replication import machine
from core.training.loop import order_of, split_of

STEPS = 40
_SHOWN = 12


class Share(NamedTuple):
    """What an operation takes of a step: milliseconds of its own, and its share."""

    operation: str
    milliseconds: float
    share: float


def measure(framework: Framework, network: str, batch_size: int, steps: int = STEPS) -> list[Share]:
    """Return what each operation takes of a step, the longest first."""
    config = configure(framework=framework, architecture=network, batch_size=batch_size)
    dataset = load(config.dataset)
    engine_module = get_engine(framework)
    engine = engine_module.Engine(config, ARCHITECTURES[network], dataset.image_shape, len(dataset.class_names))
    engine.load_data(dataset.train.images, dataset.train.labels)
    order = order_of(config, split_of(config, dataset), epoch=0)
    indices = np.resize(order, (2 * steps, batch_size))
    engine.train(indices[:steps])
    found = _PROFILES[framework](lambda: engine.train(indices[steps:]))
    total = sum(found.values())
    return [Share(name, seconds / steps * 1000, seconds / total) for name, seconds in found.most_common()]


def _by_pytorch(train: Callable[[], object]) -> Counter[str]:
    from torch.profiler import profile

    with profile() as profiled:
        train()
    return Counter({event.key: event.self_cpu_time_total / 1e6 for event in profiled.key_averages()})


def _by_tensorflow(train: Callable[[], object]) -> Counter[str]:
    from tensorflow import profiler
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as place:
        with profiler.experimental.Profile(place):
            train()
        (file,) = Path(place).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    found: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # An operation is called `where it stands:what it is`; what is around operations has other names.
                called = re.fullmatch(r"[^:]+:(\w+)", plane.event_metadata[event.metadata_id].name)
                if called and called[1] not in _AROUND_OTHERS:
                    found[called[1]] += event.duration_ps / 1e12
    return found


_PROFILES = {"pytorch": _by_pytorch, "keras": _by_tensorflow}
_AROUND_OTHERS = {"While", "StatelessWhile", "PartitionedCall", "StatefulPartitionedCall"}


def as_markdown(
    framework: Framework, network: str, batch_size: int, shares: list[Share], limits: tuple[float, float], command: str
) -> str:
    """Return the longest operations as a table, the others as its last row; `limits` are those of the machine."""
    shown, others = shares[:_SHOWN], shares[_SHOWN:]
    rest = Share("all others", sum(one.milliseconds for one in others), sum(one.share for one in others))
    rows = "\n".join(f"| {one.operation} | {one.milliseconds:.3f} | {one.share:.0%} |" for one in [*shown, rest])
    total = sum(one.milliseconds for one in shares)
    return f"""`{network}` in {FRAMEWORK_TITLES[framework]}, batches of {batch_size}: {total:.2f} ms a step under the \
profiler, for {batch_size * step_flops(network) / 1e9:.2f} GFLOP.
Right after it a matrix product of 2048×2048 reached {limits[0]:.0f} GFLOP/s, and copying read and wrote \
{limits[1]:.1f} GB/s.
Written by `{command}` on {machine()}.

| operation | ms a step | share |
|---|---:|---:|
{rows}
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog="python -m benchmarks.step_profile", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--framework", choices=get_args(Framework), default="pytorch", help="default pytorch")
    parser.add_argument("--network", choices=ARCHITECTURES, default="cnn-64-32-32", help="default cnn-64-32-32")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default 64")
    options = parser.parse_args(given)
    measured = (options.framework, options.network, options.batch_size)
    command = " ".join(["python -m benchmarks.step_profile", *given])
    shares = measure(*measured)
    from benchmarks.roof import machine_limits  # only now: the engine prepares for the import of torch

    print(as_markdown(*measured, shares, machine_limits(), command), end="")


if __name__ == "__main__":
    main()
