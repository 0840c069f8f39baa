"""Archives that do harm, or would like to: what of them is read, and the sentence for what is not."""

import io
import os
import stat
import struct
import time
import tracemalloc
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.datasets import files as files_module
from core.datasets.files import open_files, open_whole
from core.datasets.importing import import_dataset, inspect
from tests.datasets import sources

PETS = sources.photographs("cat", "dog")


def everything(folder):
    """Return all paths below a folder with what lies there."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../evil.png", "../../evil.png"),
        ("cat/../../../evil.png", "cat/../../../evil.png"),
        ("/etc/evil.png", "etc/evil.png"),
        ("..\\..\\evil.png", "../../evil.png"),
        ("C:\\cat\\evil.png", "C:/cat/evil.png"),
    ],
)
def test_a_member_that_points_outside_is_left_out_and_nothing_is_written_there(name, shown, tmp_path, duet_home):
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    archive = sources.zipped(place / "pets.zip", PETS | {name: next(iter(PETS.values()))})
    before = everything(tmp_path)
    known = everything(duet_home)

    report = import_dataset(archive)

    assert [tuple(entry) for entry in report.skipped] == [
        (shown, "Its path points outside of the archive.", "Zip the folder anew, from where it lies.")
    ]
    assert everything(tmp_path) == before
    new = {path.relative_to(duet_home).parts[:2] for path in everything(duet_home).keys() - known.keys()}
    assert new <= {("datasets", "pets"), ("datasets.lock",)}


def test_backslashes_between_folders_are_understood(tmp_path):
    archive = sources.zipped(tmp_path / "w.zip", {name.replace("/", "\\"): data for name, data in PETS.items()})

    assert import_dataset(archive).class_names == ("cat", "dog")


def test_links_are_left_out(tmp_path):
    link = zipfile.ZipInfo("cat/link.png")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = sources.zipped(tmp_path / "pets.zip", PETS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")

    assert [tuple(entry) for entry in import_dataset(path).skipped] == [
        ("cat/link.png", "It is a link.", "Put the file itself in its place.")
    ]


def test_of_two_members_of_one_name_the_first_counts(tmp_path):
    path = sources.zipped(tmp_path / "pets.zip", PETS)
    name = next(iter(PETS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, b"another")
    report = import_dataset(path)

    assert sum(report.images.values()) == len(PETS)
    assert [tuple(entry) for entry in report.skipped] == [
        (name, "It is a second file of the same name.", "Rename one of them.")
    ]


def changed(path, *, central: dict[int, bytes], names=None):
    """Overwrite bytes of the entries in a zip's table of contents, at offsets that the format gives."""
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\1\2")
    while place >= 0:
        length = struct.unpack_from("<H", data, place + 28)[0]
        if names is None or data[place + 46 : place + 46 + length].decode() in names:
            for offset, value in central.items():
                data[place + offset : place + offset + len(value)] = value
        place = data.find(b"PK\1\2", place + 46)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("central", "reason", "fix"),
    [
        ({8: b"\1"}, "It is encrypted.", "Zip it without a password."),
        ({10: b"\x09"}, "It is packed by method 9.", "Zip it with the usual method, deflate."),
        ({10: b"\x0e"}, "It is packed by method 14.", "Zip it with the usual method, deflate."),
    ],
    ids=["encrypted", "deflate64", "lzma"],
)
def test_what_cannot_be_unpacked_is_left_out(central, reason, fix, tmp_path):
    name = "cat/0.jpeg"
    path = changed(sources.zipped(tmp_path / "pets.zip", PETS), central=central, names={name})

    assert [tuple(entry) for entry in import_dataset(path).skipped] == [(name, reason, fix)]


def test_a_file_without_a_name_is_left_out(tmp_path):
    path = changed(sources.zipped(tmp_path / "pets.zip", PETS), central={46: b"\0"}, names={"cat/0.jpeg"})

    (skipped,) = import_dataset(path).skipped

    assert tuple(skipped) == ("A file without a name", "It has no name.", "Zip the folder anew.")


def test_an_archive_that_is_encrypted_as_a_whole_is_refused_with_that_reason(tmp_path):
    path = changed(sources.zipped(tmp_path / "pets.zip", PETS), central={8: b"\1"})

    with pytest.raises(
        ValueError, match=r"received none\. cat/0\.jpeg: It is encrypted\. Zip it without a password\.$"
    ):
        import_dataset(path)


def test_nested_archives_are_left_out(tmp_path):
    inner = sources.zipped(tmp_path / "inner.zip", PETS).read_bytes()
    path = sources.zipped(tmp_path / "pets.zip", PETS | {"cat/inner.zip": inner, "dog/x.tar": inner})

    assert [tuple(entry)[:2] for entry in import_dataset(path).skipped] == [
        ("cat/inner.zip", "It is an archive inside an archive."),
        ("dog/x.tar", "It is an archive inside an archive."),
    ]


@pytest.mark.parametrize("everywhere", [True, False], ids=["all the same bytes", "quoting each other"])
def test_overlapping_members_are_refused(everywhere, tmp_path):
    path = sources.zipped(tmp_path / "overlap.zip", PETS, zipfile.ZIP_STORED)
    if everywhere:  # every entry points at the first member
        changed(path, central={42: bytes(4)})
    else:  # the first member claims to go on over those that follow
        changed(path, central={20: struct.pack("<I", 5000), 24: struct.pack("<I", 5000)}, names={"cat/0.jpeg"})

    with sources.refused("overlap.zip: expected an ordinary zip, but its members overlap: zip the files anew."):
        import_dataset(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("cat/0.png", "w") as file:
        for _ in range(16):
            file.write(bytes(2**22))
    # It claims 4 GiB instead of the 64 MiB it has: no need to write so much for a test.
    changed(path, central={24: struct.pack("<I", 2**32 - 2)})
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"its 0\.1 MiB would unpack to 4,096 MiB: zip only the images\.$"):
        import_dataset(path)
    assert time.monotonic() - began < 1


def test_a_member_that_unpacks_to_too_much_is_not_read(tmp_path):
    path = sources.zipped(tmp_path / "pets.zip", PETS | {"cat/large.png": bytes(65 * 2**20)})
    report = import_dataset(path)

    assert [tuple(entry) for entry in report.skipped] == [("cat/large.png", "It has 65 MiB.", "Save it below 64 MiB.")]


def many_members(count: int) -> bytes:
    """Return a zip of empty files, made by hand because `zipfile` takes seconds for it."""
    names = [b"c/%06d.txt" % number for number in range(count)]
    start = 30 + len(names[0])
    local = b"".join(struct.pack("<4s5H3I2H", b"PK\3\4", 20, *[0] * 7, start - 30, 0) + name for name in names)
    central = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, *[0] * 7, start - 30, *[0] * 5, position * start) + name
        for position, name in enumerate(names)
    )
    # The count of 16 bits is as large as it can be; what matters is the length of the table.
    return local + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65_535, 65_535, len(central), len(local), 0)


def test_a_hundred_thousand_members_take_bounded_time(tmp_path):
    path = tmp_path / "many.zip"
    path.write_bytes(many_members(100_000))
    began = time.monotonic()
    with pytest.raises(ValueError, match="received an empty file"):
        import_dataset(path)
    assert time.monotonic() - began < 20


def test_more_members_than_are_allowed_are_refused_before_they_are_listed(tmp_path, monkeypatch):
    path = sources.zipped(tmp_path / "many.zip", PETS)
    monkeypatch.setattr(files_module, "MAX_FILES", 9)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("It was listed."))

    with sources.refused("many.zip: expected at most 9 files, received more: import them in parts."):
        import_dataset(path)


def test_more_files_in_a_folder_than_are_allowed_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "MAX_FILES", 9)
    folder = sources.written(tmp_path / "many", PETS)

    with sources.refused("many: expected at most 9 files, received more: import them in parts."):
        import_dataset(folder)


def test_a_table_of_contents_that_claims_to_be_huge_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "huge.zip"
    with path.open("wb") as file:  # a file with a hole, so it takes no room
        file.seek(200 * 2**20)
        file.write(b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 9, 9, 200 * 2**20, 0, 0))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="expected a table of contents of at most 32 MiB, received 200 MiB"):
            import_dataset(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000  # bytes


def test_a_damaged_member_is_left_out(tmp_path):
    path = sources.zipped(tmp_path / "pets.zip", PETS, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(PETS["dog/1.png"]) + 60] ^= 1
    path.write_bytes(data)
    (skipped,) = import_dataset(path).skipped

    assert skipped.file == "dog/1.png"
    assert "damaged (Bad CRC-32" in skipped.reason
    assert skipped.fix == "Put a whole copy in its place."


SMALL = {"cat/1.png": sources.encoded(sources.pixels(1, 9, 9)[0]), "dog/2.png": b"x" * 50}


@st.composite
def damaged_zips(draw):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in SMALL.items():
            archive.writestr(name, data)
    data = bytearray(file.getvalue())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.sampled_from([len(data), len(data) - 1, len(data) // 2]))])


@given(damaged_zips())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_files_or_one_sentence(tmp_path, data):
    path = tmp_path / "damaged.zip"
    path.write_bytes(data)
    sentence = "All of it is read."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open_files(path) as files:
                for file in files.members:
                    with open_whole(file) as stream:
                        stream.read(1000)
        except ValueError as error:
            sentence = str(error)
    assert sentence.endswith(".")


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be written there")
def test_names_that_are_no_text_are_refused_and_those_of_another_encoding_are_read(tmp_path):
    folder = sources.written(tmp_path / "pets", PETS)
    odd = (folder / "cat").rename(folder / os.fsdecode(b"c\xff\x1bt"))
    with pytest.raises(ValueError, match=r"received .* with a letter that cannot be read, U\+FFFD: rename the class"):
        inspect(folder)

    odd.rename(folder / os.fsdecode(b"K\xe4se"))
    assert inspect(folder).class_names == ("Käse", "dog")
