"""A new export is one module of `core.export.formats`."""

from tests.contributing.copying import copy_project, run_tests

ENTRY = '''"""The weights alone, for NumPy."""

import io

import numpy as np

from core.export.format import Format
from core.training.checkpoints import Checkpoint

FORMAT = Format(
    name="npz",
    module=__name__,
    title="NumPy weights",
    ending="-weights.npz",
    description="The weights by their names, in the layout in which Duet keeps them; numpy.load opens it.",
)


def build(_run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the file."""
    file = io.BytesIO()
    np.savez(file, **checkpoint.weights)
    return file.getvalue()
'''


def test_a_new_export_is_one_module(tmp_path):
    project = copy_project(tmp_path)
    (project / "core/export/formats/npz.py").write_text(ENTRY)

    passed = run_tests(project, "npz", "tests/export/test_export.py")

    assert {test.rpartition(".")[2] for test in passed} >= {
        "test_every_format_is_explained[npz]",
        "test_every_format_is_made_and_listed[npz]",
    }
