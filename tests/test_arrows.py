"""The arrows of the design: who may import whom, read from the source, so lazy imports count too.

`dashboard → pages → ui → core`; inside core every room knows only those below it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from core.system.paths import PROJECT

FRAMEWORKS = ("torch", "torchvision", "tensorflow", "keras")


@dataclass(frozen=True)
class Arrow:
    """Files that match `files`, but not `spared`, import nothing of `forbidden`."""

    name: str
    files: tuple[str, ...]
    forbidden: tuple[str, ...]
    spared: tuple[str, ...] = ()


ROOMS = (
    "system",
    "config",
    "recipes",
    "datasets",
    "networks",
    "engines",
    "training",
    "runs",
    "jobs",
    "inference",
    "studies",
    "charts",
    "export",
    "cli",
)
"""The rooms of `core`, from the ground up: each knows only those before it."""


def _files_of(room: str) -> tuple[str, ...]:
    return (f"core/{room}.py",) if (PROJECT / "core" / f"{room}.py").exists() else (f"core/{room}/**/*.py",)


ARROWS = [
    *(
        Arrow(
            f"{room} knows no room above it",
            _files_of(room),
            tuple(f"core.{above}" for above in ROOMS[position + 1 :]),
        )
        for position, room in enumerate(ROOMS[:-1])
    ),
    Arrow("core knows no page", ("core/**/*.py",), ("streamlit", "ui", "pages", "dashboard")),
    Arrow("ui knows no page", ("ui/**/*.py",), ("pages", "dashboard")),
    Arrow("pages know no entry point", ("pages/**/*.py",), ("dashboard",)),
    Arrow(
        "what pages share knows no page's own parts",
        ("ui/shared/**/*.py",),
        tuple(f"ui.{page}" for page in ("compare", "data", "predict", "replication", "results", "search", "train")),
    ),
    Arrow(
        "only the two engines import a framework",
        ("*.py", "core/**/*.py", "pages/**/*.py", "ui/**/*.py"),
        FRAMEWORKS,
        # Fetching knows torchvision's data sets, and only a framework reads and writes its own files; processes of
        # their own import these, and end afterwards. What an engine has put beside itself is part of it.
        spared=(
            "core/engines/cuda_graph.py",
            "core/engines/pytorch.py",
            "core/engines/keras.py",
            "core/engines/state_dict.py",
            "core/datasets/fetching.py",
            "core/export/keras.py",
            "core/export/pytorch.py",
        ),
    ),
    Arrow(
        "PyTorch's engine knows no TensorFlow",
        ("core/engines/pytorch.py", "core/engines/cuda_graph.py"),
        ("tensorflow", "keras"),
    ),
    Arrow("Keras's engine knows no PyTorch", ("core/engines/keras.py",), ("torch", "torchvision")),
    Arrow(
        "whoever starts a fetch does it by name",
        ("core/**/*.py", "pages/**/*.py", "ui/**/*.py"),
        ("core.datasets.fetching",),
        spared=("core/cli/datasets.py",),
    ),
    Arrow(
        "whoever exports asks for a format by name",
        ("core/**/*.py", "pages/**/*.py", "ui/**/*.py"),
        ("core.export.keras", "core.export.pytorch"),
    ),
    Arrow(
        "only PyTorch's engine records steps",
        ("core/**/*.py", "ui/**/*.py", "pages/**/*.py"),
        ("core.engines.cuda_graph",),
        spared=("core/engines/pytorch.py",),
    ),
    Arrow(
        "an engine is asked for by name",
        ("core/**/*.py", "ui/**/*.py", "pages/**/*.py"),
        ("core.engines.pytorch", "core.engines.keras"),
    ),
    Arrow("the store knows no loop", ("core/runs/**/*.py",), ("core.training.loop",)),
    Arrow("the scheduler starts the worker by name", ("core/jobs/scheduler.py",), ("core.jobs.worker",)),
]


def imports(path: Path, root: Path) -> frozenset[str]:
    """Return the dotted names of everything that a file imports, at its top or in a function."""
    return _imports_of(path.read_text(), path.relative_to(root).parent.parts)


@cache
def _imports_of(source: str, package: tuple[str, ...]) -> frozenset[str]:
    """Return what a module of `package` imports. Kept, as each file is asked for by many arrows."""
    return frozenset(_walk(source, package))


def _walk(source: str, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package[: len(package) - level + 1] if level else ()
                name = ".".join((*base, *([module] if module else [])))
                yield name
                yield from (f"{name}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def violations(arrow: Arrow, root: Path) -> list[str]:
    """Return what the files below `root` import against an arrow, as "file imports module"."""
    found = set()
    for pattern in arrow.files:
        for path in root.glob(pattern):
            file = path.relative_to(root).as_posix()
            if file not in arrow.spared:
                found |= {
                    f"{file} imports {name}"
                    for name in imports(path, root)
                    if any(name == module or name.startswith(f"{module}.") for module in arrow.forbidden)
                }
    return sorted(found)


def test_every_room_is_on_a_floor():
    entries = {
        path.stem for path in (PROJECT / "core").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert entries == {*ROOMS, "__init__", "__main__"}
    assert len(entries) <= 16


@pytest.mark.parametrize("arrow", ARROWS, ids=lambda arrow: arrow.name)
def test_arrow_holds(arrow):
    assert violations(arrow, PROJECT) == []


@pytest.mark.parametrize("arrow", ARROWS, ids=lambda arrow: arrow.name)
@pytest.mark.parametrize(
    "statement",
    [
        "import {module}",
        "import os, {module} as other",
        "from {module} import name",
        "def lazily():\n    from {module}.part import name",
        "import importlib\nimportlib.import_module('{module}')",
        "if TYPE_CHECKING:\n    import {module}",
    ],
)
def test_planted_violation_is_found(arrow, statement, tmp_path):
    for pattern in arrow.files:
        file = pattern.replace("**/", "deep/").replace("*", "planted")
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("\n".join(statement.format(module=module) for module in arrow.forbidden))

        found = violations(arrow, tmp_path)

        for module in arrow.forbidden:
            assert any(line.startswith(f"{file} imports {module}") for line in found)


@pytest.mark.parametrize(
    ("file", "statement", "name"),
    [
        ("core/jobs/scheduler.py", "from . import worker", "core.jobs.worker"),
        ("core/jobs/scheduler.py", "from .worker import main", "core.jobs.worker"),
        ("core/jobs/scheduler.py", "from core.jobs import worker", "core.jobs.worker"),
        ("core/datasets/mnist.py", "from ..engines import pytorch", "core.engines.pytorch"),
        ("core/datasets/__init__.py", "from .. import runs", "core.runs"),
    ],
)
def test_relative_imports_are_resolved(file, statement, name, tmp_path):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(statement)

    assert name in imports(path, tmp_path)


def test_a_name_that_only_begins_alike_is_no_violation(tmp_path):
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "frame.py").write_text("import pagesize\nfrom dashboards import x")

    assert violations(next(arrow for arrow in ARROWS if arrow.name == "ui knows no page"), tmp_path) == []
