"""What becomes of an input: planned and imported as anyone would, and compared with what is right."""

from pathlib import Path
from typing import NamedTuple

from core import datasets
from core.datasets.importing import import_dataset, inspect
from tests.field.cases import Case


class Outcome(NamedTuple):
    """Whether what came is right, and what came."""

    is_right: bool
    came: str


def outcome_of(case: Case, place: Path) -> Outcome:
    """Make a case's input at a place, plan and import it."""
    path = case.make(place)
    try:
        plan = inspect(path, case.choices)
        report = import_dataset(path, choices=case.choices)
    except ValueError as error:
        return Outcome(case.refused is not None and case.refused in str(error), f"refused: {error}")
    told = [*plan.notes, *(f"{entry.file}: {entry.reason}" for entry in plan.skipped)]
    missing = [part for part in case.told if not any(part in sentence for sentence in told)]
    dataset = datasets.load(report.name)
    counts = len(dataset.train.labels), len(dataset.test.labels)
    is_right = (
        case.refused is None
        and plan.class_names == dataset.class_names == case.classes
        and counts == (case.train, case.test)
        and not missing
    )
    came = f"{', '.join(dataset.class_names)[:60]}: {counts[0]} + {counts[1]}"
    return Outcome(is_right, came + (f"; not told: {missing[0]}; told: {told}" if missing else ""))
