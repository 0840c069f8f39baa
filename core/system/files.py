"""Files that are whole whenever they are read, and after a crash: what was there before, or all of the new.

    write_bytes(path, content)
    write_json(path, value)
    with replacing(path) as unfinished:         # for what writes to a path by itself
        np.savez(unfinished, **arrays)
    move(folder, place)                         # a rename that outlives a crash
    explain_refusal(error)                      # what a full or read-only disk refuses, and what to do

What is written gets a temporary name in the same folder, is flushed to the disk and takes the file's place then;
where anything goes wrong before that, nothing of it is left.
"""

import errno
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_SUCH_THING = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What file systems say that cannot sync a folder, as some of those over a network."""

_FULL = "Free some room on that disk and try again; what was there before is unharmed."
_FIXES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "Free some room within your quota and try again; what was there before is unharmed.",
    errno.EROFS: "Set DUET_HOME to a folder that can be written.",
    errno.EACCES: "Give yourself the right to it, or set DUET_HOME to a folder of your own.",
}
_SQLITE_SAYS = {
    "database or disk is full": f"{os.strerror(errno.ENOSPC)}. {_FULL}",
    # A full disk, too, where SQLite cannot make the file that its readers share.
    "disk I/O error": "Disk I/O error: that disk is full, or it fails. Free some room on it and try again; if it has "
    "room, look for its errors in the system's log.",
    "attempt to write a readonly database": "The database can only be read. Give yourself the right to write it, or "
    "set DUET_HOME to a folder that can be written.",
    "unable to open database file": "The database cannot be opened: its folder is read-only, not yours, or gone. Set "
    "DUET_HOME to a folder that can be written.",
}


def explain_refusal(error: BaseException) -> str | None:
    """Return what a full, failing or read-only disk, or one without the right to it, refuses, and what to do about it.

    Args:
        error: an `OSError`, or one of SQLite's, as it is or as SQLAlchemy's.

    Returns:
        Sentences such as "No space left on device. Free some room …"; None if the error is another one.
    """
    error = getattr(error, "orig", None) or error
    if isinstance(error, sqlite3.OperationalError):
        return next((sentences for words, sentences in _SQLITE_SAYS.items() if words in str(error)), None)
    number = error.errno if isinstance(error, OSError) else None
    return f"{os.strerror(number)}. {_FIXES[number]}" if number in _FIXES else None


def make_folder(folder: Path) -> Path:
    """Return a folder, made if it is not there yet. Where the disk refuses that, whoever only reads finds it empty.

    Raises:
        OSError: if something else is in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if explain_refusal(error) is None:
            raise
    return folder


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file; `durable` as in `replacing`.

    Raises:
        OSError: if it cannot be written; what was there before stays.
    """
    with replacing(path, durable=durable) as unfinished:
        unfinished.write_bytes(content)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Write a value as a file of JSON; `durable` as in `replacing`.

    Raises:
        OSError: if it cannot be written; what was there before stays.
        TypeError, ValueError: if the value cannot be JSON.
    """
    write_bytes(path, json.dumps(value, indent=2).encode(), durable=durable)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path, of the same suffix, for the block to write; it takes the place of `path` at its end.

    Args:
        path: the file, in a folder that is there.
        durable: whether the file is to outlive a crash of the machine. A note of how far something has come need not,
            and waits for no disk then; a reader sees all of it or all of the one before in any case.

    Raises:
        OSError: if it cannot be written; what was there before stays.
    """
    # By a random number as well, since threads of one process may write the same file at once.
    unfinished = path.with_name(f".{path.stem}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield unfinished
        if durable:
            _sync(unfinished, os.O_RDWR)
        unfinished.replace(path)
    except BaseException:  # a full disk, say, which a file that nobody reads would keep full
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename a file or a folder within a file system, so that it is in its new place also after a crash.

    Raises:
        OSError: if it is not there, or something that cannot be replaced is at `target`.
    """
    source.replace(target)
    _sync_folder(target.parent)
    if source.parent != target.parent:
        _sync_folder(source.parent)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make sure that a rename in `folder` outlives a crash, where the system lets folders be synced."""
    if os.name == "nt":
        return
    try:
        _sync(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _NO_SUCH_THING:
            raise
