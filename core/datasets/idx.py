"""The IDX format of MNIST: a magic number, big-endian sizes, then unsigned bytes.

Format: the section "THE IDX FILE FORMAT" of the MNIST home page by LeCun, Cortes and Burges.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

_UNSIGNED_BYTE = 0x08

_DENSEST = 1032
"""Deflate makes at most so many bytes of one: 258, its longest repetition, from two bits (zlib's technical notes)."""


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read one gzipped IDX file of unsigned bytes with so many `dimensions`.

    Raises:
        ValueError: if the file is not such a file, is cut short, or goes on after its last value.
    """
    try:
        with gzip.open(path) as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, _UNSIGNED_BYTE, dimensions]):
                raise ValueError(
                    f"{path.name}: expected an IDX file of bytes in {dimensions} dimensions, "
                    f"received one that starts with {header[:4].hex(' ') or 'nothing'}."
                )
            shape = tuple(np.frombuffer(header, ">u4", dimensions, offset=4).tolist())
            size = math.prod(shape)
            packed = path.stat().st_size
            # Asked before reading, since the memory for what is announced is taken before the first byte comes.
            if size > packed * _DENSEST:
                raise ValueError(
                    f"{path.name}: expected {size:,} values for the shape {shape}, "
                    f"received a file of {packed:,} bytes, which cannot hold them."
                )
            values = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name}: expected a readable gzip file, but it is damaged ({error}).") from error
    if len(values) != size:
        found = "more" if len(values) > size else f"{len(values):,}"
        raise ValueError(f"{path.name}: expected {size:,} values for the shape {shape}, received {found}.")
    return np.frombuffer(values, np.uint8).reshape(shape)
