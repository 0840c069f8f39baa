"""What a setting does: runs that share all the others, by its values; and which runs are the best for what they cost.

for name, families in varied_settings(store.measured()).items():
    families[0].runs                    # they differ by `name`, seed and framework alone
pareto_front([(seconds, accuracy), …])  # the positions of those that none beats in both
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from core.config import RunConfig, is_used
from core.runs.table import Measured

_FREE = ("seed", "framework", "threads")


@dataclass(frozen=True)
class Family:
    """Runs that share all settings but one, the seed, the framework and the threads.

    Attributes:
        values: those that the one setting has in it, in order.
        shared: the settings that all of them have, with that of the newest for those that they do not share.
    """

    runs: tuple[Measured, ...]
    values: tuple[Any, ...]
    shared: dict[str, Any]


def varied_settings(measured: Sequence[Measured]) -> dict[str, list[Family]]:
    """Return, for each setting of which runs have several values while they share the rest, these families of runs.

    The batch size comes first, then the others in the order of `RunConfig`; of each the largest family first.
    """
    fields = [name for name in RunConfig.model_fields if name not in _FREE]
    rows = [
        tuple(_value(run.settings[name]) if is_used(name, run.settings) else None for name in fields)
        for run in measured
    ]
    found: dict[str, list[Family]] = {}
    for place, name in sorted(enumerate(fields), key=lambda each: each[1] != "batch_size"):
        if len({row[place] for row in rows}) < 2:
            continue
        families: dict[tuple[Hashable, ...], list[int]] = {}
        for number, row in enumerate(rows):
            families.setdefault(row[:place] + row[place + 1 :], []).append(number)
        several = [
            _family(name, [measured[number] for number in numbers])
            for numbers in families.values()
            if len({rows[number][place] for number in numbers}) > 1
        ]
        if several:
            found[name] = sorted(several, key=lambda family: (-len(family.values), -len(family.runs)))
    return found


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the positions of the points (cost, gain) that no other beats: none costs less and gains as much or more.

    They are in the order of their costs; of equal points the first one counts.
    """
    front: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1], place)):
        if not front or points[place][1] > points[front[-1]][1]:
            front.append(place)
    return front


def _value(value: Any) -> Hashable:
    return float(value) if type(value) in (int, float) else value


def _family(name: str, runs: Sequence[Measured]) -> Family:
    values = {run.settings[name] for run in runs}
    ordered = sorted(values, key=lambda value: (value is None, value if type(value) in (int, float) else str(value)))
    return Family(tuple(runs), tuple(ordered), runs[0].settings)
