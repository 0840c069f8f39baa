"""Measure how far PyTorch and Keras diverge from the same weights on the same batches.

    python -m core parity --architecture cnn-64-32-32 --optimizer adam --steps 200
    python -m core parity --json
    python -m core parity --markdown > docs/parity.md       # the whole registry: the table in the docs
    python -m core parity --markdown --read sgd.json adam.json   # the same from what --json has written

Without a name every network, or every optimizer, is measured, in float32 and in float64.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from core.cli.parsing import Parser, command_parser, exit_with_error, show
from core.config import LEARNING_RATES, OPTIMIZER_TITLES, configure
from core.engines.framework_defaults import DECIDED_BY_TITLES, FRAMEWORK_DEFAULTS
from core.networks.registry import get_architecture
from core.networks.zoo import ARCHITECTURES
from core.studies.parity import STEPS, TOLERANCES, Parity, from_json, measure, to_json, to_markdown
from core.system.text import quoted

_PROGRESS_S = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for and print it; return 1 if a pair parts further than promised."""
    options = _parser().parse_args(arguments)
    if options.read:
        return _show_all(_read(options.read), options)
    try:
        names = [get_architecture(options.architecture).name] if options.architecture else list(ARCHITECTURES)
        optimizers = [options.optimizer] if options.optimizer else list(LEARNING_RATES)
        configure(optimizer=optimizers[0])
    except ValueError as error:
        exit_with_error(str(error))
    plan = [(name, optimizer, precision) for name in names for optimizer in optimizers for precision in TOLERANCES]
    progress = _Progress(len(plan) * options.steps)
    parities = []
    for position, (name, optimizer, precision) in enumerate(plan):
        title = f"{name}, {OPTIMIZER_TITLES[optimizer]}, {precision}"
        try:
            parity = measure(
                name,
                optimizer,
                precision,
                steps=options.steps,
                defaults=options.defaults,
                tolerance=options.tolerance,
                on_step=partial(progress.show, title, position * options.steps),
            )
        except ValueError as error:  # a network that was made for other images than MNIST's
            exit_with_error(str(error))
        parities.append(parity)
    return _show_all(parities, options)


def _read(paths: Sequence[Path]) -> list[Parity]:
    """Return what several commands have measured with `--json`, in the order in which one would."""
    try:
        found = [parity for path in paths for parity in from_json(json.loads(path.read_bytes()))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        exit_with_error(
            f"Files (--read): expected what this command has written with --json, received {quoted(error)}."
        )
    order = [*ARCHITECTURES]
    order += [parity.architecture for parity in found if parity.architecture not in order]
    optimizers = list(LEARNING_RATES)
    return sorted(found, key=lambda each: (order.index(each.architecture), optimizers.index(each.optimizer)))


def _show_all(parities: Sequence[Parity], options: argparse.Namespace) -> int:
    """Print measurements in the form that was asked for; return 1 if a pair parts further than promised."""
    if options.json:
        print(json.dumps(to_json(parities)))
    elif options.markdown:
        for line in to_markdown(parities).split("\n"):
            show(line)
    else:
        _show(parities)
    return 0 if options.defaults == "framework" or all(parity.passed for parity in parities) else 1


def _parser() -> Parser:
    parser = command_parser("parity", __doc__)
    parser.add_argument("--architecture", metavar="NAME", help="only this network")
    parser.add_argument("--optimizer", metavar="NAME", help=f"only one of {', '.join(LEARNING_RATES)}")
    parser.add_argument("--steps", metavar="N", type=_steps, default=STEPS, help=f"steps to take (default {STEPS})")
    parser.add_argument(
        "--defaults",
        choices=("aligned", "framework"),
        default="aligned",
        help="framework shows what the frameworks' own defaults do (default aligned)",
    )
    parser.add_argument("--tolerance", metavar="X", type=float, help="where the weights of a layer count as parted")
    parser.add_argument(
        "--read", metavar="FILE", nargs="+", type=Path, help="measure nothing: show what --json has written to files"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print everything as one JSON object")
    shape.add_argument("--markdown", action="store_true", help="print the page of the docs")
    return parser


def _steps(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 10,000, received {quoted(text)}")
    return int(text)


class _Progress:
    """Lines on stderr that begin with the share done in percent, at most two a second."""

    def __init__(self, total: int):
        self._total = total
        self._shown_at = 0.0

    def show(self, title: str, before: int, steps: int) -> None:
        done = before + steps
        if done < self._total and time.monotonic() - self._shown_at < _PROGRESS_S:
            return
        self._shown_at = time.monotonic()
        print(f"{100 * done // self._total}% {title}", file=sys.stderr, flush=True)


def _show(parities: Sequence[Parity]) -> None:
    print(f"{'network':18} {'optimizer':8} {'precision':9}   logits     loss  gradients  weights  parted")
    for parity in parities:
        show(
            f"{parity.architecture:18} {parity.optimizer:8} {parity.precision:9} {parity.logits:8.1e} "
            f"{parity.loss:8.1e}   {parity.gradients:8.1e} {parity.weights:8.1e}  {_parted(parity)}"
        )
        if parity.reason:
            show(f"    {parity.reason}")
    for name in sorted({parity.architecture for parity in parities if parity.without_dropout}):
        show(f"{name}: measured with dropout off, as its masks cannot be aligned.")
    print("\nDefaults that differ:")
    for row in FRAMEWORK_DEFAULTS:
        print(f"  {row.name}\n    PyTorch {row.pytorch}\n    Keras   {row.keras}")
        print(f"    aligned {row.aligned} (by {DECIDED_BY_TITLES[row.decided_by]})")


def _parted(parity: Parity) -> str:
    if parity.divergence is None:
        return f"never by {parity.tolerance:g}"
    return f"{parity.divergence.layer} at step {parity.divergence.step} by {parity.tolerance:g}"
