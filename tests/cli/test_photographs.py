"""A few photographs of one's own, from the pictures to a network that knows them and leaves Duet."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_images

from core.datasets import load
from core.inference.service import Predictor
from core.system.paths import PROJECT, run_directory

pytestmark = pytest.mark.slow


def photograph(source: np.ndarray, generator: np.random.Generator) -> bytes:
    """Return a JPEG of a part of a photograph, turned and lit otherwise, its colours paler or stronger."""
    side = int(generator.integers(100, min(source.shape[:2])))
    y, x = (int(generator.integers(length - side + 1)) for length in source.shape[:2])
    part = Image.fromarray(source[y : y + side, x : x + side]).rotate(float(generator.uniform(-30, 30)))
    part = ImageEnhance.Brightness(part).enhance(float(generator.uniform(0.5, 1.5)))
    part = ImageEnhance.Color(part).enhance(float(generator.uniform(0, 1.6)))
    file = io.BytesIO()
    part.resize((300, 260)).save(file, "JPEG", quality=80)
    return file.getvalue()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """An archive of three classes of 40 photographs each, made of the two that come with scikit-learn."""
    generator = np.random.default_rng(0)
    temple, flower = load_sample_images().images
    with zipfile.ZipFile(tmp_path / "photographs.zip", "w") as archive:
        for name, source in {"roof": temple[:240], "garden": temple[240:], "flower": flower}.items():
            for i in range(40):
                archive.writestr(f"{name}/{i}.jpg", photograph(source, generator))
    return tmp_path / "photographs.zip"


def duet(*arguments: str | Path) -> str:
    """Run a command and return what it prints."""
    command = [sys.executable, "-m", "core", *map(str, arguments)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(*arguments: str) -> dict:
    return json.loads(duet("train", "--epochs", "30", "--json", *arguments).splitlines()[-1])


def test_a_pretrained_network_learns_them_where_one_from_nothing_does_not(photographs, tmp_path):
    duet("datasets", "import", photographs, "--name", "Photographs")
    assert load("photographs").image_shape == (224, 224, 3)
    duet("datasets", "import", photographs, "--name", "Small", "--size", "32x32")

    pretrained = train("--dataset", "photographs", "--architecture", "efficientnet-lite0")
    from_nothing = train("--dataset", "small", "--architecture", "cnn-64-32-32")

    assert pretrained["test_accuracy"] >= 0.95
    assert from_nothing["test_accuracy"] < pretrained["test_accuracy"]

    images = load("photographs").test.images[:4]
    expected = Predictor(run_directory(pretrained["run_id"]), "pytorch").predict(images)
    np.testing.assert_allclose(
        Predictor(run_directory(pretrained["run_id"]), "keras").predict(images), expected, rtol=0, atol=1e-4
    )
    duet("export", pretrained["run_id"], "--format", "onnx", "--output", tmp_path / "network.onnx")
    (found,) = onnxruntime.InferenceSession(tmp_path / "network.onnx").run(None, {"images": images})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)

    np.save(tmp_path / "images.npy", images)
    duet("export", pretrained["run_id"], "--format", "pytorch", "--output", tmp_path / "network.zip")
    zipfile.ZipFile(tmp_path / "network.zip").extractall(tmp_path)
    duet("export", pretrained["run_id"], "--format", "keras", "--output", tmp_path / "network.keras")
    for script in (
        "import torch, model; network = model.build_model().eval(); "
        "network.load_state_dict(torch.load('weights.pt', weights_only=True)); "
        "pixels = torch.tensor(numpy.load('images.npy')).permute(0, 3, 1, 2); "
        "found = network(model.preprocess(pixels)).softmax(1).detach().numpy()",
        "import keras; found = keras.models.load_model('network.keras').predict(numpy.load('images.npy'))",
    ):
        code = f"import numpy; {script}; numpy.save('found.npy', found)"
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
        np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, rtol=0, atol=1e-4)
