"""A run's network in forms that need no Duet: `python -m core export RUN_ID --format onnx`.

    content = export(run_id, "onnx")          # bytes, made in a process of its own
    build(run_id, "onnx")                     # the same in this process, which may import a framework

Whatever the form, it predicts as Duet does, so the preprocessing goes with it: inside the graph
(`onnx`, `keras`), in the code (`pytorch` and both scripts), and as metadata everywhere.

A new format is a new module of `core.export.formats` with its entry as `FORMAT`.
"""

import importlib
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from core.export.format import Format
from core.system.discovery import discover
from core.system.paths import run_directory
from core.system.processes import spawn
from core.system.text import quoted
from core.training import checkpoints
from core.training.checkpoints import Checkpoint

_DEADLINE_S = 120


FORMATS: Mapping[str, Format] = discover("core.export.formats", "FORMAT")
"""Every format, in the order in which they are offered."""


def get_format(name: str) -> Format:
    """Return the format called `name`.

    Raises:
        ValueError: if there is none; the message lists those there are.
    """
    if name not in FORMATS:
        raise ValueError(f"Format (--format): expected one of {', '.join(FORMATS)}, received {quoted(name)}.")
    return FORMATS[name]


def file_name(run_id: str, name: str) -> str:
    """Return what a file of this format is called unless it is told otherwise."""
    return f"duet-{run_id}{get_format(name).ending}"


def build(run_id: str, name: str) -> bytes:
    """Make an export in this process; two of them import a framework for it.

    Raises:
        ValueError: if there is no such format, the run has no checkpoint, or its network has no such form.
    """
    module = importlib.import_module(get_format(name).module)
    checkpoint: Checkpoint = checkpoints.load(run_directory(run_id))
    return module.build(run_id, checkpoint)


def export(run_id: str, name: str) -> bytes:
    """Make an export in a process of its own, seconds.

    Raises:
        ValueError: as `build` does.
        RuntimeError: if the process fails; the message has its last words.
    """
    get_format(name)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        path = Path(folder) / file_name(run_id, name)
        process = spawn("core", "export", run_id, "--format", name, "--output", str(path), log=log)
        try:
            code = process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"The export took longer than {_DEADLINE_S} s, so it was given up.") from None
        if code == 0:
            return path.read_bytes()
        log.seek(0)
        said = log.read().decode(errors="replace").strip()
    if code == 2:
        raise ValueError(said)
    raise RuntimeError(f"The export failed: {said[-2000:]}")
