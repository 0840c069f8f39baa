"""Measurements of parity that run while the dashboard goes on, each in a process of its own, kept when done.

    asked = Asked("cnn-quick", "adam", steps=200, defaults="aligned")
    start_parity(asked)                     # nothing if it was measured before, or is being measured
    parity_progress(asked)                  # Progress("running", 0.4, "cnn-quick, Adam, float64")
    parity_progress(asked).parities         # what was measured, once it is "done"

Each has a folder `data_dir()/parity/KEY`; the key is made of what was asked and of the network's description.
"""

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
from filelock import FileLock

from core.config import Defaults, Optimizer
from core.networks.registry import get_architecture
from core.studies.parity import Parity, from_json
from core.system.files import write_json
from core.system.paths import data_dir
from core.system.processes import spawn, started_at

_FORMAT = 2
"""Of the results; those of another one are measured anew."""

State = Literal["never", "running", "done", "failed"]


class Asked(NamedTuple):
    """What is to be measured, in both precisions."""

    architecture: str
    optimizer: Optimizer
    steps: int
    defaults: Defaults


class Progress(NamedTuple):
    """How far a measurement has come: the share done, 0 to 1, and what is done now, or why it failed."""

    state: State
    share: float = 0.0
    sentence: str = ""
    parities: tuple[Parity, ...] = ()


def start_parity(asked: Asked) -> None:
    """Begin a measurement, unless it has been made or goes on."""
    folder = _folder(asked)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # two visitors may ask at once
        if parity_progress(asked).state in ("running", "done"):
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        options = (
            *("--architecture", asked.architecture, "--optimizer", asked.optimizer),
            *("--steps", str(asked.steps), "--defaults", asked.defaults, "--json"),
        )
        with (folder / "log.txt").open("wb") as log, (folder / "result.json").open("wb") as result:
            process = spawn("core", "parity", *options, log=log, stdout=result)
        with suppress(psutil.NoSuchProcess):
            began = started_at(psutil.Process(process.pid))
            write_json(folder / "process.json", {"pid": process.pid, "started_at": began})


def parity_progress(asked: Asked) -> Progress:
    """Return how far a measurement has come."""
    folder = _folder(asked)
    if not folder.exists():
        return Progress("never")
    log = (folder / "log.txt").read_text(errors="replace") if (folder / "log.txt").exists() else ""
    last = log.strip().rpartition("\n")[2]
    if _alive(folder):
        share, _, title = last.partition("% ")
        return (
            Progress("running", int(share) / 100, title) if share.isdecimal() else Progress("running", 0.0, "Starting")
        )
    try:
        result = json.loads((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return Progress("failed", sentence=last or "It ended without a word.")
    return Progress("done", 1.0, parities=tuple(from_json(result)))


def _folder(asked: Asked) -> Path:
    described = json.dumps([_FORMAT, asked, get_architecture(asked.architecture).model_dump(mode="json")])
    return data_dir() / "parity" / hashlib.sha256(described.encode()).hexdigest()[:16]


def _alive(folder: Path) -> bool:
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        known = json.loads((folder / "process.json").read_bytes())
        process = psutil.Process(known["pid"])
        return process.status() != psutil.STATUS_ZOMBIE and abs(started_at(process) - known["started_at"]) < 1
    return False
