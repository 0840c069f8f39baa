"""What the formats share: rows of an array from a stream."""

import io

import numpy as np
import pytest

from core.datasets.files import File
from core.datasets.formats.source import read_rows


def rows(values: np.ndarray, content: bytes, at_once: int) -> list[np.ndarray]:
    file = File("rows.npy", len(content), io.BytesIO)
    return list(read_rows(io.BytesIO(content), file, values.shape, values.dtype, at_once))


@pytest.mark.parametrize(("at_once", "lengths"), [(0, [0] * 0), (1, [1] * 5), (2, [2, 2, 1]), (9, [5])])
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">u2", "<U3"])
def test_rows_are_those_of_the_array(dtype, at_once, lengths):
    values = np.arange(30).reshape(5, 3, 2).astype(dtype)
    if not at_once:
        values = values[:0]

    found = rows(values, values.tobytes(), at_once)

    assert [len(block) for block in found] == lengths
    if found:
        np.testing.assert_array_equal(np.concatenate(found), values)


@pytest.mark.parametrize(("missing", "received"), [(1, 29), (4, 29), (5, 28), (120, 0)])
def test_file_that_ends_early_says_how_many_values_there_are(missing, received):
    values = np.arange(30, dtype="<i4").reshape(5, 3, 2)

    with pytest.raises(ValueError, match=rf"^rows\.npy: expected 30 values for .* \(5, 3, 2\), received {received}\.$"):
        rows(values, values.tobytes()[:-missing], at_once=2)
