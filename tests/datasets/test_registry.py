"""Data sets that come and go: listed, renamed, deleted unless runs use them, and brought back."""

from pathlib import Path

import numpy as np
import pytest

from core import datasets
from core.datasets import storage
from core.datasets.importing import import_dataset
from core.system.files import write_json
from tests.datasets import sources


@pytest.fixture
def pets(tmp_path):
    return import_dataset(sources.zipped(tmp_path / "pets.zip", sources.photographs("cat", "dog")))


def nobody(_name):
    return []


@pytest.mark.usefixtures("pets")
def test_bundled_come_first_and_stray_folders_do_not_count(duet_home):
    (duet_home / "datasets" / "empty").mkdir()
    (duet_home / "datasets" / ".hidden").mkdir()
    (duet_home / "datasets" / ".hidden" / "manifest.json").write_text("{}")

    assert datasets.names() == ["mnist", "pets"]
    assert datasets.get_specification("mnist").bundled
    assert not datasets.get_specification("pets").bundled


@pytest.mark.usefixtures("pets")
def test_a_new_title_is_read_at_once_and_the_name_stays():
    before = datasets.load("pets")
    datasets.rename("pets", "  Cats & dogs ")

    assert datasets.names() == ["mnist", "pets"]
    assert datasets.get_specification("pets").title == "Cats & dogs"
    assert datasets.load("pets").specification.title == "Cats & dogs"
    assert datasets.load("pets").fingerprint == before.fingerprint
    with sources.refused("Name: expected 1 to 80 printable characters, received ''."):
        datasets.rename("pets", "")


@pytest.mark.usefixtures("pets")
def test_what_runs_use_is_not_deleted():
    with sources.refused("pets cannot be deleted while runs use it: delete run-1, run-2 first."):
        datasets.delete("pets", lambda name: ["run-1", "run-2"] if name == "pets" else [])
    with sources.refused("pets cannot be deleted while runs use it: delete 0, 1, 2, 3, 4 and 3 more first."):
        datasets.delete("pets", lambda _: [str(number) for number in range(8)])
    assert "pets" in datasets.names()


def test_a_deleted_one_comes_back_as_it_was(pets):
    images = np.array(datasets.load("pets").train.images)
    datasets.delete("pets", nobody)

    assert datasets.names() == ["mnist"]
    with pytest.raises(ValueError, match="received 'pets'"):
        datasets.load("pets")
    datasets.restore("pets")
    np.testing.assert_array_equal(datasets.load("pets").train.images, images)
    assert datasets.load("pets").fingerprint == pets.fingerprint
    with sources.refused("Expected the name of a data set that was deleted, received 'pets'."):
        datasets.restore("pets")


@pytest.mark.usefixtures("pets")
def test_another_of_the_same_name_is_not_mistaken_for_the_deleted_one(tmp_path):
    old = datasets.load("pets")
    datasets.delete("pets", nobody)
    import_dataset(tmp_path / "pets.zip", size=(16, 16))

    assert datasets.load("pets").image_shape == (16, 16, 3)
    assert datasets.load("pets").fingerprint != old.fingerprint
    assert old.train.images.shape[1:] == (32, 32, 3), "who has it open still has it"
    with sources.refused("Expected that the name 'pets' is free, but a newer data set has it: delete that first."):
        datasets.restore("pets")
    datasets.delete("pets", nobody)
    datasets.restore("pets")
    assert datasets.load("pets").image_shape == (16, 16, 3), "the one that was deleted last"


@pytest.mark.parametrize("done", ["renamed", "deleted"])
def test_what_is_bundled_stays(done):
    with sources.refused(f"MNIST comes with Duet and cannot be {done}."):
        datasets.rename("mnist", "x") if done == "renamed" else datasets.delete("mnist", nobody)


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize("name", ["../runs", "..", "pets/../mnist", "", "\0", "pets~1", "*"])
def test_names_that_are_none_never_become_paths(name):
    for act in (
        lambda: datasets.load(name),
        lambda: datasets.delete(name, nobody),
        lambda: datasets.rename(name, "x"),
        lambda: datasets.restore(name),
        lambda: datasets.original_sizes(name),
    ):
        with pytest.raises(ValueError, match="xpected"):
            act()


def test_the_same_images_under_other_class_names_are_another_data_set(pets, tmp_path):
    other = import_dataset(sources.zipped(tmp_path / "others.zip", sources.photographs("emu", "fox")))

    assert other.fingerprint == pets.fingerprint
    assert datasets.names() == ["mnist", "others", "pets"]


def test_two_that_would_publish_the_same_name_do_not_overwrite_each_other(pets):
    with storage.staging() as folder:
        write_json(folder / "manifest.json", {"fingerprint": "another", "class_names": []})
        with sources.refused("Name: expected one that is free, received 'pets': choose another."):
            storage.publish(folder, "pets")
    assert datasets.load("pets").fingerprint == pets.fingerprint


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize(
    ("title", "free"), [("pets", "pets 2"), ("PETS", "PETS 2"), ("p" * 80, "p" * 80), ("dogs", "dogs")]
)
def test_a_title_that_is_taken_gets_a_number(title, free):
    assert datasets.free_title(title) == free
    assert datasets.check_free_title(free) == free


def damage(file: Path, harm: str) -> None:
    """Harm a file, and none of the others that share its content by a hard link."""
    whole = file.read_bytes()
    file.unlink()
    if harm != "gone":
        file.write_bytes(whole[: len(whole) // 2] if harm == "cut off" else b"")


@pytest.mark.parametrize("harm", ["gone", "cut off", "empty"])
def test_damaged_arrays_are_told_in_a_sentence(pets, duet_home, harm):
    damage(duet_home / "datasets" / pets.name / "train_images.npy", harm)

    with pytest.raises(ValueError, match=r"pets: expected four whole arrays in .*Remove that folder and bring"):
        datasets.load("pets")


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "manifest.json"])
@pytest.mark.parametrize("harm", ["gone", "cut off", "empty"])
def test_what_is_bundled_is_unpacked_anew_when_it_is_damaged(duet_home, harm, file):
    before = datasets.load("mnist")
    damage(duet_home / "datasets" / "mnist" / file, harm)

    after = datasets.load("mnist")

    assert after.fingerprint == before.fingerprint
    assert after.test.labels.sum() == before.test.labels.sum()
