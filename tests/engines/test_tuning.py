"""Each thing that the engines do for speed does what it says, and nothing depends on it."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from core.config import Framework
from core.engines import tuning
from core.system.paths import PROJECT

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)

_TRAINS = """
import contextlib
import sys
import numpy as np
from core.config import configure
from core.engines import get_engine, tuning
from core.networks.zoo import ARCHITECTURES

framework, without, path = sys.argv[1:]
match without:
    case "keep_memory":
        tuning.keep_memory = lambda: False
    case "limit_spinning" | "leave_compiler_out":
        setattr(tuning, without, lambda *_: None)
    case "plain_step":
        tuning.plain_step = lambda optimizer, _: optimizer.step
    case "hidden":
        tuning.hidden = lambda *_: contextlib.nullcontext()
engine = get_engine(framework).Engine(
    configure(framework=framework, threads=1), ARCHITECTURES["ann-100"], (8, 8, 1), 3
)
generator = np.random.default_rng(1)
engine.load_weights({name: generator.normal(0, 0.1, values.shape) for name, values in engine.weights().items()})
engine.load_data(generator.integers(0, 256, (32, 8, 8, 1), np.uint8), generator.integers(0, 3, 32))
engine.train(np.arange(32).reshape(4, 8))
np.savez(path, imported=["torch._dynamo" in sys.modules, "pandas" in sys.modules], **engine.weights())
"""


def trained(framework: Framework, without: str, path: Path) -> dict[str, np.ndarray]:
    """Train a moment in a process of its own that leaves a thing out; return its weights and what it imported."""
    command = [sys.executable, "-c", _TRAINS, framework, without, str(path)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment.pop("GOMP_SPINCOUNT", None)
    subprocess.run(command, cwd=PROJECT, env=environment, check=True)
    return dict(np.load(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "without"),
    [
        ("pytorch", "keep_memory"),
        ("pytorch", "limit_spinning"),
        ("pytorch", "leave_compiler_out"),
        ("pytorch", "plain_step"),
        ("keras", "hidden"),
    ],
)
def test_without_it_the_same_is_computed(framework, without, tmp_path):
    usual, other = (trained(framework, each, tmp_path / f"{each}.npz") for each in ("nothing", without))

    assert not usual.pop("imported").any(), "it brings nothing any more"
    imported = other.pop("imported")
    assert imported.any() == (without in ("leave_compiler_out", "plain_step", "hidden"))
    assert usual.keys() == other.keys()
    for name, values in usual.items():
        np.testing.assert_array_equal(other[name], values, err_msg=name)


class TestKeptMemory:
    @pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
    def test_is_asked_of_glibc(self):
        assert tuning.keep_memory()

    def test_is_asked_of_no_other_library(self, monkeypatch):
        monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
        monkeypatch.setattr(tuning.ctypes, "CDLL", None)  # would fail

        assert not tuning.keep_memory()

    def test_is_left_where_the_library_has_no_such_function(self, monkeypatch):
        monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "9.9"))
        monkeypatch.setattr(tuning.ctypes, "CDLL", lambda _name: object())

        assert not tuning.keep_memory()


@pytest.mark.parametrize(("before", "after"), [(None, str(tuning.SPIN_COUNT)), ("7", "7")])
def test_spinning_is_limited_unless_the_user_has_said_how(monkeypatch, before, after):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    if before:
        monkeypatch.setenv("GOMP_SPINCOUNT", before)

    tuning.limit_spinning()

    assert os.environ["GOMP_SPINCOUNT"] == after


class Wrapped:
    """An optimizer as torch makes one: its step is wrapped by what notes who has called it."""

    def __init__(self):
        self.steps, self.noted = 0, 0

    def _plain(self):
        self.steps += 1

    def step(self):
        self.noted += 1
        return self._plain()

    step.__wrapped__ = _plain


class Plain:
    """An optimizer of a torch that wraps nothing."""

    def __init__(self):
        self.steps = 0

    def step(self):
        self.steps += 1


class TestPlainStep:
    def test_has_no_wrapper(self):
        optimizer = Wrapped()

        tuning.plain_step(optimizer, lambda step: step)()

        assert (optimizer.steps, optimizer.noted) == (1, 0)

    def test_is_the_step_itself_where_nothing_wraps_it(self):
        optimizer = Plain()

        tuning.plain_step(optimizer, None)()

        assert optimizer.steps == 1


class TestCompiler:
    def test_is_settled_for_the_methods_that_there_are(self):
        class Optimizer:
            def zero_grad(self):
                """Do nothing."""

        tuning.leave_compiler_out(Optimizer)

        assert vars(Optimizer.zero_grad)["__dynamo_disable"] is Optimizer.zero_grad


class TestHidden:
    @pytest.fixture
    def package(self, tmp_path, monkeypatch) -> str:
        """A package that nothing has imported yet."""
        (tmp_path / "seldom_wanted.py").write_text("here = True\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "seldom_wanted", raising=False)
        return "seldom_wanted"

    def test_package_is_missing_meanwhile_and_there_afterwards(self, package):
        with tuning.hidden(package), pytest.raises(ImportError):
            __import__(package)

        assert __import__(package).here

    def test_package_is_there_again_after_an_import_that_failed(self, package):
        with pytest.raises(ZeroDivisionError), tuning.hidden(package):
            raise ZeroDivisionError

        assert __import__(package).here

    def test_package_that_was_imported_before_stays(self, package):
        imported = __import__(package)

        with tuning.hidden(package):
            assert __import__(package) is imported


class TestGeneratedFiles:
    NAME = "__autograph_generated_file_of_a_test"

    def test_are_removed_with_their_byte_code(self, tmp_path, monkeypatch):
        source, compiled, other = (tmp_path / name for name in ("generated.py", "generated.pyc", "other.py"))
        for path in (source, compiled, other):
            path.touch()
        monkeypatch.setitem(sys.modules, self.NAME, SimpleNamespace(__file__=str(source), __cached__=str(compiled)))

        tuning.remove_generated_files()

        assert list(tmp_path.iterdir()) == [other]

    def test_that_are_gone_or_unknown_are_left(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, self.NAME, SimpleNamespace(__file__=str(tmp_path / "gone.py")))

        tuning.remove_generated_files()
