"""A copy of Duet's source to add something to, and its own tests run on that.

project = copy_project(tmp_path)
(project / "core/config/optimizers/lion.py").write_text(...)
passed = run_tests(project, "lion", "tests/engines", "tests/test_config.py")
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from core.system.paths import PROJECT

_COPIED = (".streamlit", "core", "pages", "tests", "ui", "dashboard.py", "pyproject.toml")


def copy_project(folder: Path) -> Path:
    """Copy what Duet and its tests consist of into a new folder below `folder`, and return that."""
    project = folder / "project"
    project.mkdir()
    for name in _COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, project)
    return project


def insert(path: Path, before: str, text: str) -> None:
    """Put `text` into a file, before the only place at which it has the text `before`.

    Raises:
        ValueError: if there is no such place, or several.
    """
    source = path.read_text()
    if source.count(before) != 1:
        raise ValueError(f"{path.name}: expected the text {before!r} once, found it {source.count(before)} times.")
    path.write_text(source.replace(before, text + before))


def run_tests(project: Path, name: str, *where: str) -> list[str]:
    """Run the tests of a copy that have `name` in theirs, in the files or folders `where`; return those that passed.

    They are named as "tests.test_config.test_every_choice_has_a_title[optimizer]".

    Raises:
        AssertionError: if one fails, or a file or folder has none; the message is what pytest says.
    """
    report = project / "report.xml"
    # What pytest tells its own processes is not meant for this one.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "DUET_"))}
    arguments = ("-q", "-p", "no:cacheprovider", f"--junit-xml={report}", "-k", name, *where)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    cases = ElementTree.parse(report).iter("testcase")
    passed = [f"{case.get('classname')}.{case.get('name')}" for case in cases if case.find("skipped") is None]
    for place in where:
        module = place.removesuffix(".py").replace("/", ".")
        assert any(test.startswith(f"{module}.") for test in passed), f"No test in {place} is about {name}."
    return passed
