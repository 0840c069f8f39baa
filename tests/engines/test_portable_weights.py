"""A network learns in one framework and reads, or learns on, in the other; and reads in onnxruntime."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from onnxruntime import InferenceSession

from core.cli.predict import main as predict
from core.cli.train import main as train
from core.config import Framework, RunConfig, configure
from core.datasets import load
from core.export import build
from core.inference.service import Predictor
from core.jobs.worker import execute
from core.runs import Run, Store, new_id, open_store
from core.system.paths import PROJECT, run_directory
from core.training import checkpoints
from tests.conftest import furnish

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)
each_direction = pytest.mark.parametrize(("first", "second"), [FRAMEWORKS, FRAMEWORKS[::-1]])


def learn(config: RunConfig) -> Run:
    store = open_store()
    run_id = store.create(config, submission=new_id(), claimed=True)
    execute(store, run_id, 1, stop=threading.Event())
    return store.get(run_id)


@pytest.fixture(scope="module")
def duet_home(tmp_path_factory: pytest.TempPathFactory, unpacked_datasets: Path) -> Iterator[Path]:
    """One home for all tests here, as they read the same runs."""
    with pytest.MonkeyPatch.context() as patch:
        home = furnish(tmp_path_factory.mktemp("portable"), unpacked_datasets)
        patch.setenv("DUET_HOME", str(home))
        patch.delenv("DUET_STORE", raising=False)
        yield home
    shutil.rmtree(home / "datasets")


@pytest.fixture(scope="module")
def runs(duet_home: Path) -> dict[Framework, Run]:  # noqa: ARG001 (where they are)
    """A run of each framework that has learned a little."""
    settings = {"architecture": "cnn-quick", "optimizer": "adam", "learning_rate": 0.002, "epochs": 1}
    return {framework: learn(configure(framework=framework, train_limit=2000, **settings)) for framework in FRAMEWORKS}


@each_direction
def test_the_other_framework_gives_the_same_answers_on_all_test_images(runs, first, second):
    directory = run_directory(runs[first].id)
    tested = checkpoints.read_arrays(directory / "test.safetensors")["probabilities"]

    found = Predictor(directory, second).predict(load("mnist").test.images)

    assert found.shape == (10_000, 10)
    np.testing.assert_allclose(found, tested, rtol=0, atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_onnx_gives_the_same_answers_on_all_test_images(runs, framework):
    run_id = runs[framework].id
    tested = checkpoints.read_arrays(run_directory(run_id) / "test.safetensors")["probabilities"]

    (found,) = InferenceSession(build(run_id, "onnx")).run(None, {"images": load("mnist").test.images})

    assert found.shape == (10_000, 10)
    np.testing.assert_allclose(found, tested, rtol=0, atol=1e-5)


@each_direction
def test_learning_goes_on_in_the_other_framework(runs, first, second):
    source = runs[first]
    again = configure(**source.config.model_dump() | {"framework": second, "initial_weights": source.id, "seed": 43})

    run = learn(again)

    assert (run.state, run.failure) == ("done", None)
    before = [point.loss for _, point in open_store().metrics(source.id) if point.split == "train"]
    after = [point.loss for _, point in open_store().metrics(run.id) if point.split == "train"]
    assert after[0] < before[0] / 1.5, "it began anew"
    assert run.results.val_loss < source.results.val_loss
    assert run.results.test_loss < source.results.test_loss


@each_direction
def test_what_a_run_began_with_is_recorded(runs, first, second):
    source = runs[first]
    config = configure(
        **source.config.model_dump()
        | {"framework": second, "initial_weights": source.id, "train_limit": 100, "learning_rate": 1e-9}
    )
    run = learn(config)

    kept = checkpoints.read_arrays(run_directory(run.id) / "initial.safetensors")
    weights = checkpoints.load(run_directory(source.id)).weights
    assert run.config.initial_weights == source.id
    assert kept.keys() == weights.keys()
    for name, values in weights.items():
        np.testing.assert_array_equal(kept[name], values)
        if "moving" not in name:  # batch norm's averages move, whatever the learning rate
            np.testing.assert_allclose(checkpoints.load(run_directory(run.id)).weights[name], values, atol=1e-5)


def test_a_run_that_does_not_fit_is_refused(runs):
    source = runs["pytorch"].id
    run = learn(configure(architecture="ann-100", initial_weights=source, train_limit=100))

    assert run.state == "failed"
    assert run.failure == (
        "Start from run (--initial-weights): expected one of ann-100 on images of 28×28×1 in 10 classes, received "
        f"{source} of cnn-quick on 28×28×1 in 10: choose another run, or the network and data of that one."
    )


def test_a_run_that_has_not_ended_is_refused(runs, duet_home):  # noqa: ARG001 (the home is shared)
    waiting = open_store().create(configure(), submission=new_id())

    run = learn(configure(initial_weights=waiting, train_limit=100))

    assert "expected a run that has ended" in run.failure
    open_store().request_stop(waiting)


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        (train, ["--from", "0123456789ab"], "There is no run '0123456789ab' here."),
        (train, ["--initial-weights", "0123456789ab"], "There is no run '0123456789ab' here."),
        (train, ["--from", "0123456789ab", "--recipe", "quick"], "not allowed with"),
        (predict, ["RUN", "seven.png", "--framework", "jax"], "Framework (--framework): expected one of"),
    ],
)
def test_wrong_options_are_refused_with_one_sentence(runs, capsys, command, arguments, sentence):
    with pytest.raises(SystemExit) as refusal:
        command([runs["pytorch"].id if argument == "RUN" else argument for argument in arguments])

    assert refusal.value.code == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_the_command_goes_on_from_a_run_with_its_settings(runs, duet_home):
    source = runs["keras"]
    command = [sys.executable, "-m", "core", "train", "--from", source.id, "--framework", "pytorch", "--json"]

    done = subprocess.run(
        [*command, "--train-limit", "1000"],
        cwd=PROJECT,
        env={**os.environ, "DUET_HOME": str(duet_home)},
        capture_output=True,
        text=True,
        check=True,
    )

    run = Store(f"sqlite:///{duet_home / 'duet.sqlite3'}").get(json.loads(done.stdout.splitlines()[-1])["run_id"])
    assert run.config == source.config.model_copy(
        update={"framework": "pytorch", "initial_weights": source.id, "train_limit": 1000}
    )
