"""Files that are whole or not there: what is left after errors, and what a reader sees meanwhile."""

import errno
import json
import os
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from core.system import files
from core.system.files import explain_refusal, move, replacing, write_bytes, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_are_written_and_replaced(tmp_path):
    write_bytes(tmp_path / "a.bin", b"one")
    write_bytes(tmp_path / "a.bin", b"two")
    write_json(tmp_path / "b.json", {"é": [1, None]}, durable=False)

    assert (tmp_path / "a.bin").read_bytes() == b"two"
    assert json.loads((tmp_path / "b.json").read_bytes()) == {"é": [1, None]}
    assert names(tmp_path) == ["a.bin", "b.json"]


def test_what_writes_to_a_path_by_itself_is_replaced_too(tmp_path):
    with replacing(tmp_path / "arrays.npz") as unfinished:
        np.savez(unfinished, numbers=np.arange(3))  # adds the suffix where it is missing
    with replacing(tmp_path / "rows.sqlite3") as unfinished:
        connection = sqlite3.connect(unfinished)
        connection.execute("CREATE TABLE rows (id INTEGER)")
        connection.close()

    assert np.load(tmp_path / "arrays.npz")["numbers"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["arrays.npz", "rows.sqlite3"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(("owner", "function"), [(Path, "write_bytes"), (os, "fsync"), (Path, "replace")])
def test_failure_at_any_step_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, owner, function, error):
    path = tmp_path / "a.json"
    write_json(path, "before")
    original = getattr(owner, function)

    def fail(*arguments):
        if function == "write_bytes":
            original(arguments[0], arguments[1][:3])  # as far as there was room
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, function, fail)
        with pytest.raises(type(error)):
            write_json(path, "after")

    assert json.loads(path.read_bytes()) == "before"
    assert names(tmp_path) == ["a.json"]


def test_what_the_writer_raises_leaves_nothing(tmp_path):
    def write():
        with replacing(tmp_path / "a.txt") as unfinished:
            unfinished.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()

    assert names(tmp_path) == []


def test_value_that_is_no_json_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {1, 2})

    assert names(tmp_path) == []


def test_content_and_folder_are_synced_in_that_order(tmp_path, monkeypatch):
    steps = []

    def fsync(descriptor):
        steps.append("folder" if os.path.samestat(os.fstat(descriptor), tmp_path.stat()) else "content")

    original = Path.replace
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", lambda self, target: (steps.append("replace"), original(self, target))[1])

    write_bytes(tmp_path / "a", b"1", durable=False)
    assert steps == ["replace"]
    steps.clear()
    write_bytes(tmp_path / "a", b"2")
    assert steps == ["content", "replace", "folder"]


@pytest.mark.parametrize(("code", "is_told"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_folder_that_cannot_be_synced_is_no_error_but_a_broken_disk_is(tmp_path, monkeypatch, code, is_told):
    def fsync(descriptor):
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    if is_told:
        with pytest.raises(OSError, match=os.strerror(code)):
            write_bytes(tmp_path / "a", b"1")
    else:
        write_bytes(tmp_path / "a", b"1")

    assert names(tmp_path) == ["a"]


def test_readers_and_writers_at_once_see_whole_files(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, ["0"] * 2000, durable=False)
    ended = threading.Event()

    def write(number: int) -> None:
        while not ended.is_set():
            write_json(path, [str(number)] * 2000, durable=False)

    writers = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    try:
        seen = [json.loads(path.read_bytes()) for _ in range(200)]
    finally:
        ended.set()
        for writer in writers:
            writer.join()

    assert all(len(values) == 2000 and len(set(values)) == 1 for values in seen)
    assert names(tmp_path) == ["a.json"]


def test_folder_is_moved_for_good(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "_sync_folder", synced.append)
    for name in ("from/one", "to"):
        (tmp_path / name).mkdir(parents=True)

    move(tmp_path / "from" / "one", tmp_path / "to" / "two")

    assert (tmp_path / "to" / "two").is_dir()
    assert names(tmp_path / "from") == []
    assert synced == [tmp_path / "to", tmp_path / "from"]
    with pytest.raises(FileNotFoundError):
        move(tmp_path / "from" / "one", tmp_path / "to" / "three")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "x"), "No space left on device. Free some room"),
        (OSError(errno.EROFS, "x"), "Read-only file system. Set DUET_HOME"),
        (OSError(errno.EACCES, "x"), "Permission denied. Give yourself the right"),
        (sqlite3.OperationalError("database or disk is full"), "No space left on device. Free some room"),
        # Which SQLite says of a failing disk as well, so neither is claimed.
        (sqlite3.OperationalError("disk I/O error"), "Disk I/O error: that disk is full, or it fails."),
        (sqlite3.OperationalError("attempt to write a readonly database"), "The database can only be read."),
        (sqlite3.OperationalError("unable to open database file"), "The database cannot be opened:"),
    ],
)
def test_what_a_disk_refuses_is_told_with_what_to_do(error, told):
    assert explain_refusal(error).startswith(told)
    if isinstance(error, sqlite3.Error):
        assert explain_refusal(sa.exc.OperationalError("SELECT 1", {}, error)) == explain_refusal(error)


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "x"), OSError("x"), sqlite3.OperationalError("database is locked"), ValueError("x")]
)
def test_what_no_disk_refuses_is_not_explained(error):
    assert explain_refusal(error) is None
