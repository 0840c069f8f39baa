"""The exported scripts: each repeats a run with nothing but its framework, from IDX files or an .npz."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.architectures import Activation, BatchNorm, Convolution, Dropout, Residual
from core.augmentation import is_augmented
from core.config import configure
from core.datasets import Dataset, Split, mnist
from core.export import build, data
from tests.export.test_export import NAMES, RUN, save
from tests.networks import NETWORKS, draw_data, network

MNIST = Path(mnist.__file__).parent / "bundled" / "mnist"

SCRIPTS = {"pytorch-script": ("tensorflow", "keras"), "keras-script": ("torch", "torchvision")}
"""Each script, and what it must do without beside Duet itself."""

_RUN_ALONE = """
import runpy, sys
for name in {without!r}:
    sys.modules[name] = None
sys.argv = {argv!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""

each_script = pytest.mark.parametrize("script", SCRIPTS)


def run(script: str, folder: Path, *arguments: str) -> float:
    """Export the script of `RUN` and run it as `run_alone` does."""
    path = folder / "train.py"
    path.write_bytes(build(RUN, script))
    return run_alone(script, path, *arguments)


def run_alone(script: str, path: Path, *arguments: str) -> float:
    """Run an exported script in a process that has only its framework; return the test accuracy it prints."""
    without = (*SCRIPTS[script], "core", "pydantic", "safetensors", "scipy", "pandas", "streamlit")
    done = subprocess.run(
        [sys.executable, "-c", _RUN_ALONE.format(without=without, argv=[str(path), *arguments])],
        cwd=path.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # many threads on a busy machine wait for each other
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(re.fullmatch(r"test loss [\d.]+, accuracy ([\d.]+)", done.stdout.splitlines()[-1])[1])


@each_script
def test_learns_from_idx_files(script, tmp_path):
    architecture, shape = NETWORKS["ann-100"]
    save(architecture, shape, class_names=mnist.SPECIFICATION.class_names, learning_rate=0.05, train_limit=2000)

    accuracy = run(script, tmp_path, "--data", str(MNIST), "--epochs", "3")

    assert accuracy > 0.75
    assert [path.stem for path in tmp_path.glob("best.*")] == ["best"]


@each_script
def test_does_all_that_a_run_can_do(script, tmp_path):
    residual = Residual(layers=(Convolution(filters=4), BatchNorm(), Activation()))
    save(
        network(Convolution(filters=4, kernel=4, stride=2), residual, Dropout(rate=0.1)),
        (11, 9, 3),
        **{"optimizer": "rmsprop", "learning_rate": 0.001, "initialisation": "framework", "defaults": "aligned"},
        **{"validation_part": "last", "normalization": "symmetric", "precision": "float64", "epochs": 1},
        **{"rotation": 10, "zoom": 0.1, "shift_x": 0.1, "flip_horizontal": True, "initial_weights": "0123456789ab"},
    )
    images, labels = draw_data((11, 9, 3), len(NAMES), 90)
    np.savez(tmp_path / "d.npz", x_train=images[:70], y_train=labels[:70], x_test=images[70:], y_test=labels[70:])

    accuracy = run(script, tmp_path, "--data", "d.npz")

    assert accuracy * 20 == pytest.approx(round(accuracy * 20), abs=1e-2)


@each_script
@pytest.mark.parametrize("settings", [{}, {"validation_part": "test"}, {"flip_vertical": True}, {"optimizer": "adam"}])
def test_is_tidy(script, settings, tmp_path):
    save(*NETWORKS["cnn-quick"], **settings)
    path = tmp_path / "train.py"
    path.write_bytes(build(RUN, script))

    source = path.read_text()
    compile(source, str(path), "exec")
    assert "\n\n\n\n" not in source
    assert "$" not in source.replace("$name", "")
    assert all(line == line.rstrip() for line in source.splitlines())
    assert ("def augment" in source or "augment =" in source) == is_augmented(configure(**settings))


def test_says_where_it_cannot_repeat_the_run():
    save(*NETWORKS["ann-100"], initial_weights="0123456789ab", precision="float64")

    for script in SCRIPTS:
        said = build(RUN, script).decode().split('"""')[1]
        assert "The run went on from the weights of run 0123456789ab; this script starts anew." in said
        assert "The run computed in float64; this script computes in float32." in said


def test_data_come_as_the_scripts_read_them(tmp_path, monkeypatch):
    images, labels = draw_data((4, 5, 3), 3, 8)
    dataset = Dataset(mnist.SPECIFICATION, Split(images[:5], labels[:5]), Split(images[5:], labels[5:]), "")
    monkeypatch.setattr(data, "load", {"mnist": dataset}.get)
    save(*NETWORKS["ann-100"])
    (tmp_path / "images.npz").write_bytes(build(RUN, "data"))

    with np.load(tmp_path / "images.npz") as file:
        for name, values in (("x_train", images[:5]), ("y_train", labels[:5]), ("x_test", images[5:])):
            np.testing.assert_array_equal(file[name], values, strict=True)
        np.testing.assert_array_equal(file["y_test"], labels[5:], strict=True)
