"""A visitor's own colour photographs, from a zip to a prediction, in both frameworks."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.config import FRAMEWORK_TITLES
from core.datasets import load
from core.datasets.importing import import_dataset
from core.system.paths import PROJECT

COLOURS = {"blue": (40, 60, 220), "green": (50, 200, 60), "red": (220, 50, 40)}
COUNT = 40


def photograph(colour: tuple[int, int, int], generator: np.random.Generator) -> bytes:
    """Return a JPEG of a size of its own that is mostly of one colour."""
    height, width = generator.integers(20, 90, 2)
    pixels = np.clip(np.array(colour) + generator.normal(0, 40, (height, width, 3)), 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    generator = np.random.default_rng(1)
    path = tmp_path / "colours.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, colour in COLOURS.items():
            for i in range(COUNT):
                archive.writestr(f"{name}/{i}.jpg", photograph(colour, generator))
    return path


@pytest.mark.slow
def test_photographs_of_mixed_sizes_are_learned_and_read_by_both(archive: Path, tmp_path: Path):
    report = import_dataset(archive, name="Colours")
    dataset = load(report.name)
    assert dataset.class_names == tuple(COLOURS)
    assert dataset.image_shape[2] == 3
    assert not report.skipped
    (tmp_path / "unseen.jpg").write_bytes(photograph(COLOURS["green"], np.random.default_rng(2)))

    for framework in FRAMEWORK_TITLES:
        trained = command(
            "train", "--dataset", report.name, "--architecture", "cnn-quick", "--framework", framework,
            "--epochs", "10", "--batch-size", "8", "--optimizer", "adam", "--learning-rate", "0.003",
        )  # fmt: skip
        assert trained["test_accuracy"] > 0.9
        answer = command("predict", trained["run_id"], str(tmp_path / "unseen.jpg"))[0]
        assert answer["label"] == "green"
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def command(*arguments: str):
    """Run one of Duet's commands and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "core", *arguments, "--json"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
