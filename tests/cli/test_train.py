"""The command line: what it prints, how it refuses, and that Ctrl-C is recorded. As a person runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import cli
from core.cli import train
from core.cli.train import main
from core.runs import Store
from core.system.paths import PROJECT, store_url
from tests import processes
from tests.conftest import furnish
from tests.runs.making import finished_results

_QUICK = ["--architecture", "ann-100", "--train-limit", "500", "--learning-rate", "0.05", "--threads", "1"]
_FIGURES = {
    "run_id",
    "framework",
    "device",
    "dataset",
    "architecture",
    "parameters",
    "epochs",
    "train_seconds",
    "images_per_second",
    "val_accuracy",
    "test_accuracy",
    "test_loss",
}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, unpacked_datasets: Path) -> Iterator[SimpleNamespace]:
    """Three trainings at once in one home: one of each framework as JSON, and an interrupted one."""
    home = furnish(tmp_path_factory.mktemp("commands"), unpacked_datasets)

    def start(*arguments: str, command: str = "train") -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "core", command, *arguments],
            cwd=PROJECT,
            env={**os.environ, "DUET_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(process: subprocess.Popen, errors: str = "") -> SimpleNamespace:
        output, rest = process.communicate(timeout=90)
        return SimpleNamespace(code=process.returncode, output=output, errors=errors + rest)

    interrupted = start(*_QUICK, "--recipe", "ann-100", "--framework", "pytorch", "--epochs", "1000")
    others = {
        "pytorch": start(*_QUICK, "--epochs", "2", "--json"),
        "keras": start(*_QUICK, "--framework", "keras", "--epochs", "2", "--json"),
    }
    announced = interrupted.stderr.readline() + interrupted.stderr.readline()  # the run, and its first epoch
    interrupted.send_signal(signal.SIGINT)
    yield SimpleNamespace(
        interrupted=finish(interrupted, announced),
        **{name: finish(process) for name, process in others.items()},
        runs=finish(start("--json", command="runs")),
        home=home,
    )
    processes.end(home)
    shutil.rmtree(home / "datasets")


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_figures_come_as_one_json_object_on_the_last_line(commands, framework):
    command = getattr(commands, framework)
    assert command.code == 0, command.errors
    figures = json.loads(command.output.splitlines()[-1])

    assert figures.keys() >= _FIGURES
    assert None not in [figures[name] for name in _FIGURES]
    assert (figures["framework"], figures["device"], figures["dataset"]) == (framework, "cpu", "mnist")
    assert (figures["architecture"], figures["parameters"], figures["epochs"]) == ("ann-100", 79_510, 2)
    assert figures["test_accuracy"] > 0.6


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_progress_goes_to_stderr(commands, framework):
    first, *epochs = getattr(commands, framework).errors.splitlines()

    assert first.endswith({"pytorch": "ann-100 in PyTorch", "keras": "ann-100 in Keras"}[framework])
    assert [line.split(" · ")[0] for line in epochs] == ["epoch 1.00 of 2", "epoch 2.00 of 2"]
    assert all(line.endswith(" left") for line in epochs)


def test_summary_for_people(commands, capsys):
    figures = json.loads(commands.pytorch.output.splitlines()[-1])
    train._show_summary(Store(f"sqlite:///{commands.home}/duet.sqlite3").get(figures["run_id"]), as_json=False)

    shown = capsys.readouterr().out
    assert f"Run {figures['run_id']} is done: ann-100 in PyTorch" in shown
    assert "parameters          79,510" in shown
    assert f"test accuracy       {figures['test_accuracy']:.4f}" in shown


def test_interrupted_training_stops_and_is_recorded(commands):
    assert commands.interrupted.code == 130
    assert "Traceback" not in commands.interrupted.errors
    (run,) = (run for run in json.loads(commands.runs.output) if run["state"] == "stopped")
    assert 0 < run["progress"] < 1
    assert commands.interrupted.output.startswith(f"Run {run['run_id']} was stopped after ")


def test_every_training_is_listed_and_has_a_log(commands):
    listed = json.loads(commands.runs.output)

    assert sorted(run["state"] for run in listed) == ["done", "done", "stopped"]
    for command in (commands.pytorch, commands.keras):
        assert json.loads(command.output.splitlines()[-1]) in listed
    for run in listed:
        assert "Preparing ann-100" in (commands.home / "runs" / run["run_id"] / "log.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--dataset", "emnist"], "Data set (--dataset): expected one of mnist, received 'emnist'."),
        (["--architecture", "vgg"], "Network (--architecture): expected one of cnn-64-32-32, ann-100"),
        (["--framework", "jax"], "Framework (--framework): expected one of pytorch, keras, received 'jax'."),
        (["--device", "tpu"], "Device (--device): expected auto, cpu, mps or gpu:0, gpu:1, …, received 'tpu'."),
        (["--device", "gpu:99"], "Device (--device): PyTorch has cpu"),
        (["--epochs", "many"], "Epochs (--epochs): expected a whole number from 1 to 1,000, received 'many'."),
        (["--epochs", "1.5"], "Epochs (--epochs): expected a whole number"),
        (["--epochs", "0"], "Epochs (--epochs): expected a whole number from 1 to 1,000, received '0'."),
        (["--epochs"], "Argument --epochs: expected one argument."),
        (["--batch-size", "-1"], "Batch size (--batch-size): expected a whole number"),
        (["--learning-rate", "nan"], "Learning rate (--learning-rate): expected a number above 0, at most 10"),
        (["--optimizer", "lion"], "Optimizer (--optimizer): expected one of sgd, adam, adamw, rmsprop"),
        (["--seed", "-1"], "Seed (--seed): expected a whole number"),
        (["--seeds", "0"], "Seeds (--seeds): expected a whole number from 1 to 20, received 0."),
        (["--seeds", "some"], "Argument --seeds: invalid int value: 'some'."),
        (["--recipe", "secret"], "Recipe (--recipe): expected one of"),
        (["--train-limit", "60001"], "Training limit (--train-limit): expected at most the 60,000 images of MNIST"),
        (["--train-limit", "3"], "Training limit (--train-limit): expected a whole number, at least 20"),
        (["--epoch", "3"], "Unrecognized arguments: --epoch 3."),
        (["--wings", "2"], "Unrecognized arguments: --wings 2."),
        (["mnist"], "Unrecognized arguments: mnist."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(duet_home, capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    output, errors = capsys.readouterr()
    assert caught.value.code == 2
    assert errors.startswith(sentence)
    assert errors.count("\n") == 1
    assert output == ""
    assert not (duet_home / "duet.sqlite3").exists()  # nothing was recorded


def test_refusal_reaches_the_shell():
    command = [sys.executable, "-m", "core", "train", "--device", "gpu:99"]
    refused = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Device (--device): PyTorch has cpu")
    assert refused.stderr.endswith("on this machine, received 'gpu:99'.\n")


def test_seeds_are_trained_one_after_the_other_as_a_group(monkeypatch, capsys):
    """What each trains is left out: it ends at once, with its seed's figures."""

    def end(store, run_id, attempt, **_options):
        seed = store.get(run_id).config.seed
        results = finished_results(test_accuracy=seed / 10, val_accuracy=0.5)
        store.finish(run_id, attempt, "done" if seed < 7 else "stopped", results)

    monkeypatch.setattr(train, "execute", end)

    code = main([*_QUICK, "--seed", "5", "--seeds", "4", "--json"])

    told = json.loads(capsys.readouterr().out)
    runs = Store(store_url()).find(order="oldest")
    assert code == 130, "it goes on after one that was stopped"
    assert [run.config.seed for run in runs] == [5, 6, 7]
    assert {run.group for run in runs} == {told["group"]}
    assert [run["seed"] for run in told["runs"]] == [5, 6, 7]
    assert told["spread"]["test_accuracy"] == {"mean": 0.55, "deviation": pytest.approx(0.1 / 2**0.5), "count": 2}


def test_damaged_database_is_told(duet_home, capsys):
    (duet_home / "duet.sqlite3").write_bytes(b"This is not a database. " * 500)

    assert cli.main(["train", *_QUICK]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert "is damaged" in line
