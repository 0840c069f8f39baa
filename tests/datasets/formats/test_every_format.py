"""What holds for every format, tried on the example that it gives of itself; a new one is tried untouched."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core import datasets
from core.datasets.importing import FORMATS, import_dataset, inspect
from tests.datasets import sources

each_format = pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.__name__.rpartition(".")[2])


@pytest.fixture
def folder(format_: ModuleType, tmp_path: Path) -> Path:
    """The example of a format, in a folder."""
    place = tmp_path / "example"
    place.mkdir()
    return sources.written(place, format_.example())


@each_format
def test_example_becomes_a_data_set(format_, folder):  # noqa: ARG001 (the folder is of it)
    plan = inspect(folder)
    report = import_dataset(folder, name="Example")

    dataset = datasets.load(report.name)
    assert plan.format == report.format
    assert len(dataset.class_names) >= 2
    assert plan.samples
    for split in (dataset.train, dataset.test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split.labels), *dataset.image_shape)
        assert set(split.labels) <= set(range(len(dataset.class_names)))
    assert set(dataset.train.labels) == set(range(len(dataset.class_names)))
    assert sum(report.images.values()) >= 20
    assert report.skipped == ()


@each_format
def test_no_other_format_takes_it_for_its_own(format_, folder, monkeypatch):
    recognised = inspect(folder).format
    for name in ("detect", "read", "preview"):
        assert callable(getattr(format_, name))

    monkeypatch.setattr("core.datasets.importing.FORMATS", (format_,))
    assert inspect(folder).format == recognised, "another format was asked before, and took it"
