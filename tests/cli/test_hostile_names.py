"""No command sends a terminal what would command it or reorder its line; it shows names as they are written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.cli import COMMANDS
from core.config import configure
from core.datasets.inspection.gallery import png
from core.networks.layers import weight_shapes
from core.networks.registry import get_architecture
from core.runs import Store
from core.system.paths import run_directory
from core.system.text import is_no_text, printable
from core.training import checkpoints
from tests.hostile_names import HOSTILE_CONTROLS, HOSTILE_NAMES
from tests.runs.making import LIVING, finished_results
from tests.sample_data import make_dataset, noise
from tests.sample_data import store as keep_dataset

NAMES = (*HOSTILE_NAMES, *HOSTILE_CONTROLS)
CLASSES = len(NAMES)


@pytest.fixture
def run_id(store: Store) -> str:
    """A finished run whose network has classes of hostile names, as a manifest that strangers sent may have."""
    config = configure(architecture="ann-100", dataset="tiny")
    run_id = store.create(config, submission="a", claimed=True)
    store.enter(run_id, 1, **LIVING)
    store.begin(run_id, 1, total_steps=1)
    store.finish(run_id, 1, "done", finished_results())
    architecture, images = get_architecture("ann-100"), (28, 28, 1)
    description = checkpoints.Description(
        config=config,
        architecture=architecture,
        input_shape=images,
        class_names=NAMES,
        preparation="photo",
        fingerprint="0123",
    )
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in weight_shapes(architecture, images, CLASSES).items()
    }
    run_directory(run_id).mkdir(parents=True)
    checkpoints.save(run_directory(run_id), 1, weights, description)
    return run_id


@pytest.fixture
def said(capfd: pytest.CaptureFixture) -> Callable[..., tuple[int, str]]:
    """Run a command; return its exit code and what it wrote, in which there is nothing that is no text."""

    def run(*arguments: str) -> tuple[int, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capfd.readouterr()
        assert not [letter for letter in out + err if letter != "\n" and is_no_text(letter)], (arguments, out, err)
        return code, out + err

    return run


@pytest.mark.parametrize("hostile", HOSTILE_CONTROLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_arguments_are_refused_as_they_are_written(said, command: str, hostile: str) -> None:
    code, _ = said(command, f"--{hostile}")

    assert code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--dataset", "{}"),
        ("train", "--architecture", "{}"),
        ("train", "--recipe", "{}"),
        ("train", "--from", "{}"),
        ("predict", "{}", "x.png"),
        ("runs", "stop", "{}"),
        ("runs", "check", "{}"),
        ("datasets", "inspect", "{}"),
        ("datasets", "import", "{}"),
        ("datasets", "fetch", "{}"),
        ("datasets", "delete", "{}"),
        ("datasets", "rename", "mnist", "{}"),
        ("replicate", "--recipe", "{}"),
        ("parity", "--architecture", "{}"),
        ("parity", "--read", "{}"),
        ("export", "{}", "--format", "onnx"),
        ("export", "0123456789ab", "--format", "{}"),
    ],
    ids=" ".join,
)
def test_values_are_refused_as_they_are_written(said, arguments: tuple[str, ...]) -> None:
    for hostile in NAMES:
        code, told = said(*(each.format(hostile) if each == "{}" else each for each in arguments))
        assert code == 2, told


@pytest.mark.parametrize("hostile", NAMES)
def test_runs_are_listed_as_they_are_called(store: Store, run_id: str, said, hostile: str) -> None:
    said("runs", "rename", run_id, hostile)
    said("runs", "tag", run_id, hostile[:40])
    said("runs", "note", run_id, hostile)

    code, told = said("runs")

    run = store.get(run_id)
    assert code == 0
    assert printable(run.title) in told
    assert f"#{printable(run.tags[0])}" in told
    assert json.loads(said("runs", "--json")[1])[0]["note"] == run.note
    said("runs", "list", "--search", hostile, "--tag", hostile)
    said("runs", "check")


def test_predictions_name_files_and_classes_as_they_are_written(run_id: str, said, tmp_path: Path) -> None:
    files = []
    for number, name in enumerate(NAMES):
        file = tmp_path / f"{number}{name.replace('/', '-')}.png"
        file.write_bytes(png(noise(1, seed=number)[0]))
        files.append(str(file))
    missing = str(tmp_path / "missing\x1b[2J.png")

    _, told = said("predict", run_id, *files, missing)
    assert all(printable(file) in told for file in (*files, missing))
    assert any(printable(name) in told for name in NAMES)

    _, told = said("predict", run_id, *files, "--csv")
    for file in files:  # a line end in a quoted cell is one
        assert "\n".join(map(printable, Path(file).name.replace('"', '""').split("\n"))) in told

    _, told = said("predict", run_id, *files, "--json")
    assert [answer["file"] for answer in json.loads(told)] == files


def test_exported_files_are_named_as_they_are_written(run_id: str, said, tmp_path: Path) -> None:
    for hostile in HOSTILE_CONTROLS:
        output = tmp_path / f"{hostile}.onnx"
        code, told = said("export", run_id, "--format", "onnx", "--output", str(output))
        assert (code, told) == (0, f"{printable(str(output))}\n")
        assert output.exists()


@pytest.mark.parametrize("hostile", HOSTILE_NAMES)
def test_data_sets_are_listed_as_they_are_called(said, hostile: str) -> None:
    keep_dataset(make_dataset(noise(10), np.tile([0, 1], 5), noise(4), np.tile([0, 1], 2), class_names=(hostile, "x")))
    said("datasets", "rename", "tiny", hostile)

    code, told = said("datasets")

    assert code == 0
    assert hostile in told
