"""Write a report of finished runs as one HTML file that opens offline: accuracies, curves, errors and settings.

    python -m core report 3f9c0a1b2c3d --out report.html
    python -m core report 3f9c0a1b2c3d 8d2e6f7a9b01 --out report.html --json

Prints the path of the file.
"""

import json
from pathlib import Path

from core.cli.parsing import command_parser, exit_with_error, show
from core.export.report import MOST, report
from core.runs import FinishedRun, open_store
from core.system.files import write_bytes


def main(arguments: list[str] | None = None) -> int:
    """Check the options, write the file, and say where it is."""
    parser = command_parser("report", __doc__)
    parser.add_argument(
        "run_ids",
        metavar="RUN_ID",
        nargs="+",
        help=f"runs of up to {MOST} settings, with all their seeds; python -m core runs lists them",
    )
    parser.add_argument("--out", metavar="PATH", type=Path, default=Path("report.html"), help="by default report.html")
    parser.add_argument("--json", action="store_true", help="print the path as JSON")
    options = parser.parse_args(arguments)
    try:
        content = report([_finished(run_id) for run_id in dict.fromkeys(options.run_ids)])
    except ValueError as error:
        exit_with_error(str(error))
    try:
        write_bytes(options.out, content.encode("utf-8", "backslashreplace"))
    except OSError as error:
        exit_with_error(f"Out (--out): {options.out} cannot be written: {error.strerror or type(error).__name__}.")
    if options.json:
        print(json.dumps({"report": str(options.out)}))
    else:
        show(str(options.out))
    return 0


def _finished(run_id: str) -> FinishedRun:
    run = open_store().get(run_id)
    finished = run.finished()
    if finished is None:
        raise ValueError(
            f"Run {run_id}: expected one that is done, and it is {run.state}. Choose another, or resume it."
        )
    return finished
