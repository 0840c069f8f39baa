"""Every export is downloaded by a click and opened by its own framework, where it answers as Duet does."""

import importlib.util
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from playwright.sync_api import Browser, Page

from core.datasets import load, mnist
from core.export import FORMATS
from core.runs import Run, Store
from core.training.checkpoints import read_arrays
from core.training.metrics import softmax
from tests.browser.app import Server, open_page
from tests.browser.waiting import PATIENCE_MS
from tests.export.test_scripts import run_alone

MNIST = Path(mnist.__file__).parent / "bundled" / "mnist"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(trained_server: Server) -> Server:
    return trained_server


@pytest.fixture(scope="module")
def run(server: Server) -> Run:
    """The run that PyTorch has trained; each form of it opens in the framework that it is for."""
    runs = Store(f"sqlite:///{server.home / 'duet.sqlite3'}").find(states=("done",))
    return next(run for run in runs if run.config.framework == "pytorch")


@pytest.fixture(scope="module")
def downloads(
    browser: Browser, server: Server, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """Every format, downloaded by a click on its button, in a folder of its own."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    open_page(page, "results", run=run.id, view="Export")
    yield {name: download(page, name, tmp_path_factory.mktemp(name)) for name in FORMATS}
    context.close()


def download(page: Page, name: str, folder: Path) -> Path:
    """Click the button of a format, and keep the file under the name that the browser was given."""
    with page.expect_download() as downloading:
        page.get_by_role("button", name=FORMATS[name].title, exact=True).click()
    path = folder / downloading.value.suggested_filename
    downloading.value.save_as(path)
    return path


def by_pytorch(path: Path, images: np.ndarray) -> np.ndarray:
    import torch

    with zipfile.ZipFile(path) as archive:
        archive.extractall(path.parent)
    specification = importlib.util.spec_from_file_location("exported", path.parent / "model.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    model = module.build_model()
    weights = torch.load(path.parent / "weights.pt", weights_only=True)
    model.load_state_dict(weights)
    for name, values in safetensors.numpy.load_file(path.parent / "weights.safetensors").items():
        np.testing.assert_array_equal(values, weights[name].numpy())
    with torch.inference_mode():
        return softmax(model.eval()(module.preprocess(torch.tensor(images).permute(0, 3, 1, 2))).numpy())


def by_keras(path: Path, images: np.ndarray) -> np.ndarray:
    import keras

    return keras.models.load_model(path, safe_mode=True).predict(images, batch_size=1000, verbose=0)


def by_onnxruntime(path: Path, images: np.ndarray) -> np.ndarray:
    import onnx
    from onnxruntime import InferenceSession

    onnx.checker.check_model(onnx.load(path), full_check=True)
    return InferenceSession(path).run(None, {"images": images})[0]


OPENED_BY: dict[str, Callable[[Path, np.ndarray], np.ndarray]] = {
    "pytorch": by_pytorch,
    "keras": by_keras,
    "onnx": by_onnxruntime,
}
SCRIPTS = ("pytorch-script", "keras-script")


@pytest.mark.parametrize("name", OPENED_BY)
def test_network_answers_as_duet_does(server: Server, run: Run, downloads: dict[str, Path], name: str):
    found = OPENED_BY[name](downloads[name], load("mnist").test.images)

    expected = read_arrays(server.home / "runs" / run.id / "test.safetensors")["probabilities"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_alone(downloads: dict[str, Path], name: str):
    assert run_alone(name, downloads[name], "--data", str(MNIST), "--epochs", "1") > 0.3  # 500 images, seen once


def test_images_are_those_of_the_run(downloads: dict[str, Path]):
    with np.load(downloads["data"]) as file:
        np.testing.assert_array_equal(file["x_test"], load("mnist").test.images)
        assert file["x_train"].shape == (60_000, 28, 28, 1)
