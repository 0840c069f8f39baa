"""What is deleted and brought back."""

from pathlib import Path

import pytest

from core.system import trash as module
from core.system.trash import Trash


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.fixture
def folders(place) -> Trash:
    return Trash("data set", place, place.parent / "trash" / "folders")


@pytest.fixture
def files(place) -> Trash:
    return Trash("network", place, place.parent / "trash" / "files", ".json")


def make(place: Path, name: str, content: str) -> None:
    (place / name).mkdir()
    (place / name / "content").write_text(content)


def test_folder_comes_back_as_it_was(place, folders):
    make(place, "pets", "cats")

    folders.delete("pets")
    assert not (place / "pets").exists()
    assert folders.names() == {"pets"}
    assert (folders.find("pets") / "content").read_text() == "cats"

    folders.restore("pets")
    assert (place / "pets" / "content").read_text() == "cats"
    assert folders.names() == set()


def test_file_keeps_its_suffix_and_is_asked_by_its_name(place, files):
    (place / "my-net.json").write_text("{}")

    files.delete("my-net")
    assert files.names() == {"my-net"}
    assert files.find("my-net").suffix == ".json"
    files.restore("my-net")

    assert (place / "my-net.json").read_text() == "{}"


@pytest.mark.parametrize("clock", ["goes on", "is set back"])
def test_of_several_with_a_name_the_one_deleted_last_comes_back_first(place, folders, monkeypatch, clock):
    times = iter({"goes on": (5, 12, 100), "is set back": (100, 12, 5)}[clock])  # as text, 100 is less than 12
    monkeypatch.setattr(module, "time_ns", lambda: next(times))
    for content in ("first", "second", "third"):
        make(place, "pets", content)
        folders.delete("pets")

    for content in ("third", "second", "first"):
        folders.restore("pets")
        assert (place / "pets" / "content").read_text() == content
        (place / "pets").rename(place / content)


def test_what_is_in_its_place_is_not_replaced(place, folders):
    make(place, "pets", "old")
    folders.delete("pets")
    make(place, "pets", "new")

    with pytest.raises(ValueError, match="'pets' is free, but a newer data set has it: delete that first"):
        folders.restore("pets")

    assert (place / "pets" / "content").read_text() == "new"
    assert folders.names() == {"pets"}


@pytest.mark.parametrize("name", ["", "*", "pet", "pets~1", "../folders/pets~1", "~", "."])
def test_name_of_nothing_is_refused(place, folders, name):
    make(place, "pets", "cats")
    folders.delete("pets")

    with pytest.raises(ValueError, match=r"^Expected the name of a data set that was deleted, received "):
        folders.restore(name)
    assert folders.find(name) is None


def test_what_is_not_there_cannot_be_deleted(place, folders):
    make(place, "pets", "cats")
    folders.delete("pets")
    with pytest.raises(ValueError, match=r"^Expected the name of a data set, received 'pets'\.$"):
        folders.delete("pets")  # as in another tab
    folders.restore("pets")
    assert folders.names() == set()


def test_what_an_older_duet_has_deleted_comes_back(place, files):
    old = place.parent / "trash" / "files" / "my-net.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")

    assert files.find("my-net") == old
    files.restore("my-net")

    assert (place / "my-net.json").read_text() == "{}"
