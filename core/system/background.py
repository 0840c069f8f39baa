"""Work beside the page: a process of its own that outlives the dashboard, at most one at a time for each folder.

    job = Job(data_dir() / "parity" / key, is_done=result.exists)
    job.start("core", "parity", "--json")        # False if it is running already
    job.status()                                 # Status("running", 0.4, "cnn-quick, Adam")
    job.last_words()                             # why it has failed, where it did not say so itself
    job.cancel()

In the folder lie notes only: `process.json` (the process, with what else `start` was told), `log.txt`, and
`progress.json` if the process keeps a `Journal`. One that keeps none may say how far it has come by lines on its
log that begin with a share in percent, such as "40% cnn-quick".
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import psutil
from filelock import FileLock

from core.system.files import write_json
from core.system.logs import read_on
from core.system.paths import place_in_home
from core.system.processes import ProcessId, kill_with_children, spawn

State = Literal["never", "running", "done", "failed", "cancelled"]

_WRITTEN_EVERY_S = 0.2
_KILLED_WITHIN_S = 10.0


class Status(NamedTuple):
    """How far a job has come.

    share: of its work that is done, 0 to 1.
    sentence: what it does now, or how it ended; empty where it died without a word of its own.
    result: what it has kept in its journal at its end, of JSON's values.
    """

    state: State
    share: float = 0.0
    sentence: str = ""
    result: Any = None


class Job:
    """Work that one process at a time does in the background, known by the folder of its notes."""

    def __init__(self, folder: Path, is_done: Callable[[], bool] = lambda: False):
        """Describe a job; nothing is begun or written yet.

        Args:
            folder: of its notes, made at its start.
            is_done: says whether its result is there; needed where the process keeps no `Journal`.
        """
        self.folder = folder
        self.log = folder / "log.txt"
        self._is_done = is_done

    def start(
        self,
        module: str,
        *arguments: str,
        unless: Callable[[], bool] = lambda: False,
        output: Path | None = None,
        **note: Any,
    ) -> bool:
        """Run `python -m module`, unless a process is at it already; return whether it was begun.

        Args:
            unless: a further reason not to, asked once nobody else can begin it.
            output: where its standard output goes; to its log by default.
            note: what else is to be known of the process, of JSON's values: see `note`.

        Raises:
            OSError: if no process can be started, or nothing be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "start.lock"):  # two visitors may ask at once
            if self.is_running() or unless():
                return False
            for notes in (self._process, self._progress):
                notes.unlink(missing_ok=True)
            with ExitStack() as files:
                log = files.enter_context(self.log.open("wb"))
                stdout = files.enter_context(output.open("wb")) if output else None
                process = spawn(module, *arguments, log=log, stdout=stdout)
            try:
                write_json(self._process, {**note, **ProcessId.of(process.pid)._asdict()})
            except BaseException:  # nobody would know of it, and another would be started beside it
                kill_with_children(process.pid)
                raise
            return True

    def is_running(self) -> bool:
        """Say whether its process is at work: one that has said how it ended only takes a while to go."""
        return self._known().state == "running" and self._lives()

    def note(self) -> dict[str, Any]:
        """Return what its last start has noted of the process; nothing if there was none."""
        return _read(self._process)

    def status(self) -> Status:
        """Return how far it has come. One whose process is gone is done or has failed, never running."""
        lives = self._lives()  # asked first: what has ended since has said how
        known = self._known()
        if lives or known.state != "running":
            return known
        if self._is_done():
            return Status("done", 1.0)
        if not self.note():
            return Status("never")
        return Status("failed", known.share)

    def last_words(self) -> str:
        """Return why it has failed: the sentence that its log ends with, or where to look.

        What ended it is no sentence for those who look at a page if it is an exception, which names paths and code.
        """
        text, last = self._printed()
        if last and "Traceback (most recent call last):" not in text:
            return last
        return f"It ended unexpectedly; {place_in_home(self.log)} may say why."

    def enter(self) -> None:
        """Let the process that calls this be the one that is at work, though another may have been begun beside it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._process, ProcessId.of(os.getpid())._asdict())

    def leave(self) -> None:
        """Be at work no more, though the process still lives: from here on another one is begun beside it.

        One that waits for work looks for it once more after this, as what was asked for before has relied on it.
        """
        self._process.unlink(missing_ok=True)

    def cancel(self) -> None:
        """End its process, with all that this has started. A job that has ended stays as it is."""
        if not self.is_running():
            return
        pid = self.note()["pid"]
        kill_with_children(pid)
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            psutil.Process(pid).wait(timeout=_KILLED_WITHIN_S)
        if self.status().state == "failed" and self._known().state == "running":  # unless it came to its end just then
            _write(self.folder, Status("cancelled", 0.0, "It was cancelled."))

    @property
    def _process(self) -> Path:
        return self.folder / "process.json"

    @property
    def _progress(self) -> Path:
        return _progress_of(self.folder)

    def _lives(self) -> bool:
        known = self.note()
        try:
            return ProcessId(known["pid"], known["started_at"]).is_alive()
        except (KeyError, TypeError):  # never started, or the note is damaged
            return False

    def _printed(self) -> tuple[str, str]:
        """Return the end of its log, and the last line of it."""
        text = read_on(self.log).text.strip()
        return text, text.rpartition("\n")[2].strip()

    def _known(self) -> Status:
        """Return what the process has said of itself, by its journal or on its log."""
        values = _read(self._progress)
        if values.get("state") in get_args(State):
            return Status._make(values.get(name) for name in Status._fields)
        share, is_one, sentence = self._printed()[1].partition("% ")
        return Status("running", int(share) / 100, sentence) if is_one and share.isdecimal() else Status("running")


class Journal:
    """What the process of a job writes down for those who watch it."""

    def __init__(self, folder: Path):
        """Write into the folder of the job's notes."""
        self._folder = folder
        self._written_at = -float("inf")

    def advance(self, share: float, sentence: str = "") -> None:
        """Say how far it has come; what comes sooner than a fifth of a second after the last is passed over."""
        now = time.monotonic()
        if now - self._written_at >= _WRITTEN_EVERY_S:
            self._written_at = now
            _write(self._folder, Status("running", share, sentence))

    def end(self, state: Literal["done", "failed"], sentence: str, result: Any = None) -> None:
        """Say how it ended."""
        _write(self._folder, Status(state, 1.0, sentence, result))


def _progress_of(folder: Path) -> Path:
    return folder / "progress.json"


def _write(folder: Path, status: Status) -> None:
    write_json(_progress_of(folder), status._asdict(), durable=False)


def _read(path: Path) -> dict[str, Any]:
    """Return what a file of JSON says; nothing if it is not there, or damaged."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
