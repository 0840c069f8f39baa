"""Cases about what lies on disk: checkpoints that are cut off or damaged, and a disk that is full."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from core.config import configure
from core.networks.layers import Architecture, Dense, Flatten
from core.runs import Run, new_id
from core.system.paths import run_directory
from core.training import checkpoints
from core.training.checkpoints import Description
from tests.faults.case import CannotTryError, Trial
from tests.faults.lives import KEEPS_OFTEN, LONG
from tests.faults.place import START_S, Place, check_files, check_integrity, check_measurements
from tests.waiting import wait_for

_DESCRIPTION = Description(
    config=configure(architecture="ann-100"),
    architecture=Architecture(name="one-layer", description="", layers=(Flatten(), Dense(units="classes"))),
    input_shape=(28, 28, 1),
    class_names=tuple("0123456789"),
    preparation="handwriting",
    fingerprint="0123",
)
_KEPT_EPOCHS = 3
_CHILD_S = 60.0


def _weights(epoch: int) -> dict[str, np.ndarray]:
    """Return weights that say of which epoch they are."""
    return {
        "dense_1/kernel": np.full((784, 10), epoch, np.float32),
        "dense_1/bias": np.arange(10, dtype=np.float32) * epoch,
    }


def _new_directory() -> Path:
    directory = run_directory(new_id())
    directory.mkdir(parents=True)
    return directory


def _check_whole(checkpoint: checkpoints.Checkpoint) -> None:
    for name, values in _weights(checkpoint.epoch).items():
        assert np.array_equal(checkpoint.weights[name], values), f"Epoch {checkpoint.epoch}: {name} is of another one."
    assert checkpoint.description == _DESCRIPTION, f"Epoch {checkpoint.epoch}: its description is another one."


def _kill_myself_at(owner: object, name: str, call: int) -> None:
    """Let a function kill this process when it is called for that time, counted from 1."""
    original, calls = getattr(owner, name), 0

    def counted(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(owner, name, counted)


_MOMENTS: tuple[tuple[object, str, int], ...] = tuple(
    (owner, name, call)
    for owner, name, calls in (
        (Path, "open", range(1, 3)),  # before anything of a file is written
        (os, "fsync", range(1, 5)),
        (Path, "replace", range(1, 4)),
        (Path, "unlink", range(1, 2)),
    )
    for call in calls
)
"""Where the writing of one checkpoint is killed: functions by their owner, and at which call."""


def _status(pid: int) -> int:
    """Return how a child has ended; end it where it does not by itself."""
    deadline = time.monotonic() + _CHILD_S
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"The process was still there after {_CHILD_S:.0f} s.")
        time.sleep(0.002)


def killed_while_saving(place: Place) -> Trial:
    """Kill a process that saves checkpoints: at each write, fsync, rename and removal in turn, and at random moments.

    What is tested is the writing of files, so the process is a fork that has no framework.
    """

    def trial(number: int) -> None:
        directory = _new_directory()
        for epoch in range(1, _KEPT_EPOCHS + 1):
            checkpoints.save(directory, epoch, _weights(epoch), _DESCRIPTION)
        planned = _MOMENTS[number // 2 % len(_MOMENTS)] if number % 2 == 0 else None
        told_end, tell_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(told_end)
                if planned:
                    _kill_myself_at(*planned)
                for epoch in range(_KEPT_EPOCHS + 1, 10_000):
                    checkpoints.save(directory, epoch, _weights(epoch), _DESCRIPTION)
                    os.write(tell_end, epoch.to_bytes(4))
            finally:
                os._exit(1)
        os.close(tell_end)
        with os.fdopen(told_end, "rb") as told:
            if planned is None:
                time.sleep(place.random.uniform(0, 0.1))
                os.kill(pid, signal.SIGKILL)
            status = _status(pid)
            saved = told.read()
        assert os.WIFSIGNALED(status), f"It did not come to be killed: {planned}."
        last = int.from_bytes(saved[-4:]) if saved else _KEPT_EPOCHS
        checkpoint = checkpoints.load(directory)
        assert not checkpoint.damage, checkpoint.damage
        assert checkpoint.epoch in (last, last + 1), f"Epoch {checkpoint.epoch} is loaded, but {last} was saved."
        _check_whole(checkpoint)
        checkpoints.save(directory, checkpoint.epoch + 1, _weights(checkpoint.epoch + 1), _DESCRIPTION)
        _check_whole(checkpoints.load(directory))
        kept = len(list(directory.glob("weights-*")))
        assert kept == 2, f"{kept} files of weights are left."
        shutil.rmtree(directory)

    return trial


def _refusal(directory: Path) -> str:
    """Return why what a folder holds is refused, nothing if it is not."""
    try:
        checkpoints.load(directory)
    except ValueError as refused:
        return str(refused)
    return ""


def damaged_checkpoints(place: Place) -> Trial:
    """Truncate the newest checkpoint, or flip one bit of its weights or of its manifest; then damage both."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        if place.random.random() < 0.3:
            content = content[: place.random.randrange(len(content))]
        else:
            content[place.random.randrange(len(content))] ^= 1 << place.random.randrange(8)
        path.write_bytes(content)

    def trial(number: int) -> None:
        directory = _new_directory()
        for epoch in (1, 2):
            checkpoints.save(directory, epoch, _weights(epoch), _DESCRIPTION)
        (newest,) = directory.glob("weights-0002-*")
        (before,) = directory.glob("weights-0001-*")
        damage((newest, directory / "checkpoint.json")[number % 2])
        checkpoint = checkpoints.load(directory)
        _check_whole(checkpoint)
        assert checkpoint.epoch == 1, "The damaged checkpoint was taken for a whole one."
        assert "the one before it, of epoch 1, is used" in checkpoint.damage, "Nobody is told of the damage."
        damage((before, directory / "checkpoint-before.json")[number // 2 % 2])
        assert "train it again" in _refusal(directory), "Two damaged checkpoints were not refused."
        shutil.rmtree(directory)

    return trial


def _small_disk(place: Place, folder: Path) -> Callable[[int], None]:
    """Mount a disk in memory at a folder; return what gives it so many MiB.

    Raises:
        CannotTryError: if that may not be done here.
    """
    if os.geteuid() != 0:
        raise CannotTryError("only root may mount a small disk")

    def mount(*options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "duet-faults", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotTryError(f"no small disk can be mounted here ({done.stderr.strip()})")

    folder.mkdir()
    mount("size=1m")
    place.closing.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
    return lambda mebibytes: mount("remount", f"size={mebibytes}m")


def full_disk(place: Place) -> Trial:
    """Let a training fill a 1 MiB disk with its checkpoints, give it room, and resume."""
    resize = _small_disk(place, place.home / "runs")
    place.schedule(worker=KEEPS_OFTEN)

    def trial(number: int) -> None:
        resize(1)
        (run_id,) = place.queue(LONG.model_copy(update={"seed": number}))
        run = place.wait_for_state(run_id, "failed", START_S)
        _check_told_and_unharmed(place, run)
        resize(16)
        _check_goes_on(place, run)

    return trial


def full_disk_with_database(place: Place) -> Trial:
    """Let the disk be full on which the database lies too, so that the failure itself may find no room at first."""
    small = place.home / "small"
    resize = _small_disk(place, small)
    resize(64)
    place.move_to(small)
    filler = small / "filler"

    def fill() -> bool:
        """Take what room there is; say whether none is left, as a training may just have removed something."""
        with suppress(OSError), filler.open("ab", buffering=0) as file:  # there is less room than that
            file.write(bytes(100 * 2**20))
        return shutil.disk_usage(small).free == 0

    def trial(number: int) -> None:
        place.schedule(worker=KEEPS_OFTEN)
        (run_id,) = place.queue(LONG.model_copy(update={"seed": number}))
        place.wait_for_steps(run_id)
        wait_for(fill, START_S, "The disk could not be filled.")
        time.sleep(place.random.uniform(2, 4))  # in which nothing can be written
        # What it has removed of a half-written checkpoint may have been room enough to tell why.
        told = place.store.get(run_id).state == "failed"
        assert told or place.training(run_id) is not None, "It has gone without having told why."
        filler.unlink()
        run = place.wait_for_state(run_id, "failed", START_S)
        _check_told_and_unharmed(place, run)
        _check_goes_on(place, run)
        place.kill_scheduler()

    return trial


def _check_told_and_unharmed(place: Place, run: Run) -> None:
    assert run.failure == "The disk is full.", run.failure
    assert "Free some space" in run.advice, run.advice
    check_files(run.id)
    check_measurements(place.store, run.id)
    check_integrity(place.home / "duet.sqlite3")


def _check_goes_on(place: Place, failed: Run) -> None:
    """Fail unless a run that has failed goes on from what it has kept, and on beyond where it was."""
    place.store.resume(failed.id)
    place.wait_for_steps(failed.id, after=failed.step)
    place.store.request_stop(failed.id)
    run = place.wait_for_state(failed.id, "stopped", 30)
    assert 0 < run.resumed_step <= failed.step, f"It went on from step {run.resumed_step} of {failed.step}."
    check_files(run.id)
    check_measurements(place.store, run.id)
    shutil.rmtree(run_directory(run.id))
