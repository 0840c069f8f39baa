"""A run's network in its warm process: right answers, and nothing that an image or a crash does lasts."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from core.config import FRAMEWORK_TITLES, Framework
from core.datasets import Split, load
from core.datasets.inspection.gallery import png
from core.inference import service as service_module
from core.inference.answers import Prediction, Unreadable
from core.inference.service import PredictionService
from core.inference.temperature import temperature_of
from core.runs import new_id, open_store
from core.system.paths import PROJECT, run_directory
from core.training import checkpoints
from core.training.calibration import apply_temperature
from tests import processes
from tests.bad_files import bad_files


@pytest.fixture(scope="module")
def duet_home(trained_home: Path) -> Iterator[Path]:
    """The home with trained runs, instead of an empty one for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(trained_home))
        yield trained_home


@pytest.fixture(scope="module", params=list(FRAMEWORK_TITLES))
def framework(request: pytest.FixtureRequest) -> Framework:
    return request.param


@pytest.fixture(scope="module")
def service(framework: Framework, duet_home: Path) -> Iterator[PredictionService]:
    service = PredictionService(framework)
    yield service
    service.close()
    assert _process(duet_home) is None


@pytest.fixture(scope="module")
def run_id(framework: Framework, duet_home: Path) -> str:
    runs = open_store(f"sqlite:///{duet_home / 'duet.sqlite3'}").find(states=("done",))
    return next(run.id for run in runs if run.config.framework == framework)


@pytest.fixture(scope="module")
def digits(duet_home: Path) -> Split:  # noqa: ARG001, where the data set is
    test = load("mnist").test
    return Split(test.images[:20], test.labels[:20])


def _process(home: Path) -> psutil.Process | None:
    """Return the living process of the service; only one of them is ever there in these tests."""
    found = processes.of_home(home, "core.inference.service")
    assert len(found) <= 1
    return found[0] if found else None


def test_probabilities_are_those_of_the_test_after_training(service, run_id, digits):
    tested = checkpoints.read_arrays(run_directory(run_id) / "test.safetensors")["probabilities"]
    compared = 0
    for digit, probabilities in zip(digits.images, tested, strict=False):
        reading = service.read(run_id, png(digit), "digit.png")
        own = service.read(run_id, png(digit), "digit.png", calibrated=False)
        assert reading.pixels.dtype == np.uint8
        assert reading.pixels.shape == (28, 28, 1)
        assert reading.probabilities.dtype == np.float32
        assert reading.probabilities.sum() == pytest.approx(1, abs=1e-5)
        if np.array_equal(reading.pixels, digit):  # it was in MNIST's form and has been kept
            np.testing.assert_allclose(own.probabilities, probabilities, atol=1e-5)
            expected = apply_temperature(probabilities[np.newaxis], temperature_of(run_id))[0]
            np.testing.assert_allclose(reading.probabilities, expected, atol=1e-5)
            compared += 1
    assert compared > 10


def test_every_step_to_the_pixels_can_be_shown(service, run_id, digits):
    reading = service.read(run_id, png(255 - digits.images[0].repeat(3, axis=0).repeat(3, axis=1)), "seven.png")

    assert len(reading.steps) > 3
    for step in reading.steps:
        assert step.title
        assert step.explanation
        assert step.image.dtype == np.uint8
        assert max(step.image.shape) <= 280
    assert np.array_equal(reading.steps[-1].image, reading.pixels[..., 0])


@pytest.mark.parametrize("name", list(bad_files()))
def test_a_bad_file_gets_a_sentence_and_the_next_one_an_answer(service, run_id, digits, name):
    data, reason = bad_files()[name]

    answer = service.read(run_id, data, name)

    assert isinstance(answer, Unreadable)
    assert answer.name == name
    assert answer.reason.startswith(f"{name}: ")
    assert reason in answer.reason
    assert isinstance(service.read(run_id, png(digits.images[0]), "good.png"), Prediction)


def test_a_run_without_a_checkpoint_gets_a_sentence(service, digits):
    answer = service.read("0123456789ab", png(digits.images[0]), "seven.png")

    assert answer == Unreadable(
        "seven.png", "Run 0123456789ab has no checkpoint yet: one is written after its first epoch."
    )


def test_twenty_at_once_get_the_answers_they_would_get_alone(service, run_id, digits):
    files = [png(digit) for digit in digits.images]
    alone = [service.read(run_id, data, f"{i}.png") for i, data in enumerate(files)]

    with ThreadPoolExecutor(20) as visitors:
        at_once = list(visitors.map(lambda i: service.read(run_id, files[i], f"{i}.png"), range(20)))

    for one, other in zip(alone, at_once, strict=True):
        assert one.name == other.name
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.probabilities, other.probabilities)


def test_a_newer_checkpoint_is_used_at_once(service, run_id, digits):
    copied = new_id()
    shutil.copytree(run_directory(run_id), run_directory(copied))
    data = png(digits.images[0])
    before = service.read(copied, data, "seven.png")
    checkpoint = checkpoints.load(run_directory(copied))
    zeros = {name: np.zeros_like(array) for name, array in checkpoint.weights.items()}

    checkpoints.save(run_directory(copied), checkpoint.epoch + 1, zeros, checkpoint.description)

    assert before.probabilities.max() > 0.2
    assert service.read(copied, data, "seven.png").probabilities == pytest.approx(np.full(10, 0.1))
    shutil.rmtree(run_directory(copied))


def test_damaged_weights_are_told_with_what_older_ones_read(service, run_id, digits):
    copied = new_id()
    directory = run_directory(copied)
    shutil.copytree(run_directory(run_id), directory)
    data = png(digits.images[0])
    before = service.read(copied, data, "seven.png")
    checkpoint = checkpoints.load(directory)
    checkpoints.save(directory, checkpoint.epoch + 1, checkpoint.weights, checkpoint.description)
    (newest,) = directory.glob(f"weights-{checkpoint.epoch + 1:04}-*")
    newest.write_bytes(newest.read_bytes()[:-1])

    read = service.read(copied, data, "seven.png")

    assert before.damage == ""
    assert f"{newest.name} is damaged; the one before it, of epoch {checkpoint.epoch}, is used." in read.damage
    np.testing.assert_array_equal(read.probabilities, before.probabilities)
    shutil.rmtree(directory)


one_is_enough = pytest.mark.parametrize("framework", ["pytorch"], indirect=True)
"""For what has nothing to do with the framework."""


@one_is_enough
def test_a_killed_process_comes_back(service, run_id, digits, duet_home):
    data = png(digits.images[0])
    before = service.read(run_id, data, "seven.png")
    process = _process(duet_home)

    process.kill()
    process.wait(10)

    after = service.read(run_id, data, "seven.png")
    assert np.array_equal(before.probabilities, after.probabilities)
    assert _process(duet_home).pid != process.pid


@one_is_enough
def test_an_image_that_takes_too_long_is_given_up(service, run_id, digits, duet_home, monkeypatch):
    data = png(digits.images[0])
    assert isinstance(service.read(run_id, data, "seven.png"), Prediction)
    monkeypatch.setattr(service_module, "_ANSWER_DEADLINE_S", 0.2)
    os.kill(_process(duet_home).pid, signal.SIGSTOP)

    answer = service.read(run_id, data, "seven.png")

    assert "took longer than" in answer.reason
    assert _process(duet_home) is None


@one_is_enough
def test_warming_does_not_wait_and_is_remembered(service, run_id, digits, duet_home):
    service.close()

    service.warm(run_id)
    service.warm(run_id)
    process = _process(duet_home)

    assert isinstance(service.read(run_id, png(digits.images[0]), "seven.png"), Prediction)
    assert _process(duet_home).pid == process.pid


@one_is_enough
def test_a_framework_that_cannot_start_gets_a_sentence(framework, run_id, digits, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))

    answer = PredictionService(framework).read(run_id, png(digits.images[0]), "seven.png")

    log = f"prediction-{framework}.log in Duet's folder"
    assert f": {FRAMEWORK_TITLES[framework]} could not be started; {log} says why." in answer.reason


@pytest.mark.slow
@one_is_enough
def test_the_process_ends_with_whoever_started_it(framework, run_id, duet_home):
    """As when the dashboard is killed: nothing is said, the pipe just closes."""
    script = (
        "import os, signal\nfrom core.inference.service import prediction_service\n"
        f"prediction_service({framework!r}).warm({run_id!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    before = {process.pid for process in processes.of_home(duet_home)}
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False)
    orphans = [process for process in processes.of_home(duet_home) if process.pid not in before]
    assert len(orphans) <= 1
    assert not psutil.wait_procs(orphans, timeout=30)[1]


def test_the_dashboard_s_side_imports_no_framework():
    script = "import sys, core.inference.service; print(sorted({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_explanation_is_that_of_this_process(service, run_id, digits, framework):
    predictor = service_module.Predictor(run_directory(run_id), framework)

    found = service.explain(run_id, digits.images[0], "integrated-gradients", 7)

    np.testing.assert_allclose(found, predictor.explain(digits.images[0], "integrated-gradients", 7), atol=1e-5)
    with pytest.raises(ValueError, match="needs a convolution, and ann-100 has none"):
        service.explain(run_id, digits.images[0], "layer-cam", 7)
    assert isinstance(service.read(run_id, png(digits.images[0]), "seven.png"), Prediction)
