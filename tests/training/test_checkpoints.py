"""Checkpoints: they come back as they were saved, whatever ends the writing, and damage is found."""

import errno
import json
import os
import pickle
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.config import configure
from core.networks.layers import Architecture, Dense, Flatten
from core.training import checkpoints
from core.training.checkpoints import (
    Description,
    drop_states,
    epochs_with_weights,
    keep_epoch_weights,
    load,
    load_state,
    save,
    save_state,
)
from core.training.records import Progress, Validated

DESCRIPTION = Description(
    config=configure(architecture="ann-100"),
    architecture=Architecture(name="small", description="", layers=(Flatten(), Dense(units="classes"))),
    input_shape=(2, 1, 1),
    class_names=("zero", "Größe", "7"),
    preparation="handwriting",
    fingerprint="0123",
)


def weights(value: float) -> dict[str, np.ndarray]:
    return {
        "dense_1/kernel": np.full((2, 3), value, np.float32),
        "dense_1/bias": np.array([value, np.pi, -0.0], np.float32),
    }


def state_of(value: float) -> dict[str, np.ndarray]:
    return {f"weights/{name}": values for name, values in weights(value).items()}


@pytest.fixture
def directory(tmp_path) -> Path:
    """The folder of a run."""
    directory = tmp_path / "3f9c0a1b2c3d"
    directory.mkdir()
    return directory


def weights_file(directory: Path) -> Path:
    return directory / json.loads((directory / "checkpoint.json").read_text())["weights_file"]


def assert_holds(directory: Path, epoch: int, value: float) -> None:
    checkpoint = load(directory)
    assert checkpoint.epoch == epoch
    assert checkpoint.description == DESCRIPTION
    assert checkpoint.weights.keys() == weights(value).keys()
    for name, values in weights(value).items():
        np.testing.assert_array_equal(checkpoint.weights[name], values, strict=True)


class TestSaving:
    def test_comes_back_as_it_was(self, directory):
        save(directory, 3, weights(0.5), DESCRIPTION)

        assert_holds(directory, 3, 0.5)

    def test_keeps_the_order_of_axes_of_any_view(self, directory):
        kernel = np.arange(6, dtype=np.float32).reshape(3, 2)
        save(directory, 1, weights(1) | {"dense_1/kernel": kernel.T}, DESCRIPTION)

        np.testing.assert_array_equal(load(directory).weights["dense_1/kernel"], kernel.T)

    def test_keeps_the_one_before_and_nothing_else(self, directory):
        for epoch in (1, 2, 7):
            save(directory, epoch, weights(epoch), DESCRIPTION)

        assert_holds(directory, 7, 7)
        assert [path.name[:12] for path in sorted(directory.iterdir())] == [
            *("checkpoint-b", "checkpoint.j", "weights-0002", "weights-0007")
        ]

    def test_may_save_the_same_epoch_again(self, directory):
        save(directory, 1, weights(1), DESCRIPTION)
        save(directory, 1, weights(2), DESCRIPTION)
        save(directory, 1, weights(2), DESCRIPTION)

        assert_holds(directory, 1, 2)


class TestEpochsToLookBackAt:
    def test_the_first_and_each_that_doubles_is_kept(self, directory):
        for epoch in range(1, 10):
            save(directory, epoch, weights(epoch), DESCRIPTION)
            keep_epoch_weights(directory, epoch, weights(epoch))

        assert epochs_with_weights(directory) == [1, 2, 4, 8, 9]
        for epoch in epochs_with_weights(directory):
            found = load(directory, epoch)
            assert (found.epoch, found.weights["dense_1/bias"][0]) == (epoch, epoch)

    def test_what_is_not_kept_or_damaged_is_said(self, directory):
        assert epochs_with_weights(directory) == []
        save(directory, 3, weights(3), DESCRIPTION)
        keep_epoch_weights(directory, 2, weights(2))
        file = directory / "epoch-0002.safetensors"

        with pytest.raises(ValueError, match=r"expected one that run 3f9c0a1b2c3d keeps \(2, 3\), received 7"):
            load(directory, 7)
        file.write_bytes(file.read_bytes()[:-1] + b"\x99")
        with pytest.raises(ValueError, match="the weights of epoch 2 cannot be used"):
            load(directory, 2)

    def test_large_weights_are_not_kept(self, directory, monkeypatch):
        monkeypatch.setattr(checkpoints, "_MOST_KEPT_BYTES", 10)
        keep_epoch_weights(directory, 1, weights(1))

        assert list(directory.iterdir()) == []


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs but what a context manager does."""


@pytest.mark.parametrize("epoch", [1, 2], ids=["the same epoch trained again", "the next epoch"])
@pytest.mark.parametrize(
    ("function", "call", "survives"),
    [
        ("fsync", 1, "before"),  # weights written
        ("replace", 1, "before"),
        ("fsync", 2, "before"),  # weights in place
        ("fsync", 3, "before"),  # manifest written
        ("replace", 2, "before"),  # the manifest before moves aside
        ("replace", 3, "before"),
        ("fsync", 4, "new"),  # manifest in place
    ],
)
def test_killed_at_any_moment_leaves_a_whole_checkpoint(directory, monkeypatch, epoch, function, call, survives):
    save(directory, 1, weights(1), DESCRIPTION)
    owner = os if function == "fsync" else Path
    original, calls = getattr(owner, function), 0

    def counted(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == call:
            # What a killed process cannot do any more: its clean-up finds nothing to remove.
            monkeypatch.setattr(Path, "unlink", lambda *_arguments, **_options: None)
            raise Killed
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, function, counted)
        with pytest.raises(Killed):
            save(directory, epoch, weights(2), DESCRIPTION)

    monkeypatch.undo()
    assert_holds(directory, *{"before": (1, 1), "new": (epoch, 2)}[survives])
    save(directory, 3, weights(3), DESCRIPTION)
    assert_holds(directory, 3, 3)
    weights_file(directory).unlink()
    assert load(directory).epoch in (1, epoch), "The one before was not kept."


def test_full_disk_leaves_the_checkpoint_before_and_no_half_written_file(directory, monkeypatch):
    save(directory, 1, weights(1), DESCRIPTION)
    before = sorted(directory.iterdir())

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(directory, 2, weights(2), DESCRIPTION)

    assert sorted(directory.iterdir()) == before
    assert_holds(directory, 1, 1)


class TestDamage:
    @pytest.fixture
    def saved(self, directory) -> Path:
        save(directory, 1, weights(1), DESCRIPTION)
        return directory

    def refused(self, directory: Path) -> str:
        with pytest.raises(ValueError, match=r"^Run 3f9c0a1b2c3d") as error:
            load(directory)
        return str(error.value)

    def damaged(self, directory: Path) -> str:
        return f"Run 3f9c0a1b2c3d: {weights_file(directory).name} is damaged; train it again."

    def unreadable(self, reason: str) -> str:
        return f"Run 3f9c0a1b2c3d: its checkpoint cannot be read ({reason}); train it again."

    def test_of_any_byte_of_the_weights_is_found(self, saved):
        path = weights_file(saved)
        whole = path.read_bytes()
        for position in range(len(whole)):
            broken = bytearray(whole)
            broken[position] ^= 0x10
            path.write_bytes(broken)
            assert self.refused(saved) == self.damaged(saved)

    @pytest.mark.parametrize("length", [0, 1, 8, 100, -1])
    def test_by_truncation_is_found(self, saved, length):
        path = weights_file(saved)
        path.write_bytes(path.read_bytes()[:length])

        assert self.refused(saved) == self.damaged(saved)

    def test_by_a_missing_file_is_found(self, saved):
        weights_file(saved).unlink()

        assert self.refused(saved) == self.unreadable("FileNotFoundError")

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe\x00", b"\x80\x04K\x01."],
        ids=["empty", "cut", "null", "list", "object", "no text", "pickle"],
    )
    def test_of_the_manifest_is_found(self, saved, content):
        (saved / "checkpoint.json").write_bytes(content)

        assert self.refused(saved) == self.unreadable("ValidationError")

    def test_by_cutting_the_manifest_anywhere_is_found(self, saved):
        whole = (saved / "checkpoint.json").read_bytes()
        for length in range(0, len(whole), 7):
            (saved / "checkpoint.json").write_bytes(whole[:length])
            assert self.refused(saved) == self.unreadable("ValidationError")

    def test_of_any_bit_of_the_manifest_is_found(self, saved):
        path = saved / "checkpoint.json"
        whole = path.read_bytes()
        for position in range(len(whole)):
            broken = bytearray(whole)
            broken[position] ^= 1 << position % 8
            with suppress(ValueError):
                if json.loads(broken) == json.loads(whole):
                    continue  # written otherwise, it says the same
            path.write_bytes(broken)
            assert "its checkpoint cannot be read" in self.refused(saved)

    def test_manifest_of_an_older_duet_has_no_hash_of_its_own(self, saved):
        path = saved / "checkpoint.json"
        manifest = json.loads(path.read_text())
        del manifest["sha256"]
        path.write_text(json.dumps(manifest))

        assert_holds(saved, 1, 1)

    def test_of_the_newest_leaves_the_one_before(self, saved, caplog):
        save(saved, 2, weights(2), DESCRIPTION)
        name = weights_file(saved).name
        weights_file(saved).write_bytes(b"\0" * 100)

        checkpoint = load(saved)

        assert checkpoint.epoch == 1
        np.testing.assert_array_equal(checkpoint.weights["dense_1/bias"], weights(1)["dense_1/bias"])
        assert checkpoint.damage in caplog.text
        assert checkpoint.damage == (f"Run 3f9c0a1b2c3d: {name} is damaged; the one before it, of epoch 1, is used.")

    def test_without_a_checkpoint_there_is_a_sentence_too(self, directory):
        assert self.refused(directory) == (
            "Run 3f9c0a1b2c3d has no checkpoint yet: one is written after its first epoch."
        )

    @pytest.mark.parametrize("form", ["../{name}", "{path}", "./../{name}", "..", "", ".", "/", "nul\0byte"])
    def test_manifest_cannot_point_outside_the_folder(self, saved, form):
        """Though what lies there is what the manifest promises."""
        inside = weights_file(saved)
        outside = inside.rename(saved.parent / inside.name)
        manifest = json.loads((saved / "checkpoint.json").read_text())
        manifest["weights_file"] = form.format(name=outside.name, path=outside)
        (saved / "checkpoint.json").write_text(json.dumps(manifest))

        assert "its checkpoint cannot be read" in self.refused(saved)


class TestState:
    PROGRESS = Progress(step=17, epoch=2, seen=48, loss_sum=0.1 + 0.2, best=Validated(1, 0.5, 0.75))

    def test_comes_back_as_it_was(self, directory):
        more = {"optimizer/0": np.array([0.1, np.pi], np.float64), "random/0": np.array([1, 2], np.uint32)}
        state = state_of(0.1) | more
        assert load_state(directory) is None
        save_state(directory, self.PROGRESS, state, DESCRIPTION)

        resumable = load_state(directory)
        assert (resumable.progress, resumable.description, resumable.damage) == (self.PROGRESS, DESCRIPTION, "")
        for name, values in state.items():
            np.testing.assert_array_equal(resumable.state[name], values, strict=True)

    def test_of_a_moment_ago_serves_where_the_newest_is_damaged(self, directory):
        for step in (17, 18, 19):
            save_state(directory, replace(self.PROGRESS, step=step), state_of(step), DESCRIPTION)
        (newest,) = directory.glob("state-00000019-*")
        newest.write_bytes(newest.read_bytes()[:-1])

        resumable = load_state(directory)
        assert resumable.progress.step == 18
        assert "is damaged; the one before it, of epoch 2, is used." in resumable.damage

    def test_leaves_no_trace_when_it_is_dropped_and_spares_the_checkpoint(self, directory):
        save(directory, 1, weights(1), DESCRIPTION)
        save_state(directory, self.PROGRESS, state_of(1), DESCRIPTION)
        save_state(directory, self.PROGRESS, state_of(2), DESCRIPTION)
        drop_states(directory)

        assert load_state(directory) is None
        assert not list(directory.glob("state*"))
        assert_holds(directory, 1, 1)


def test_nothing_is_ever_unpickled(directory, tmp_path):
    class Planted:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    save(directory, 1, weights(1), DESCRIPTION)
    for path in list(directory.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(pickle.dumps(Planted()))
        with pytest.raises(ValueError, match="3f9c0a1b2c3d"):
            load(directory)
        path.write_bytes(whole)

    assert not (tmp_path / "ran").exists()


def test_arrays_come_back(tmp_path):
    arrays = {"probabilities": np.eye(3, dtype=np.float32), "labels": np.array([2, 0, 1])}
    checkpoints.write_arrays(tmp_path / "test.safetensors", arrays)

    for name, values in checkpoints.read_arrays(tmp_path / "test.safetensors").items():
        np.testing.assert_array_equal(values, arrays[name], strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["test.safetensors"]
