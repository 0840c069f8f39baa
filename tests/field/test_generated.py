"""Generated layouts and tables: none comes in other than it was made."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from core import datasets
from core.datasets.importing import import_dataset
from tests.datasets import sources
from tests.field.generated import Content, Generated, layouts, tables

QUICK, LONG = 50, 2000


def _differs(generated: Generated) -> str | None:
    """Import what was generated; say what came instead, or why it was refused after all; None if it is right."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = import_dataset(sources.written(Path(folder) / "made", generated.files), colour="grey")
        except ValueError as error:
            return None if str(error).endswith((".", "?")) else f"no sentence: {error}"
    dataset = datasets.load(report.name)
    came: Content = {}
    has_splits = any(part for part, _ in generated.content)
    for part, split in (("train", dataset.train), ("test", dataset.test)):
        for image, label in zip(split.images, split.labels, strict=True):
            key = (part if has_splits else "", dataset.class_names[label])
            came.setdefault(key, set()).add(image.tobytes())
    datasets.delete(report.name, lambda _: [])
    return None if came == generated.content else f"{report.notes}: {sorted(came)} for {sorted(generated.content)}"


def _settings(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=count == QUICK,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@given(layouts())
@_settings(QUICK)
def test_layouts_come_in_as_they_were_made(generated):
    assert (reason := _differs(generated)) is None, reason


@given(tables())
@_settings(QUICK)
def test_tables_come_in_as_they_were_made(generated):
    assert (reason := _differs(generated)) is None, reason


@pytest.mark.exhaustive
@given(layouts())
@_settings(LONG)
def test_many_layouts_come_in_as_they_were_made(generated):
    assert (reason := _differs(generated)) is None, reason


@pytest.mark.exhaustive
@given(tables())
@_settings(LONG)
def test_many_tables_come_in_as_they_were_made(generated):
    assert (reason := _differs(generated)) is None, reason
