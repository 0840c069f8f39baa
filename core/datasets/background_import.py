"""Imports that run while the dashboard goes on, in processes of their own that can be killed.

    path = receive([("photos.zip", stream)])             # what a browser sent, kept on the disk
    plan = inspect_apart(path)                           # a look at it, done in another process
    import_id = start_import(path, name="Photos", size=(32, 32), colour="colour")
    import_progress(import_id)                                  # Progress("running", 0.4, "1,200 images read.", None)
    cancel_import(import_id)

Each import has a folder `data_dir()/imports/ID` with its progress, its log and what was received for it.
It outlives the dashboard. What was received is removed when its import ends, and a day later if none begins.
"""

import json
import logging
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from core.datasets import storage
from core.datasets.choices import Choices
from core.datasets.files import Skipped
from core.datasets.formats.source import Guess
from core.datasets.importing import Colour, Plan, Report, Sample, report_from_json
from core.system.background import Job, Journal
from core.system.paths import data_dir
from core.system.processes import spawn
from core.system.text import quoted

State = Literal["running", "done", "failed", "cancelled"]

_LOGGER = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-f]{12}")
_LOOK_DEADLINE_S = 30.0
_KEPT_S = 24 * 3600.0


class Progress(NamedTuple):
    """How far an import has come.

    share: of the source that has been read, 0 to 1.
    sentence: the same in words, or why it failed.
    report: what was done, once it is.
    """

    state: State
    share: float
    sentence: str
    report: Report | None


def receive(uploads: Sequence[tuple[str, IO[bytes]]]) -> Path:
    """Keep what a browser sent, each a file's name and its content.

    Returns:
        Where it lies: the file, or the folder of several.

    Raises:
        ValueError: if nothing was sent.
    """
    if not uploads:
        raise ValueError("Expected a file or several, received none.")
    _sweep()
    # Called "images" because that becomes the proposed name of several files.
    folder = _new_folder() / "images"
    folder.mkdir()
    for number, (name, content) in enumerate(uploads):
        path = folder / _safe(name)
        if path.exists():
            path = folder / f"{number}-{path.name}"
        with path.open("wb") as file:
            shutil.copyfileobj(content, file, 2**20)
    return path if len(uploads) == 1 else folder


def discard(path: Path) -> None:
    """Remove what `receive` kept at `path`; anything else stays where it is."""
    folder = path.resolve()
    imports = _imports()
    if imports in folder.parents:
        shutil.rmtree(imports / folder.relative_to(imports).parts[0] / "images", ignore_errors=True)


def inspect_apart(path: Path, choices: Choices | None = None) -> Plan:
    """Do what `importing.inspect` does in a process of its own, at most for half a minute.

    Raises:
        ValueError: as `importing.inspect` does, or if it takes longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.npz"
        process = spawn(
            "core",
            *("datasets", "inspect", str(path.resolve()), "--json", "--samples", str(samples)),
            *(choices or Choices()).as_options(),
            log=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            output, errors = process.communicate(timeout=_LOOK_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise ValueError(
                f"{path.name}: looking at it took longer than {_LOOK_DEADLINE_S:.0f} s, so it was given up."
            ) from None
        if process.returncode:
            told = errors.decode(errors="replace").strip()
            if process.returncode == 2 and told:
                raise ValueError(told.rpartition("\n")[2])
            number = secrets.token_hex(3)
            _LOGGER.error("Error %s of a look at %s (%d):\n%s", number, quoted(path.name), process.returncode, told)
            raise ValueError(
                f"{path.name}: it cannot be looked at. The server's log says under number {number} what has happened."
            )
        with np.load(samples) as images:
            return plan_from_json(json.loads(output), [images[key] for key in images.files])


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan, without the images of its samples, as values that JSON has."""
    return asdict(plan) | {
        "sizes": [[*size, count] for size, count in plan.sizes.items()],
        "samples": [sample.class_name for sample in plan.samples],
        "skipped": [entry._asdict() for entry in plan.skipped],
        "guesses": [entry._asdict() for entry in plan.guesses],
    }


def plan_from_json(values: dict[str, Any], images: Sequence[np.ndarray]) -> Plan:
    """Return the plan that `plan_as_json` has written, with the images of its samples."""
    lists = {key: tuple(values[key]) for key in ("size", "class_names", "notes", "datasets")}
    return Plan(
        **values
        | lists
        | {
            "sizes": {(height, width): count for height, width, count in values["sizes"]},
            "samples": tuple(map(Sample, images, values["samples"])),
            "skipped": tuple(Skipped(**entry) for entry in values["skipped"]),
            "splits": {part: tuple(names) for part, names in values["splits"].items()},
            "guesses": tuple(Guess(**entry | {"options": tuple(entry["options"])}) for entry in values["guesses"]),
        }
    )


def start_import(
    path: Path,
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    colour: Colour | None = None,
    choices: Choices | None = None,
) -> str:
    """Begin what `importing.import_dataset` does and return the import's id."""
    options = []
    if name is not None:
        options += [f"--name={name}"]
    if size is not None:
        options += [f"--size={size[0]}x{size[1]}"]
    if colour is not None:
        options += [f"--colour={colour}"]
    options += (choices or Choices()).as_options()
    return _start(["import", str(path.resolve()), *options], path)


def start_fetch(name: str) -> str:
    """Begin to fetch a data set of the catalogue and return the import's id."""
    return _start(["fetch", name])


def import_progress(import_id: str) -> Progress:
    """Return how far an import has come.

    Raises:
        ValueError: if there is none of that id.
    """
    job = _job(import_id)
    status = job.status()
    if status.state == "never":  # what lies there was received, but is not imported yet
        raise _unknown(import_id)
    sentence = status.sentence
    if not sentence:
        sentence = "Starting." if status.state == "running" else job.last_words()
    return Progress(status.state, status.share, sentence, status.result and report_from_json(status.result))


def unfinished_imports() -> list[str]:
    """Return the ids of the imports that go on, or have failed and were not dismissed."""
    return sorted(folder.name for folder in _imports().iterdir() if Job(folder).status().state in ("running", "failed"))


def dismiss_import(import_id: str) -> None:
    """Forget an import that has ended, with what was received for it.

    Raises:
        ValueError: if there is none of that id.
    """
    job = _job(import_id)
    if job.status().state != "running":
        shutil.rmtree(job.folder, ignore_errors=True)


def cancel_import(import_id: str) -> None:
    """End an import; nothing of it remains. One that has ended already stays as it is.

    Raises:
        ValueError: if there is none of that id.
    """
    job = _job(import_id)
    job.cancel()
    if path := job.note().get("path"):
        discard(Path(path))
    storage.sweep()


def import_journal(import_id: str) -> Journal:
    """Return what an import's own process writes its progress and its end into; its result is the report as JSON.

    Raises:
        ValueError: if there is none of that id.
    """
    return Journal(_job(import_id).folder)


def _start(arguments: list[str], path: Path | None = None) -> str:
    _sweep()
    folder = _new_folder()
    Job(folder).start("core", "datasets", *arguments, "--job", folder.name, path=path and str(path.resolve()))
    return folder.name


def _imports() -> Path:
    folder = data_dir() / "imports"
    folder.mkdir(exist_ok=True)
    return folder


def _new_folder() -> Path:
    folder = _imports() / secrets.token_hex(6)
    folder.mkdir()
    return folder


def _job(import_id: str) -> Job:
    folder = _imports() / import_id if _ID.fullmatch(import_id) else None
    if folder is None or not folder.is_dir():
        raise _unknown(import_id)
    return Job(folder)


def _unknown(import_id: str) -> ValueError:
    return ValueError(f"There is no import {quoted(import_id)} here.")


def _sweep() -> None:
    """Remove the folders of imports that ended, and what was received for none, a day ago."""
    for folder in _imports().iterdir():
        if not Job(folder).is_running() and time.time() - folder.stat().st_mtime > _KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _safe(name: str) -> str:
    """Return the last part of a name that a browser sent, as a file may be called."""
    last = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    return last.lstrip(".")[-150:] or "upload"
