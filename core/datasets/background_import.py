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
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import psutil

from core.datasets import storage
from core.datasets.files import Skipped
from core.datasets.importing import Colour, Plan, Report, Sample, report_as_json, report_from_json
from core.system.files import write_json
from core.system.paths import data_dir
from core.system.processes import spawn, started_at

State = Literal["running", "done", "failed", "cancelled"]

_ID = re.compile(r"[0-9a-f]{12}")
_LOOK_DEADLINE_S = 30.0
_KEPT_S = 24 * 3600.0
_WRITTEN_EVERY_S = 0.2


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


def inspect_apart(path: Path) -> Plan:
    """Do what `importing.inspect` does in a process of its own, at most for half a minute.

    Raises:
        ValueError: as `importing.inspect` does, or if it takes longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.npz"
        process = spawn(
            "core",
            *("datasets", "inspect", str(path.resolve()), "--json", "--samples", str(samples)),
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
            last = errors.decode(errors="replace").strip().rpartition("\n")[2]
            known = process.returncode == 2 and last
            raise ValueError(last if known else f"{path.name}: it cannot be looked at ({last or 'no reason given'}).")
        with np.load(samples) as images:
            return plan_from_json(json.loads(output), [images[key] for key in images.files])


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan, without the images of its samples, as values that JSON has."""
    return asdict(plan) | {
        "sizes": [[*size, count] for size, count in plan.sizes.items()],
        "samples": [sample.class_name for sample in plan.samples],
        "skipped": [entry._asdict() for entry in plan.skipped],
    }


def plan_from_json(values: dict[str, Any], images: Sequence[np.ndarray]) -> Plan:
    """Return the plan that `plan_as_json` has written, with the images of its samples."""
    lists = {key: tuple(values[key]) for key in ("size", "class_names", "notes")}
    return Plan(
        **values
        | lists
        | {
            "sizes": {(height, width): count for height, width, count in values["sizes"]},
            "samples": tuple(map(Sample, images, values["samples"])),
            "skipped": tuple(Skipped(**entry) for entry in values["skipped"]),
        }
    )


def start_import(
    path: Path, *, name: str | None = None, size: tuple[int, int] | None = None, colour: Colour | None = None
) -> str:
    """Begin what `importing.import_dataset` does and return the import's id."""
    options = []
    if name is not None:
        options += [f"--name={name}"]
    if size is not None:
        options += [f"--size={size[0]}x{size[1]}"]
    if colour is not None:
        options += [f"--colour={colour}"]
    return _start(["import", str(path.resolve()), *options], path)


def start_fetch(name: str) -> str:
    """Begin to fetch a data set of the catalogue and return the import's id."""
    return _start(["fetch", name])


def import_progress(import_id: str) -> Progress:
    """Return how far an import has come.

    Raises:
        ValueError: if there is none of that id.
    """
    folder = _folder(import_id)
    alive = _is_alive(folder)
    known = _read(folder)
    if known.state == "running" and not alive:
        return Progress("failed", known.share, f"It ended unexpectedly; {folder / 'log.txt'} may say why.", None)
    return known


def cancel_import(import_id: str) -> None:
    """End an import; nothing of it remains. One that has ended already stays as it is.

    Raises:
        ValueError: if there is none of that id.
    """
    folder = _folder(import_id)
    process = json.loads((folder / "process.json").read_text())
    if _is_alive(folder):
        with suppress(ProcessLookupError):
            os.killpg(process["pid"], signal.SIGKILL)
        with suppress(psutil.NoSuchProcess):
            psutil.wait_procs([psutil.Process(process["pid"])], timeout=10)
    if _read(folder).state == "running":
        _write(folder, Progress("cancelled", 0.0, "It was cancelled.", None))
    if process["path"]:
        discard(Path(process["path"]))
    storage.sweep()


class Journal:
    """What an import's own process writes down for those who watch it."""

    def __init__(self, import_id: str):
        """Begin to write into the folder of an import."""
        self._folder = _folder(import_id)
        self._written = 0.0

    def advance(self, share: float, sentence: str) -> None:
        """Say how far it has come; what comes sooner than a fifth of a second after the last is passed over."""
        now = time.monotonic()
        if now - self._written >= _WRITTEN_EVERY_S:
            self._written = now
            _write(self._folder, Progress("running", share, sentence, None))

    def end(self, state: State, sentence: str, report: Report | None = None) -> None:
        """Say how it ended."""
        _write(self._folder, Progress(state, 1.0, sentence, report))


def _start(arguments: list[str], path: Path | None = None) -> str:
    _sweep()
    folder = _new_folder()
    _write(folder, Progress("running", 0.0, "Starting.", None))
    with (folder / "log.txt").open("ab") as log:
        process = spawn("core", "datasets", *arguments, "--job", folder.name, log=log)
    write_json(
        folder / "process.json",
        {
            "pid": process.pid,
            "started_at": started_at(psutil.Process(process.pid)),
            "path": path and str(path.resolve()),
        },
    )
    return folder.name


def _imports() -> Path:
    folder = data_dir() / "imports"
    folder.mkdir(exist_ok=True)
    return folder


def _new_folder() -> Path:
    folder = _imports() / secrets.token_hex(6)
    folder.mkdir()
    return folder


def _folder(import_id: str) -> Path:
    folder = _imports() / import_id if _ID.fullmatch(import_id) else None
    if folder is None or not (folder / "progress.json").exists():
        raise ValueError(f"There is no import {import_id!r} here.")
    return folder


def _is_alive(folder: Path) -> bool:
    process = json.loads((folder / "process.json").read_text())
    return storage.is_alive(process["pid"], process["started_at"])


def _read(folder: Path) -> Progress:
    values = json.loads((folder / "progress.json").read_text())
    report = values["report"]
    return Progress(**values | {"report": report and report_from_json(report)})


def _write(folder: Path, state: Progress) -> None:
    values = state._asdict() | {"report": state.report and report_as_json(state.report)}
    write_json(folder / "progress.json", values, durable=False)


def _sweep() -> None:
    """Remove the folders of imports that ended, and what was received for none, a day ago."""
    for folder in _imports().iterdir():
        ended = not (folder / "process.json").exists() or not _is_alive(folder)
        if ended and time.time() - folder.stat().st_mtime > _KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _safe(name: str) -> str:
    """Return the last part of a name that a browser sent, as a file may be called."""
    last = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    return last.lstrip(".")[-150:] or "upload"
