"""What was computed once is read back, and nothing else is."""

import numpy as np
import pytest

from core.datasets.inspection.cache import cache_folder, get_or_compute, read_cached, write_cached

FINGERPRINT = "ab" * 32


def test_it_is_computed_once() -> None:
    calls = []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"values": np.arange(3)}

    for _ in range(2):
        np.testing.assert_array_equal(get_or_compute(FINGERPRINT, "thing-1", compute)["values"], [0, 1, 2])
    assert len(calls) == 1


def test_another_name_or_fingerprint_is_another_thing() -> None:
    write_cached(FINGERPRINT, "thing-1", {"values": np.arange(3)})
    assert read_cached(FINGERPRINT, "thing-2") is None
    assert read_cached("cd" * 32, "thing-1") is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", b"\x80\x04."])
def test_a_damaged_file_is_computed_anew(damage: bytes) -> None:
    write_cached(FINGERPRINT, "thing-1", {"values": np.arange(3)})
    (cache_folder(FINGERPRINT) / "thing-1.npz").write_bytes(damage)
    assert get_or_compute(FINGERPRINT, "thing-1", lambda: {"values": np.ones(1)})["values"] == [1]


@pytest.mark.parametrize("fingerprint", ["", "..", "AB" * 32, "ab" * 31])
def test_only_a_fingerprint_makes_a_folder(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="Fingerprint: expected 64 hexadecimal digits"):
        cache_folder(fingerprint)
