"""Try what Duet survives, and print the table: `python -m tests.faults [--long] [--case N …] [--json]`.

The long form takes most of an hour; it can be made in pieces, from which the table is then printed:

    python -m tests.faults --long --case 1 --trials 50 --seed 1 --json > first.json
    python -m tests.faults --read first.json second.json --markdown > docs/faults.md

Exit code 1 if anything was lost. Each case has a home of its own, so nothing of yours is touched.
"""

import json
import logging
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.cli.parsing import Parser, exit_with_error
from core.studies.replication import machine
from core.system.paths import PROJECT
from core.system.text import duration
from tests.faults.case import Case, Result, add, try_out
from tests.faults.place import a_place
from tests.faults.registry import CASES

Report = dict[str, Any]
"""What one call has tried, as JSON."""

NOTE = (
    "Processes are killed with SIGKILL, disks filled and memory limited for real. SIGKILL does not simulate a power "
    "cut: the system still writes out what a killed process has handed over."
)


def main(arguments: list[str] | None = None) -> int:
    """Try the cases that are asked for."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    try:
        cases = _select(options.case)
    except ValueError as error:
        exit_with_error(str(error))
    if options.read:
        reports = [json.loads(path.read_text()) for path in options.read]
    else:
        reports = [_try_all(cases, options, " ".join(["python -m tests.faults", *given]))]
    results = merge(reports)
    if options.json:
        print(json.dumps(reports[0]))
    elif options.markdown:
        print(as_document(reports), end="")
    else:
        if options.read:
            print("\n".join(map(as_line, results)))
        print(f"{'; '.join(_machines(reports))}\n{NOTE}\n{verdict(results)}")
    return 1 if any(result.losses for result in results) else 0


def _try_all(cases: Iterable[Case], options: Namespace, command: str) -> Report:
    started = time.time()
    results = []
    with tempfile.TemporaryDirectory(prefix="duet-unpacked-") as folder:
        unpacked = _unpack(Path(folder))
        for case in cases:
            trials = options.trials or (case.long if options.long else case.quick)
            with a_place(seed=options.seed, long=options.long, unpacked=unpacked) as place:
                results.append(try_out(case, place, trials))
            # A document is printed whole at the end; meanwhile the results are seen as errors are.
            to = sys.stderr if options.json or options.markdown else sys.stdout
            print(as_line(results[-1]), file=to, flush=True)
    return {
        "command": command,
        "machine": machine(),
        "commit": _commit(),
        "seed": options.seed,
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
        "results": [asdict(result) for result in results],
    }


def merge(reports: Iterable[Report]) -> list[Result]:
    """Return the results of all pieces in the order of the cases, those of one case added up."""
    merged: dict[str, Result] = {}
    for report in reports:
        for values in report["results"]:
            result = Result(**values | {"losses": tuple(values["losses"])})
            before = merged.get(result.name)
            merged[result.name] = add(before, result) if before else result
    order = [case.name for case in CASES]
    return sorted(merged.values(), key=lambda result: order.index(result.name))


def as_line(result: Result) -> str:
    """Return a result as lines of plain text, what was lost below it."""
    outcome = f"{result.survived} of {result.trials} survived" if not result.untried else f"not tried: {result.untried}"
    line = f"{result.number:3}  {result.name:26} {outcome:22} {duration(result.seconds):>10}  {result.done}"
    return "\n".join([line, *(f"     {loss}" for loss in result.losses)])


def as_document(reports: Sequence[Report]) -> str:
    """Return reports as a page of Markdown."""
    results = merge(reports)
    heads = ("Case", "What was done, and what it must come to", "Trials", "Survived", "Time")
    rows = [
        (
            str(result.number),
            f"{result.done[:1].upper()}{result.done[1:]}"
            + (f" – not tried: {result.untried}" if result.untried else ""),
            str(result.trials),
            str(result.survived) if result.survived == result.trials else f"**{result.survived}**",
            duration(result.seconds),
        )
        for result in results
    ]
    table = [f"| {' | '.join(row)} |" for row in (heads, ("---:", "---", "---:", "---:", "---:"), *rows)]
    losses = [f"- Case {result.number}, {result.name}: {loss}" for result in results for loss in result.losses]
    pieces = [
        f"- `{report['command']}` on {report['date']}, seed {report['seed']}, commit {report['commit']}"
        for report in reports
    ]
    return "\n".join(
        [
            "# What Duet survives",
            "",
            f"Measured on this machine: {'; '.join(_machines(reports))}.",
            "",
            NOTE,
            "",
            *table,
            "",
            verdict(results),
            *(["", *losses] if losses else []),
            "",
            "Printed by `python -m tests.faults --markdown`, of these:",
            "",
            *pieces,
            "",
        ]
    )


def _machines(reports: Iterable[Report]) -> list[str]:
    return sorted({report["machine"] for report in reports})


def verdict(results: Iterable[Result]) -> str:
    """Return in a sentence how much was lost."""
    results = list(results)
    trials = sum(result.trials for result in results)
    lost = sum(len(result.losses) for result in results)
    untried = sum(bool(result.untried) for result in results)
    words = f"{trials:,} trials, {'nothing' if not lost else f'**{lost}**'} lost"
    return f"{words}; {untried} cases could not be tried." if untried else f"{words}."


def _select(numbers: Sequence[int]) -> list[Case]:
    """Return the cases of these numbers, all if there are none.

    Raises:
        ValueError: if there is no case of a number.
    """
    known = sorted({case.number for case in CASES})
    for number in numbers:
        if number not in known:
            raise ValueError(f"Case (--case): expected some of {', '.join(map(str, known))}, received {number}.")
    return [case for case in CASES if not numbers or case.number in numbers]


def _unpack(home: Path) -> Path:
    """Unpack MNIST once for all cases; return the folder of data sets."""
    with a_place(seed=0, long=False) as place:
        (place.home / "datasets").rename(home / "datasets")
    return home / "datasets"


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _parser() -> Parser:
    parser = Parser(prog="python -m tests.faults", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--long", action="store_true", help="make the full number of trials: most of an hour")
    parser.add_argument("--case", metavar="N", type=int, nargs="+", default=[], help="only these, such as 1 8 13")
    parser.add_argument(
        "--trials", metavar="N", type=int, help="make so many of each case, for a piece of the long form"
    )
    parser.add_argument(
        "--read", metavar="FILE", type=Path, nargs="+", help="try nothing: tell of what --json has told"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default 0)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    return parser


if __name__ == "__main__":
    logging.getLogger("duet").setLevel(logging.ERROR)  # what is refused here was damaged on purpose
    sys.exit(main())
