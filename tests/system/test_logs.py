"""Logs that grow: only their new end is read, and whatever is in them is text."""

from pathlib import Path

import pytest

from core.system.logs import KEPT, Log, read_on


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def test_log_that_is_not_there_is_empty(path: Path) -> None:
    assert read_on(path) == Log()
    path.write_text("It was there.\n")
    before = read_on(path)
    path.unlink()

    assert read_on(path, before) == Log()


def test_only_the_new_end_is_read(path: Path) -> None:
    path.write_bytes(b"first\n")
    before = read_on(path)
    path.write_bytes(b"FIRST\nsecond\n")  # what was read already is not looked at again

    assert read_on(path, before).text == "first\nsecond\n"
    assert read_on(path).text == "FIRST\nsecond\n"


def test_nothing_new_changes_nothing(path: Path) -> None:
    path.write_text("all\n")
    before = read_on(path)

    assert read_on(path, before) == before


def test_character_that_is_written_in_two_parts_is_one(path: Path) -> None:
    sun = "☀".encode()
    path.write_bytes(b"a" + sun[:2])
    before = read_on(path)
    path.write_bytes(b"a" + sun + b"b")

    assert before.text == "a"
    assert read_on(path, before).text == "a☀b"


def test_bytes_that_are_no_text_are_shown_as_such(path: Path) -> None:
    path.write_bytes(b"a\xff\0b")

    assert read_on(path).text == "a�\0b"


def test_only_the_end_of_a_long_log_is_kept(path: Path) -> None:
    path.write_text("x" * 10 * KEPT + "end")
    log = read_on(path)
    with path.open("a") as file:
        file.write("y" * 10 * KEPT + "END")

    assert (len(log.text), log.text[-4:]) == (KEPT, "xend")
    assert read_on(path, log).text == "y" * (KEPT - 3) + "END"


def test_log_that_was_begun_anew_is_read_anew(path: Path) -> None:
    path.write_text("a long first one")
    before = read_on(path)
    path.write_text("second")

    assert read_on(path, before).text == "second"
