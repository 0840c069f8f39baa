"""The command line as one program: `python -m core COMMAND …`, or `duet COMMAND …` where Duet is installed.

A command is a module here, with a `main(arguments)` that returns its exit code, and an entry in `COMMANDS`. All of
them share one form, see `core.cli.parsing`: what is wrong with the input is one sentence on stderr and exit code 2,
progress goes to stderr, what was asked for to stdout, with `--json` as one value on the last line.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence

from core.cli.parsing import Parser, program, show
from core.system.files import explain_refusal

COMMANDS: dict[str, str] = {
    "train": "train a network",
    "search": "search for good settings",
    "predict": "classify images with a trained network",
    "explain": "show what a trained network looked at in an image",
    "serve": "serve a trained network over HTTP",
    "runs": "list, stop, resume, clone, tag or delete runs",
    "datasets": "list, inspect, import, fetch or delete data sets",
    "labels": "find wrong labels, and make a data set without them",
    "networks": "list the networks",
    "recipes": "list the recipes: published experiments and presets",
    "replicate": "train the published experiments and compare the figures",
    "parity": "measure how far the frameworks diverge from the same weights",
    "report": "write a report of runs as one HTML file",
    "export": "write a trained network as PyTorch, Keras, ONNX or a script",
}
"""Each command, which is the module of that name, with what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A console of few letters shows the others as "?", rather than refuse what is done already.
        sys.stdout.reconfigure(errors="replace")
    if given and given[0] in COMMANDS:
        return _run(given[0], given[1:])
    parser = Parser(
        prog=program(),
        description="Train the same image classifier in PyTorch and in Keras, and compare them.",
        epilog=f"{program()} COMMAND --help says what a command takes.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    parser.parse_args(given)  # prints the help, or exits with what is wrong
    return 2


def _run(name: str, arguments: Sequence[str]) -> int:
    """Run a command; what the disk, the database or the reader of its output refuse is a sentence and exit code 1."""
    # Not for `--help`, which would wait for the database's library.
    from sqlalchemy.exc import OperationalError

    from core.runs.database import StoreError

    try:
        code = importlib.import_module(f"core.cli.{name}").main(arguments) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has read enough, as `| head` does; Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except StoreError as error:
        show(str(error), sys.stderr)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        show(f"{place}{explain_refusal(error) or f'{error.strerror or error}.'}", sys.stderr)
        return 1
    except OperationalError as error:
        if (refusal := explain_refusal(error)) is None:
            raise
        show(f"The runs' database cannot be written: {refusal}", sys.stderr)
        return 1
    return code
