"""The IDX format: what is read, and the sentence for each way in which a file can be damaged."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest

from core.datasets.formats.idx import read_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
VALUES = IMAGES.tobytes()


def idx(shape=IMAGES.shape, values=VALUES, magic=None) -> bytes:
    magic = bytes([0, 0, 8, len(shape)]) if magic is None else magic
    return magic + struct.pack(f">{len(shape)}I", *shape) + values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.gz"


def test_reads_what_was_written(path):
    path.write_bytes(gzip.compress(idx()))

    images = read_idx(path, 3)

    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES)


def test_reads_what_is_not_packed(path):
    path.write_bytes(idx())

    np.testing.assert_array_equal(read_idx(path, 3), IMAGES)


def test_reads_one_dimension(path):
    path.write_bytes(gzip.compress(idx((5,), bytes([7, 0, 4, 1, 9]))))

    np.testing.assert_array_equal(read_idx(path, 1), [7, 0, 4, 1, 9])


def test_reads_a_file_of_zeros_which_packs_best_of_all(path):
    path.write_bytes(gzip.compress(idx((1000, 100, 100), bytes(10_000_000)), compresslevel=9))

    assert read_idx(path, 3).shape == (1000, 100, 100)
    assert not read_idx(path, 3).any()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (idx(magic=b"\0\0\x08\1"), "in 3 dimensions, received one that starts with 00 00 08 01."),
        (idx(magic=b"\0\0\x0d\3"), "in 3 dimensions, received one that starts with 00 00 0d 03."),
        (idx(magic=b"\1\0\x08\3"), "in 3 dimensions, received one that starts with 01 00 08 03."),
        (b"label,pixel1\n", "in 3 dimensions, received one that starts with 6c 61 62 65."),
        (b"", "in 3 dimensions, received one that starts with nothing."),
        (b"PK\3\4 a zip", "in 3 dimensions, received one that starts with 50 4b 03 04."),
        (idx()[:9], "3 sizes after the magic number, but the file ends there."),
        (idx()[:16], "24 values for the shape (2, 3, 4), received 0."),
        (idx()[:-1], "24 values for the shape (2, 3, 4), received 23."),
        (idx() + b"\0", "24 values for the shape (2, 3, 4), received more."),
    ],
    ids=[
        "other dimensions",
        "floats",
        "wrong magic",
        "text",
        "empty",
        "zip",
        "header cut short",
        "no values",
        "last value missing",
        "trailing byte",
    ],
)
def test_damaged_content_has_its_sentence(path, content, sentence):
    path.write_bytes(gzip.compress(content))

    with pytest.raises(ValueError, match=f"^images\\.gz: expected .*{re.escape(sentence)}$"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(idx())[:-12], gzip.compress(idx())[:-4], b"\x1f\x8b"],
    ids=["cut short", "length missing", "two bytes"],
)
def test_damaged_gzip_has_its_sentence(path, content):
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"^images\.gz: expected a whole file, but it is damaged \(.+\)\.$"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (idx()[:-1], "received 23."),
        (idx()[:16], "received a file of 16 bytes, which cannot hold them."),
        (idx() + b"\0", "received more."),
    ],
    ids=["last value missing", "no values", "trailing byte"],
)
def test_damage_is_noticed_without_gzip(path, content, sentence):
    path.write_bytes(content)

    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_idx(path, 3)


def test_changed_byte_is_noticed_by_the_checksum(path):
    content = bytearray(gzip.compress(idx(), compresslevel=0))
    content[content.index(VALUES) + 5] ^= 1
    path.write_bytes(content)

    with pytest.raises(ValueError, match="damaged"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    "shape",
    [(2**31, 1, 1), (2**32 - 1,) * 3, (2**31, 28, 28), (2**16, 2**8, 2**8), (60_000, 28, 28)],
    ids=str,
)
def test_sizes_that_the_file_cannot_hold_are_refused_before_memory_is_taken(path, shape):
    path.write_bytes(gzip.compress(idx(shape)))

    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^images\.gz: expected [\d,]+ values .* which cannot hold them\.$"):
            read_idx(path, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000  # bytes


def test_missing_file_has_its_sentence(path):
    with pytest.raises(ValueError, match=r"^images\.gz: expected an IDX file, but there is none at "):
        read_idx(path, 3)
