"""What the commands share: the parser, its one-sentence errors, and the name of the program."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import NoReturn, TextIO

from core.system.text import printable


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence on stderr and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Exit with what argparse found wrong, as a sentence."""
        exit_with_error(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def command_parser(name: str, documentation: str | None) -> Parser:
    """Return the parser of the command `name`, described by the first line of its module's documentation."""
    description = (documentation or "").partition("\n")[0]
    return Parser(prog=f"{program()} {name}", description=description, allow_abbrev=False)


def program() -> str:
    """Return how this program was called: `duet` where it is installed, else `python -m core`."""
    return "duet" if Path(sys.argv[0]).stem == "duet" else "python -m core"


def submitter() -> str:
    """Return whose command this is, "command line of ada"; some users of servers and containers have no name."""
    try:
        return f"command line of {getpass.getuser()}"[:64]
    except (KeyError, OSError, ImportError):  # the last on Windows, which has no list of users to ask
        return "command line"


def show(line: str, file: TextIO | None = None) -> None:
    """Print a line to stdout, or to another file, with nothing in it that would command the terminal.

    Names of classes, files, runs and data sets come from strangers: every line that holds one is printed so.
    """
    print(printable(line), file=file)


def exit_with_error(sentence: str) -> NoReturn:
    """Print what is wrong with the input to stderr and exit with code 2."""
    show(sentence, sys.stderr)
    raise SystemExit(2)
