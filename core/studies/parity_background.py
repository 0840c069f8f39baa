"""Measurements of parity that run while the dashboard goes on, each in a process of its own, kept when done.

    asked = Asked("cnn-quick", "adam", steps=200, defaults="aligned")
    start_parity(asked)                     # nothing if it was measured before, or is being measured
    parity_progress(asked)                  # Progress("running", 0.4, "cnn-quick, Adam, float64")
    parity_progress(asked).parities         # what was measured, once it is "done"

Each has a folder `data_dir()/parity/KEY`; the key is made of what was asked and of the network's description.
"""

import hashlib
import json
from pathlib import Path
from typing import Literal, NamedTuple

from core.config import Defaults, Optimizer
from core.networks.registry import get_architecture
from core.studies.parity import Parity, from_json
from core.system.background import Job
from core.system.paths import data_dir

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
    options = (
        *("--architecture", asked.architecture, "--optimizer", asked.optimizer),
        *("--steps", str(asked.steps), "--defaults", asked.defaults, "--json"),
    )
    _job(asked).start(
        "core", "parity", *options, output=_result(asked), unless=lambda: parity_progress(asked).state == "done"
    )


def parity_progress(asked: Asked) -> Progress:
    """Return how far a measurement has come."""
    job = _job(asked)
    status = job.status()
    match status.state:
        case "running":
            return Progress("running", status.share, status.sentence or "Starting")
        case "done":
            return Progress("done", 1.0, parities=_parities(asked))
        case "failed":
            return Progress("failed", sentence=job.last_words())
        case _:
            return Progress("never")


def _job(asked: Asked) -> Job:
    return Job(_folder(asked), is_done=lambda: bool(_parities(asked)))


def _parities(asked: Asked) -> tuple[Parity, ...]:
    """Return what was measured; nothing where it was not, or not to its end."""
    try:
        return tuple(from_json(json.loads(_result(asked).read_bytes())))
    except (OSError, ValueError):
        return ()


def _result(asked: Asked) -> Path:
    return _folder(asked) / "result.json"


def _folder(asked: Asked) -> Path:
    described = json.dumps([_FORMAT, asked, get_architecture(asked.architecture).model_dump(mode="json")])
    return data_dir() / "parity" / hashlib.sha256(described.encode()).hexdigest()[:16]
