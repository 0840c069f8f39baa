"""Thinning a curve without losing a spike.

A run's measurements are numbered from 1. Each full block of `BLOCK` of them has a row for each split with its lowest
and highest values and where they are, written with the block's last measurement. A curve of a million points is thus
thinned from ten thousand rows, and only the points that are drawn are read.
"""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from core.runs.schema import DOWNSAMPLED, blocks, metrics

BLOCK = 100


def add_blocks(connection: sa.Connection, run_id: str, before: int, count: int) -> None:
    """Write the rows of the blocks that became full when a run's measurements grew from `before` to `count`."""
    for block in range(before // BLOCK, count // BLOCK):
        points = connection.execute(
            sa.select(metrics.c.split, *_POINT).where(
                metrics.c.run_id == run_id, metrics.c.sequence.between(block * BLOCK + 1, (block + 1) * BLOCK)
            )
        ).all()
        splits = {point.split for point in points}
        rows = [
            {"run_id": run_id, "split": split, "block": block}
            | _row([point[1:] for point in points if point.split == split])
            for split in sorted(splits)
        ]
        if rows:
            connection.execute(blocks.insert(), rows)


def forget_blocks(connection: sa.Connection, run_id: str, count: int) -> None:
    """Delete the rows of blocks that are no longer full when only `count` measurements are kept."""
    connection.execute(blocks.delete().where(blocks.c.run_id == run_id, blocks.c.block >= count // BLOCK))


def chosen_points(connection: sa.Connection, run_id: str, split: str, buckets: int) -> list[int]:
    """Return the numbers of the points that a curve of so many buckets needs, in order.

    These are the first and the last, and in each bucket those with the lowest and highest of each of `DOWNSAMPLED`.
    """
    count = connection.scalar(sa.select(sa.func.max(metrics.c.sequence)).where(metrics.c.run_id == run_id)) or 0
    in_blocks = count // BLOCK * BLOCK if count > BLOCK * buckets else 0
    points = sa.select(*_POINT).where(
        metrics.c.run_id == run_id, metrics.c.split == split, metrics.c.sequence > in_blocks
    )
    # A point is a block of one: it is first and last, lowest and highest.
    as_blocks = _table(connection, points, len(_POINT))[:, [0, 0, *(i for i in _EACH for i in (i, 0, i, 0))]]
    if in_blocks:
        full = sa.select(*_BLOCK).where(blocks.c.run_id == run_id, blocks.c.split == split)
        as_blocks = np.concatenate([_table(connection, full, len(_BLOCK)), as_blocks])
    if not len(as_blocks):
        return []
    chosen = {as_blocks[:, 0].min(), as_blocks[:, 1].max()}
    for column in range(2, len(_BLOCK), 4):
        lowest, lowest_at, highest, highest_at = as_blocks[:, column : column + 4].T
        chosen.update(_lowest(lowest, lowest_at, count, buckets))
        chosen.update(_lowest(-highest, highest_at, count, buckets))
    return sorted(int(number) for number in chosen)


_POINT = (metrics.c.sequence, *(metrics.c[name] for name in DOWNSAMPLED))
_EACH = range(1, len(_POINT))
_BLOCK = (
    blocks.c.first,
    blocks.c.last,
    *(blocks.c[f"{end}_{name}{part}"] for name in DOWNSAMPLED for end in ("low", "high") for part in ("", "_at")),
)


def _row(points: Sequence[Sequence]) -> dict[str, float | int | None]:
    """Return the columns of a block from its points, each a number and the values of `DOWNSAMPLED`."""
    row: dict[str, float | int | None] = {"first": points[0][0], "last": points[-1][0]}
    for position, name in enumerate(DOWNSAMPLED, start=1):
        present = [(point[position], point[0]) for point in points if point[position] is not None]
        for end, choose in (("low", min), ("high", max)):
            row[f"{end}_{name}"], row[f"{end}_{name}_at"] = choose(present) if present else (None, None)
    return row


def _table(connection: sa.Connection, query: sa.Select, width: int) -> np.ndarray:
    """Return rows as an array `(rows, width)` of float64, NaN where a value is absent."""
    # As plain tuples: NumPy asks each of SQLAlchemy's rows for attributes that it does not have.
    return np.array([tuple(row) for row in connection.execute(query)], dtype=float).reshape(-1, width)


def _lowest(values: np.ndarray, numbers: np.ndarray, count: int, buckets: int) -> np.ndarray:
    """Return the number of the point with the lowest value in each bucket of points that lie side by side."""
    present = ~np.isnan(values)
    values, numbers = values[present], numbers[present]
    bucket = (numbers - 1) * buckets // count
    order = np.lexsort((numbers, values, bucket))
    _, firsts = np.unique(bucket[order], return_index=True)
    return numbers[order[firsts]]
