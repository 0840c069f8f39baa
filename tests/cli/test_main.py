"""What the disk, the database and a pipe refuse is a sentence and an exit code, whatever the command."""

import errno
import importlib
import os
import subprocess
import sys

import pytest

from core.cli import COMMANDS, main
from core.datasets.inspection.gallery import png
from core.runs.database import StoreError
from core.system.paths import PROJECT
from tests.datasets import sources
from tests.sample_data import noise


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
@pytest.mark.parametrize("arguments", [["recipes", "--json"], ["datasets"]], ids=" ".join)
def test_a_reader_that_has_read_enough_is_no_error(arguments):
    command = [sys.executable, "-m", "core", *arguments]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()  # before anything is written

    complaint = process.stderr.read()
    process.stderr.close()

    assert (process.wait(), complaint) == (1, b"")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_of_few_letters_shows_the_others_as_question_marks(encoding, tmp_path):
    folder = sources.written(
        tmp_path / "手写", {f"{name}/{n}.png": png(noise(1, seed=n)[0]) for n, name in enumerate("甲乙" * 4)}
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "core", *arguments], cwd=PROJECT, env=environment, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode(encoding)

    assert "2 classes: ?, ?" in run("datasets", "inspect", str(folder))
    assert "?? (" in run("datasets", "import", str(folder), "--name", "手写")
    assert "28" in run("datasets")
    assert "usage" in run("train", "--help")
