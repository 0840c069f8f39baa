"""What every test has: a home of its own, with MNIST unpacked in it, and nothing left running at its end."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock
from streamlit.components.v2 import manifest_scanner

from core import datasets
from core.config import FRAMEWORK_TITLES
from core.inference.service import prediction_service
from core.runs import Store, open_store
from core.system.paths import PROJECT
from tests import processes

# TensorFlow reads it when it is imported, here and in the processes that tests start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def furnish(home: Path, unpacked: Path) -> Path:
    """Make `home`, with the unpacked data sets in it as hard links, which cost neither time nor space."""
    shutil.copytree(unpacked, home / "datasets", copy_function=_link, dirs_exist_ok=True)
    return home


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


class _Starts:
    """How many processes this one has started. A test that has started none need not look for what it left running,
    which on a busy machine takes longer than most tests."""

    count = 0

    @classmethod
    def notice(cls, event: str, _arguments: tuple) -> None:
        if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"):
            cls.count += 1


sys.addaudithook(_Starts.notice)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, Callable[[Path], None]], Path]]:
    """Make a folder of some name by a function, unless another process of these tests has made it already.

    All of them have been removed when the last process ends.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if worker else own) / "shared"
    user = shared / "users" / (worker or "alone")
    lock = FileLock(f"{shared}.lock")

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = shared / name
        with lock:
            if not folder.exists():
                part = shared / f"{name}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                fill(part)
                part.rename(folder)
        return folder

    with lock:
        user.parent.mkdir(parents=True, exist_ok=True)
        user.touch()
    yield make
    with lock:
        user.unlink()
        if not any(user.parent.iterdir()):
            shutil.rmtree(shared)


@pytest.fixture(scope="session")
def unpacked_datasets(make_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder of data sets that every test's home begins with, unpacked once."""

    def unpack(home: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DUET_HOME", str(home))
            datasets.load("mnist")

    return make_once("unpacked", unpack) / "datasets"


@pytest.fixture(autouse=True)
def duet_home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    unpacked_datasets: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """A home that only this test has, so that no test sees another one's runs, or yours.

    A test that leaves one of Duet's processes running fails, unless it asks for `ends_processes`.
    """
    home = furnish(tmp_path_factory.mktemp("home"), unpacked_datasets)
    monkeypatch.setenv("DUET_HOME", str(home))
    monkeypatch.delenv("DUET_STORE", raising=False)
    before = _Starts.count
    yield home
    left = processes.end(home) if _Starts.count > before else []
    shutil.rmtree(home / "datasets", ignore_errors=True)
    if left and "ends_processes" not in request.fixturenames:
        pytest.fail(f"The test left running: {'; '.join(left)}", pytrace=False)


@pytest.fixture
def ends_processes() -> None:
    """Asked for by a test that starts a scheduler or a predictor, which outlive it: they are ended for it."""


@pytest.fixture(scope="session", autouse=True)
def scan_for_components_once() -> Iterator[None]:
    """Let Streamlit, which looks through all that is installed whenever an `AppTest` is made, do so once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="module", autouse=True)
def collect_only_what_is_new() -> Iterator[None]:
    """Spare what was there before from the collections of garbage that pages set off.

    Where frameworks have been imported, they take most of a page test's time.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store whose queue nobody works off."""
    monkeypatch.setattr("core.jobs.scheduler.spawn", lambda *_arguments, **_options: None)
    return open_store()


@pytest.fixture(scope="module")
def trained_home(_trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one finished run of each framework, which the tests of a module share."""
    home = tmp_path_factory.mktemp("home") / "trained"
    shutil.copytree(_trained_home, home, ignore=shutil.ignore_patterns("datasets"))
    furnish(home, _trained_home / "datasets")
    yield home
    for framework in FRAMEWORK_TITLES:
        prediction_service(framework).close()
    processes.end(home)
    shutil.rmtree(home / "datasets")


@pytest.fixture(scope="session")
def _trained_home(make_once: Callable[[str, Callable[[Path], None]], Path], unpacked_datasets: Path) -> Path:
    """The runs are trained once, and copied for each module that asks for them."""

    def train(home: Path) -> None:
        furnish(home, unpacked_datasets)
        trainings = [
            subprocess.Popen(
                [sys.executable, "-m", "core", "train", "--framework", framework, *_QUICK_TRAINING],
                cwd=PROJECT,
                env={**os.environ, "DUET_HOME": str(home)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for framework in FRAMEWORK_TITLES
        ]
        for training in trainings:
            _, errors = training.communicate(timeout=120)
            assert training.returncode == 0, errors.decode()
        processes.end(home)

    return make_once("trained", train)


_QUICK_TRAINING = ("--architecture", "ann-100", "--train-limit", "500", "--epochs", "5", "--learning-rate", "0.05")
