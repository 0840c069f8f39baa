"""Stands for the work of a background job: `python -m tests.system.work CONDUCT FOLDER`."""

import sys
import time
from pathlib import Path

from core.system.background import Journal


def main(conduct: str, folder: str) -> None:
    """Do as told: wait, report, print, end well or badly."""
    journal = Journal(Path(folder))
    match conduct:
        case "waits":
            time.sleep(600)
        case "reports":
            journal.advance(0.25, "A quarter.")
            time.sleep(600)
        case "prints":
            print("first\n40% cnn-quick, Adam", file=sys.stderr, flush=True)
            time.sleep(600)
        case "ends":
            print("the result")
            journal.end("done", "It is here.", {"images": 7})
        case "refuses":
            journal.end("failed", "It is too large.")
            sys.exit(2)
        case "dies":
            journal.advance(0.5, "Half.")
            raise MemoryError("no room")


if __name__ == "__main__":
    main(*sys.argv[1:])
