"""Duet beside what people write without it: the target table of the training engine, measured here and now.

    python -m benchmarks.training                # every row, on a quiet machine: most of an hour
    python -m benchmarks.training --rows 1 3b 6
    python -m benchmarks.training --quick        # a minute or two: does everything run?
    python -m benchmarks.training --markdown > docs/training_benchmark.md

Both sides of a row take turns in processes of their own (`benchmarks.turns`), `REPEATS` times, and the medians
are compared. The peers' code lies in `benchmarks/peers/`, Duet's side in `benchmarks/ours.py`. Beside each
training stands its share of the roof: the operations a second that its network needs for so many images, by
those of a large float32 matrix product, which took turns with them.

Exit code 1 if a row misses its target or could not be measured. A new row is one entry in `ROWS`, and one in
`contests` if it measures something new.
"""

import gzip
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rows import Result, Row, as_line, as_table, judge, most_megabytes, seconds_to, unmeasured
from benchmarks.turns import Program, in_turns
from core.cli.parsing import Parser, exit_with_error
from core.config import FRAMEWORK_TITLES
from core.datasets import mnist
from core.recipes import RECIPES
from core.studies.replication import machine

_OPTIMIZER = {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "batch_size": 64}
_AUGMENTATION = {"degrees": 10, "zoom": 0.1, "shift": 0.1}
_ALL_IMAGES = 60_000
_RECORDED_TIMES = {"ann-100": 12, "cnn-64-32-32": 5}
"""How many times as many turns a recorded run takes: three per cent need more of them."""

_RECORDED_IMAGES = {"ann-100": _ALL_IMAGES, "cnn-64-32-32": 12_000}
"""How many images a turn has then: in some seconds a shared machine changes its speed less than in twenty."""

_PACKAGES = ("torch", "torchvision", "tensorflow", "keras", "numpy")


class Scale(NamedTuple):
    """How much is measured: images an epoch (all if None) and to augment, turns, seeds, epochs of the example."""

    images: int | None
    augmented_images: int
    repeats: int
    seeds: int
    example_epochs: int
    changes: Mapping[str, Any]


FULL = Scale(None, augmented_images=_ALL_IMAGES, repeats=5, seeds=5, example_epochs=14, changes={})
QUICK = Scale(
    1280,
    augmented_images=256,
    repeats=2,
    seeds=1,
    example_epochs=1,
    changes={"epochs": 1, "warmup_epochs": 0, "train_limit": 1280},
)


_SCRIPT = "torchvision MNIST, ToTensor, Normalize, DataLoader at its best number of workers"
_FIT = "model.fit on arrays"
_EXAMPLE = "the mnist recipe of pytorch/examples"
_BARE = "the bare loop of the same engine"

ROWS = (
    Row(
        number="1",
        what="ann-100, batch 64, an epoch in PyTorch",
        contest="ann-100 pytorch",
        peer="peer",
        peer_title=_SCRIPT,
        least_ratio=10,
        network="ann-100",
    ),
    Row(
        number="2",
        what="ann-100, batch 64, an epoch in Keras",
        contest="ann-100 keras",
        peer="peer",
        peer_title=_FIT,
        least_ratio=2.5,
        network="ann-100",
    ),
    Row(
        number="3a",
        what="cnn-64-32-32, batch 64, an epoch in PyTorch, float32",
        contest="cnn-64-32-32 pytorch",
        peer="peer",
        peer_title=_SCRIPT,
        least_ratio=3,
        network="cnn-64-32-32",
    ),
    Row(
        number="3b",
        what="the same in bfloat16",
        contest="cnn-64-32-32 pytorch",
        ours="bfloat16",
        peer="peer",
        peer_title=_SCRIPT,
        least_ratio=4.5,
        network="cnn-64-32-32",
    ),
    Row(
        number="4a",
        what="cnn-64-32-32, batch 64, an epoch in Keras, float32",
        contest="cnn-64-32-32 keras",
        peer="peer",
        peer_title=_FIT,
        least_ratio=1.8,
        network="cnn-64-32-32",
    ),
    Row(
        number="4b",
        what="the same in bfloat16",
        contest="cnn-64-32-32 keras",
        ours="bfloat16",
        peer="peer",
        peer_title=_FIT,
        least_ratio=2.8,
        network="cnn-64-32-32",
    ),
    Row(
        number="5a",
        what="cnn-64-32-32, batch 64, float32: share of the roof in PyTorch",
        contest="cnn-64-32-32 pytorch",
        network="cnn-64-32-32",
        least_share=0.65,
    ),
    Row(
        number="5b",
        what="cnn-64-32-32, batch 64, float32: share of the roof in Keras",
        contest="cnn-64-32-32 keras",
        network="cnn-64-32-32",
        least_share=0.65,
    ),
    Row(
        number="6a",
        what="augmentation, parameters of its own for each image, in PyTorch",
        contest="augmentation pytorch",
        peer="peer",
        peer_title="torchvision v2, image by image",
        least_ratio=20,
    ),
    Row(
        number="6b",
        what="augmentation, parameters of its own for each image, in Keras",
        contest="augmentation keras",
        peer="peer",
        peer_title="Keras's random layers",
        least_ratio=3,
    ),
    Row(
        number="7a",
        what="training to a mean test accuracy of 99.0 %, fast-99 in PyTorch",
        contest="99.0 %",
        ours="pytorch",
        peer="peer",
        peer_title=_EXAMPLE,
        figure=seconds_to(0.99),
        least_ratio=20,
        most=10,
        recipe="fast-99",
    ),
    Row(
        number="7b",
        what="the same in Keras",
        contest="99.0 %",
        ours="keras",
        peer="peer",
        peer_title=_EXAMPLE,
        figure=seconds_to(0.99),
        most=15,
        recipe="fast-99",
    ),
    Row(
        number="8a",
        what="training to a mean test accuracy of 99.5 %, fast-99.5 in PyTorch",
        contest="99.5 %",
        ours="pytorch",
        figure=seconds_to(0.995),
        most=45,
        recipe="fast-99.5",
    ),
    Row(
        number="8b",
        what="the same in Keras",
        contest="99.5 %",
        ours="keras",
        figure=seconds_to(0.995),
        most=60,
        recipe="fast-99.5",
    ),
    *(
        Row(
            number=number,
            what=f"{_RECORDED_IMAGES[network]:,} images of {network}, recorded and watched, "
            f"in {FRAMEWORK_TITLES[framework]}",
            contest=f"recorded {network} {framework}",
            peer="bare",
            peer_title=_BARE,
            least_ratio=1 / 1.03,
            engine=True,
        )
        for number, network, framework in (
            ("9a", "cnn-64-32-32", "pytorch"),
            ("9b", "cnn-64-32-32", "keras"),
            ("9c", "ann-100", "pytorch"),
            ("9d", "ann-100", "keras"),
        )
    ),
    *(
        Row(
            number=number,
            what=f"{way} to first point in {FRAMEWORK_TITLES[framework]}",
            contest=f"first point {framework}",
            ours=way,
            most=most,
        )
        for number, way, framework, most in (
            ("10a", "click", "pytorch", 3),
            ("10b", "command", "pytorch", 3),
            ("10c", "warm click", "pytorch", 1),
            ("10d", "click", "keras", 5),
            ("10e", "command", "keras", 5),
            ("10f", "warm click", "keras", 1),
        )
    ),
    *(
        Row(
            number=number,
            what=f"most memory of a training process on MNIST, {FRAMEWORK_TITLES[framework]}",
            contest=f"memory {framework}",
            unit="MB",
            figure=most_megabytes,
            most=most,
        )
        for number, framework, most in (("11a", "pytorch", 900), ("11b", "keras", 1500))
    ),
)


def contests(scale: Scale, root: str) -> dict[str, dict[str, Program]]:
    """Return what is measured, by the name of the contest: the programs that take turns, in their order.

    Args:
        root: where torchvision's class finds MNIST.
    """
    repeats = {"repeats": scale.repeats}
    roof = {"roof": Program("benchmarks.roof:gemm", repeats)}
    found: dict[str, dict[str, Program]] = {}

    for network in ("ann-100", "cnn-64-32-32"):
        peer = {"architecture": network, "images": scale.images, **repeats}
        scripts = {
            "pytorch": Program("benchmarks.peers.torchvision_script:epochs", {**peer, "root": root}),
            "keras": Program("benchmarks.peers.keras_fit:epochs", peer),
        }
        for framework, script in scripts.items():
            settings = {
                "framework": framework,
                "architecture": network,
                "train_limit": scale.images,
                **_OPTIMIZER,
                **repeats,
            }
            ours = Program("benchmarks.ours:epochs", settings)
            found[f"{network} {framework}"] = {
                "peer": script,
                "ours": ours,
                "bfloat16": Program("benchmarks.ours:epochs", {**settings, "precision": "bfloat16"}),
                **roof,
            }
            watched = {
                **settings,
                "train_limit": scale.images or _RECORDED_IMAGES[network],
                "repeats": scale.repeats * _RECORDED_TIMES[network],
            }
            found[f"recorded {network} {framework}"] = {
                "bare": Program("benchmarks.ours:epochs", watched),
                "ours": Program("benchmarks.ours:recorded_epochs", watched),
            }

    augmented = {**_AUGMENTATION, **repeats, "images": scale.augmented_images}
    batches = {"batch_size": _OPTIMIZER["batch_size"]}
    by_layers = Program("benchmarks.peers.keras_augmentation:augment", {**augmented, **batches})
    by_image = Program("benchmarks.peers.torchvision_augmentation:augment", augmented)
    for framework, peer in (("pytorch", by_image), ("keras", by_layers)):
        ours = Program("benchmarks.ours:augment", {**augmented, **batches, "framework": framework})
        found[f"augmentation {framework}"] = {"peer": peer, "ours": ours}

    for title, recipe in (("99.0 %", "fast-99"), ("99.5 %", "fast-99.5")):
        found[title] = {
            framework: Program(
                "benchmarks.ours:time_to_accuracy",
                {"recipe": recipe, "framework": framework, "seeds": scale.seeds, **scale.changes},
            )
            for framework in FRAMEWORK_TITLES
        }
    found["99.0 %"]["peer"] = Program(
        "benchmarks.peers.pytorch_example:time_to_accuracy",
        {
            "root": root,
            "target": 0.99,
            "seeds": scale.seeds,
            "epochs": scale.example_epochs,
            "images": scale.images,
        },
    )

    for framework in FRAMEWORK_TITLES:
        settings = {"framework": framework, "train_limit": scale.images, "epochs": 1, **repeats}
        found[f"first point {framework}"] = {
            way: Program("benchmarks.ours:first_point", {**settings, "way": way})
            for way in ("click", "command", "warm click")
        }
        found[f"memory {framework}"] = {"ours": Program("benchmarks.ours:memory", {**settings, "repeats": 1})}
    return found


@dataclass(frozen=True)
class Report:
    """The results, and on what machine, with which versions, when and by which command they were measured."""

    machine: str
    bfloat16: str
    load: tuple[float, float]
    versions: dict[str, str]
    date: str
    command: str
    roof_gflops: float | None
    results: tuple[Result, ...]


def measure(
    rows: Sequence[Row], scale: Scale, command: str, on_result: Callable[[Result], None] = lambda _result: None
) -> Report:
    """Measure rows, contest by contest, in a home of their own; `on_result` is told of each as soon as it is there."""
    before = os.getloadavg()[0]
    images = scale.images or _ALL_IMAGES
    results: dict[str, Result] = {}
    roofs: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        _lay_out_mnist(Path(place))
        for contest, programs in contests(scale, place).items():
            asking = [row for row in rows if row.contest == contest and (row.recipe is None or row.recipe in RECIPES)]
            wanted = {name for row in asking for name in (row.ours, row.peer, row.network and "roof")}
            chosen = {name: program for name, program in programs.items() if name in wanted}
            found = in_turns(chosen, {"DUET_HOME": place})
            roofs += found["roof"].values("gflops") if "roof" in found else []
            for row in asking:
                results[row.number] = judge(row, found, images)
                on_result(results[row.number])
    for row in rows:
        if row.number not in results:
            results[row.number] = unmeasured(row, f"no such recipe yet: {row.recipe}")
            on_result(results[row.number])
    return Report(
        machine=machine(),
        bfloat16=_bfloat16(),
        load=(before, os.getloadavg()[0]),
        versions={name: version(name) for name in _PACKAGES},
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        command=command,
        roof_gflops=statistics.median(roofs) if roofs else None,
        results=tuple(results[row.number] for row in rows),
    )


def _lay_out_mnist(root: Path) -> None:
    """Put the bundled files where torchvision's class looks for them, and unpack them as Duet does."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in mnist.BUNDLED.glob("*.gz"):
        with gzip.open(packed) as source, (raw / packed.stem).open("wb") as target:
            shutil.copyfileobj(source, target)


def _bfloat16() -> str:
    """Say whether the processor multiplies bfloat16 itself; without that it is slower than float32."""
    described = Path("/proc/cpuinfo")
    flags = described.read_text().split() if described.exists() else []
    there = [title for flag, title in (("avx512_bf16", "AVX512-BF16"), ("amx_bf16", "AMX")) if flag in flags]
    if there:
        return f"in hardware by {' and '.join(there)}"
    return "not in hardware (neither AVX512-BF16 nor AMX): the bfloat16 rows cannot meet their targets here"


def as_markdown(report: Report) -> str:
    """Return a report as a document: the machine, the table, and how to read it."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    roof = f"{report.roof_gflops:,.0f} GFLOP/s in float32" if report.roof_gflops else "not measured"
    return f"""# Training speed beside the peers

Written by `{report.command}` on {report.date}: {report.machine}; {versions}.

- The roof, a matrix product of 2048×2048: {roof}.
- bfloat16: {report.bfloat16}.
- Processes at work before and after: {report.load[0]:.1f} and {report.load[1]:.1f}. A quiet machine has none before.
- {_verdict(report)}

{as_table(report.results)}

Both sides of a row take turns in processes of their own; the figures are medians over the turns. A ratio is the median
of those of the rounds, as a machine that changes its speed does so for both sides of a round; behind it stand the
lowest and highest of them. The share of the roof is that of the operations a training step needs.
What a turn spends outside of the engine is what recording costs the training process itself.
Seconds to an accuracy are those of training alone, averaged over the seeds: up to the end of the first epoch after
which the mean accuracy is reached, and for Duet's recipes those of the whole training.
"""


def _verdict(report: Report) -> str:
    missed = [result.number for result in report.results if not result.met]
    met = f"{len(report.results) - len(missed)} of {len(report.results)} rows meet their targets"
    return f"{met}; missed or not measured: {', '.join(missed)}." if missed else f"{met}."


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for and print it."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    try:
        rows = _select(options.rows)
    except ValueError as error:
        exit_with_error(str(error))
    as_document = options.json or options.markdown
    report = measure(
        rows,
        QUICK if options.quick else FULL,
        " ".join(["python -m benchmarks.training", *given]),
        # A document is printed whole; meanwhile the results are seen as errors are.
        lambda result: print(as_line(result), file=sys.stderr if as_document else sys.stdout, flush=True),
    )
    if options.json:
        print(json.dumps(asdict(report)))
    elif options.markdown:
        print(as_markdown(report), end="")
    else:
        print(f"{report.machine}; bfloat16 {report.bfloat16}\n{_verdict(report)}")
    return 0 if all(result.met for result in report.results) else 1


def _select(names: Sequence[str]) -> list[Row]:
    """Return the rows of these numbers; one without a letter stands for all of its letters.

    Raises:
        ValueError: if there is none of a number; the message lists those there are.
    """
    chosen = {row.number for row in ROWS if not names}
    for name in names:
        found = {row.number for row in ROWS if name in (row.number, row.number.rstrip("abcdef"))}
        if not found:
            raise ValueError(
                f"Rows (--rows): expected some of {', '.join(row.number for row in ROWS)}, received {name!r}."
            )
        chosen |= found
    return [row for row in ROWS if row.number in chosen]


def _parser() -> Parser:
    parser = Parser(prog="python -m benchmarks.training", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--rows", metavar="N", nargs="+", default=[], help="only these, such as 1 3b 6")
    parser.add_argument("--quick", action="store_true", help="few images and turns: the figures say only that it runs")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
