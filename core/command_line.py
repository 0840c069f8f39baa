"""What the commands share: options that are refused with one sentence, and plain durations."""

import argparse
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence on stderr and exit code 2."""

    def error(self, message: str) -> NoReturn:
        refuse(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def refuse(sentence: str) -> NoReturn:
    """Say what is wrong with the input and exit with code 2."""
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def duration(seconds: float) -> str:
    """Return a duration in words, such as "12 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
