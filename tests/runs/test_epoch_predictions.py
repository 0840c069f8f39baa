"""What a run predicted after each epoch: small, bounded, and told from what was not written."""

from pathlib import Path

import numpy as np
import pytest

from core.runs import new_id
from core.runs.epoch_predictions import (
    MOST_BYTES,
    is_kept,
    kept_epochs,
    read_epoch_predictions,
    write_epoch_predictions,
)
from core.runs.predictions import DamagedPredictionsError
from core.system.paths import run_directory


@pytest.fixture
def directory() -> Path:
    directory = run_directory(new_id())
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize(("classes", "bytes_an_image"), [(2, 1), (256, 1), (257, 2), (40_000, 2)])
def test_reads_what_was_written_in_as_few_bytes_as_it_takes(directory: Path, classes: int, bytes_an_image: int) -> None:
    predicted = np.arange(5000, dtype=np.int64) % classes
    write_epoch_predictions(directory, 3, predicted, classes=classes, fingerprint="f")

    found = read_epoch_predictions(directory.name, 3)
    assert found.fingerprint == "f"
    np.testing.assert_array_equal(found.predicted, predicted)
    assert found.predicted.dtype == np.int64
    size = (directory / "epochs" / "3.safetensors").stat().st_size
    assert size - 5000 * bytes_an_image < 500


def test_a_next_attempt_takes_the_place_of_the_one_before(directory: Path) -> None:
    for values in ([1, 2], [3, 4]):
        write_epoch_predictions(directory, 1, np.array(values), classes=9, fingerprint="f")

    assert read_epoch_predictions(directory.name, 1).predicted.tolist() == [3, 4]
    assert kept_epochs(directory.name) == [1]


def test_what_was_not_kept_is_none(directory: Path) -> None:
    assert read_epoch_predictions(directory.name, 1) is None
    assert kept_epochs(directory.name) == []


@pytest.mark.parametrize("damage", ["cut", "a bit", "of another epoch", "of another run", "empty"])
def test_what_is_damaged_is_a_sentence(directory: Path, damage: str) -> None:
    write_epoch_predictions(directory, 2, np.arange(100), classes=100, fingerprint="f")
    file = directory / "epochs" / "2.safetensors"
    whole = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(whole[:-10])
        case "a bit":
            file.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
        case "of another epoch":
            write_epoch_predictions(directory, 1, np.arange(100), classes=100, fingerprint="f")
            file.write_bytes(file.with_name("1.safetensors").read_bytes())
        case "of another run":
            other = directory.with_name("0" * 12)
            write_epoch_predictions(other, 2, np.arange(100), classes=100, fingerprint="f")
            file.write_bytes((other / "epochs" / "2.safetensors").read_bytes())
        case "empty":
            file.write_bytes(b"")

    with pytest.raises(DamagedPredictionsError, match=rf"Run {directory.name}: epochs/2.safetensors, .* is damaged"):
        read_epoch_predictions(directory.name, 2)


@pytest.mark.parametrize(
    ("epochs", "images", "classes"),
    [(10, 6000, 10), (1000, 10_000, 10), (1000, 300_000, 10), (1000, 300_000, 1000), (7, MOST_BYTES, 10)],
)
def test_all_epochs_together_are_bounded(epochs: int, images: int, classes: int) -> None:
    kept = [epoch for epoch in range(1, epochs + 1) if is_kept(epoch, epochs, images=images, classes=classes)]

    each = images * (1 if classes <= 256 else 2)
    assert kept[-1] == epochs
    assert (len(kept) - 1) * each <= MOST_BYTES, "besides the last one"
    if epochs * each <= MOST_BYTES:
        assert len(kept) == epochs
