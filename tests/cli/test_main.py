"""What the disk, the database and a pipe refuse is a sentence and an exit code, whatever the command."""

import errno
import importlib
import subprocess
import sys

import pytest

from core.cli import COMMANDS, main
from core.runs.database import StoreError
from core.system.paths import PROJECT


def _fail_with(monkeypatch: pytest.MonkeyPatch, command: str, error: Exception) -> None:
    def fail(_arguments: object) -> int:
        raise error

    monkeypatch.setattr(importlib.import_module(f"core.cli.{command}"), "main", fail)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/home/ann/run"), "Free some room"),
        (OSError(errno.EROFS, "Read-only file system", "/home/ann/run"), "Set DUET_HOME"),
        (PermissionError(errno.EACCES, "Permission denied", "/home/ann/run"), "Give yourself the right"),
        (StoreError("The database cannot be written: free some room."), "The database cannot be written"),
    ],
)
def test_what_a_command_is_refused_is_one_line(monkeypatch, capsys, command, error, says):
    _fail_with(monkeypatch, command, error)

    assert main([command]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert isinstance(error, StoreError) or line.startswith("/home/ann/run: ")


def test_other_errors_stay_what_they_are(monkeypatch):
    _fail_with(monkeypatch, "networks", ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        main(["networks"])


@pytest.mark.skipif(sys.platform == "win32", reason="Pipes are closed differently there")
def test_a_reader_that_has_read_enough_is_no_error():
    command = [sys.executable, "-m", "core", "recipes", "--json"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()  # before anything is written

    complaint = process.stderr.read()
    process.stderr.close()

    assert (process.wait(), complaint) == (1, b"")
