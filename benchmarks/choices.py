"""The choices that the engines have made for speed, each measured against what was not taken.

    python -m benchmarks.choices                                # all of them, on a quiet machine
    python -m benchmarks.choices --network ann-100 --framework pytorch
    python -m benchmarks.choices --markdown > docs/what_was_tried.md

A step as the engine takes it and one that differs in a single choice take turns in processes of their own
(`benchmarks.turns`). A factor above 1 is that of the choice as it is made: so much longer the other one takes.
On a machine that others use `--cpu` compares processor seconds on one thread. A new choice is one entry in `CHOICES`.
"""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from benchmarks.turns import Measured, Program, in_turns
from core.cli.parsing import Parser
from core.config import FRAMEWORK_TITLES, Framework
from core.engines import available_cores
from core.studies.replication import machine

REPEATS = 7


class Workload(NamedTuple):
    """A network in batches of a size, and how many steps a turn takes."""

    network: str
    batch_size: int
    steps: int


class Choice(NamedTuple):
    """What was taken, what was not, and the option of `steps`, or of the environment, that makes the difference."""

    framework: Framework
    taken: str
    other: str
    options: Mapping[str, Any] = MappingProxyType({})
    environment: Mapping[str, str] = MappingProxyType({})


WORKLOADS = (Workload("ann-100", 64, 200), Workload("cnn-64-32-32", 64, 16), Workload("cnn-quick", 256, 12))

_HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

CHOICES = (
    Choice("pytorch", "memory of a step kept", "given back to the system", {"memory_kept": False}),
    Choice("pytorch", "threads wait awake a moment", "hardly at all", environment={"GOMP_SPINCOUNT": "1000"}),
    Choice("pytorch", "threads wait awake a moment", "four times as long", environment={"GOMP_SPINCOUNT": "20000"}),
    Choice("pytorch", "pages of the usual size", "huge pages", environment={"THP_MEM_ALLOC_ENABLE": "1"}),
    Choice("pytorch", "channels last", "channels first", {"layout": "channels_first"}),
    Choice("pytorch", "channels last", "oneDNN's own layout", {"layout": "onednn"}),
    Choice("pytorch", "pool before relu", "relu before pool", {"pool_first": False}),
    Choice("pytorch", "images taken by the million pixels", "each batch by itself", {"pixels_at_once": 1}),
    Choice("pytorch", "images taken by the million pixels", "a chunk at once", {"pixels_at_once": 2**30}),
    Choice("pytorch", "images[batch]", "index_select", {"pick": "index_select"}),
    Choice("pytorch", "fused SGD", "foreach SGD", {"update": "foreach"}),
    Choice("pytorch", "fused SGD", "a loop over the weights", {"update": "loop"}),
    Choice("pytorch", "all cores", "one thread", {"threads": 1}),
    Choice("pytorch", "float32", "bfloat16 by autocast", {"precision": "bfloat16"}),
    Choice("pytorch", "eager", "torch.compile", {"compiled": True}),
    Choice("keras", "pages of the usual size", "huge pages", environment=_HUGE_PAGES),
    Choice("keras", "pool before relu", "relu before pool", {"pool_first": False}),
    Choice("keras", "each batch taken and scaled", "a chunk at once", {"whole_chunk": True}),
    Choice("keras", "uint8 on the device", "float32 on the device", {"held": "float32"}),
    Choice("keras", "a loop in the graph", "a call of the graph a step", {"loop": "python"}),
    Choice("keras", "10 parallel iterations", "1 parallel iteration", {"parallel_iterations": 1}),
    Choice("keras", "1 thread between operations", "2 of them", {"between_threads": 2}),
    Choice("keras", "Keras's SGD", "ResourceApplyKerasMomentum", {"update": "raw"}),
    Choice("keras", "all cores", "one thread", {"threads": 1}),
    Choice("keras", "float32", "mixed_bfloat16", {"precision": "mixed_bfloat16"}),
    Choice("keras", "no XLA", "jit_compile", {"xla": True}),
)


@dataclass(frozen=True)
class Found:
    """Milliseconds of a step as it is taken and as it is not, and how much longer the other takes; or a failure."""

    choice: Choice
    workload: Workload
    taken: float | None = None
    other: float | None = None
    failure: str = ""

    @property
    def cells(self) -> list[str]:
        """The cells of its row in the table."""
        about = [FRAMEWORK_TITLES[self.choice.framework], self.choice.taken, self.choice.other]
        network = f"{self.workload.network}, {self.workload.batch_size}"
        if self.failure:
            return [*about, network, "", self.failure, ""]
        factor = self.other / self.taken
        return [*about, network, _milliseconds(self.taken), _milliseconds(self.other), f"{factor:.2f}"]


def _milliseconds(value: float) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value:,.0f} ms"


def measure(choices: Iterable[Choice], workloads: Iterable[Workload], cpu: bool) -> Iterator[Found]:
    """Yield what was found for each choice on each workload; those of one framework on one take turns together."""
    chosen = [choice for choice in choices if not (cpu and "threads" in choice.options)]
    with tempfile.TemporaryDirectory() as home:
        for workload in workloads:
            for choice in chosen:
                plain = {**workload._asdict(), "repeats": REPEATS, "threads": 1 if cpu else available_cores()}
                steps = f"benchmarks.steps_{choice.framework}:steps"
                programs = {
                    "taken": Program(steps, plain),
                    "other": Program(steps, {**plain, **choice.options}, choice.environment),
                }
                yield _found(choice, workload, in_turns(programs, {"DUET_HOME": home}), "cpu" if cpu else "seconds")


def _found(choice: Choice, workload: Workload, measured: Mapping[str, Measured], figure: str) -> Found:
    for side in measured.values():
        if side.failure:
            return Found(choice, workload, failure=side.failure)
    taken, other = (measured[name].median(figure) / workload.steps * 1000 for name in ("taken", "other"))
    return Found(choice, workload, taken, other)


def as_markdown(found: Iterable[Found], command: str, cpu: bool) -> str:
    """Return what was found as a document."""
    heads = ("framework", "taken", "not taken", "network, batch", "a step as taken", "and otherwise", "factor")
    rows = "\n".join(f"| {' | '.join(one.cells)} |" for one in found)
    times = "processor time on one thread" if cpu else "seconds of the clock"
    return f"""# What was tried for speed

Written by `{command}` on {machine()}, with {os.getloadavg()[0]:.1f} processes at work at the end.

Medians of {REPEATS} turns, in {times}. The factor is how much longer a step takes that differs in this choice alone;
below 1 the choice that was not taken is the faster one on that network. Where others use the machine, too, what is
within a tenth of 1 says nothing.

| {" | ".join(heads)} |
|{"---|" * len(heads)}
{rows}
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    choices = [choice for choice in CHOICES if options.framework in (None, choice.framework)]
    workloads = [workload for workload in WORKLOADS if options.network in (None, workload.network)]
    found = []
    for one in measure(choices, workloads, options.cpu):
        found.append(one)
        print("  ".join(one.cells), file=sys.stderr if options.markdown else sys.stdout, flush=True)
    if options.markdown:
        print(as_markdown(found, " ".join(["python -m benchmarks.choices", *given]), options.cpu), end="")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m benchmarks.choices", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--framework", choices=get_args(Framework), help="only this one")
    parser.add_argument("--network", choices=[workload.network for workload in WORKLOADS], help="only this one")
    parser.add_argument("--cpu", action="store_true", help="compare processor seconds on one thread")
    parser.add_argument("--markdown", action="store_true", help="print the text of docs/what_was_tried.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
