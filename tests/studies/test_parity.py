"""How far the frameworks part: measured on the smallest network, with the command and the docs' page."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core.cli import parity as command
from core.config.optimizers import OPTIMIZERS
from core.engines import get_engine
from core.engines.framework_defaults import FRAMEWORK_DEFAULTS
from core.networks.layers import Dropout
from core.networks.zoo import ARCHITECTURES
from core.studies import parity
from core.studies.parity import Divergence, Parity, Step, from_json, measure, to_json, to_markdown, without_dropout
from core.system.text import is_no_text
from tests.hostile_names import HOSTILE_CONTROLS

MEASURED = Parity(
    architecture="cnn-32-64-dropout",
    optimizer="adam",
    precision="float64",
    defaults="aligned",
    without_dropout=True,
    tolerance=1e-9,
    logits=1e-16,
    steps=(Step(1, 1e-16, 2e-14, 1e-15), Step(2, 3e-15, None, 4e-14)),
    divergence=None,
    losses=(2.3, 2.2),
    seconds=1.5,
)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_an_aligned_pair_keeps_what_is_promised(precision):
    seen = []

    found = measure("ann-100", "rmsprop", precision, steps=12, on_step=seen.append)

    assert found.passed
    assert found.reason == ""
    assert found.divergence is None
    assert seen == [step.step for step in found.steps] == list(range(1, 13))
    assert [step.step for step in found.steps if step.gradients is not None] == [1, 11]
    assert found.losses[1] < found.losses[0], "nothing was learnt"
    assert 0 < found.loss < (1e-4 if precision == "float32" else 1e-12)


def test_own_defaults_part_at_the_first_step():
    found = measure("ann-100", "rmsprop", "float64", steps=3, defaults="framework")

    assert found.divergence.layer == "dense_1"
    assert found.divergence.step == 1
    assert found.loss > 0.01
    assert not found.passed
    assert "defaults" in found.reason


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_wrong_engine_does_not_pass(monkeypatch, optimizer):
    """A defect of the size of one default must be seen: the measurement can fail."""
    engine_module = get_engine("keras")
    normalise = engine_module.Engine._normalise
    monkeypatch.setattr(engine_module.Engine, "_normalise", lambda self, *images: normalise(self, *images) * (1 + 1e-7))

    found = measure("ann-100", optimizer, "float64", steps=3)

    assert not found.passed
    assert found.reason.startswith("Step 1:")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_dropout_is_switched_off_and_nothing_else(name):
    described = ARCHITECTURES[name]

    tried = without_dropout(described)

    changed = [(before, after) for before, after in zip(described.layers, tried.layers, strict=True) if before != after]
    assert all(isinstance(before, Dropout) and after.rate == 0 for before, after in changed)
    assert sum(isinstance(layer, Dropout) for layer in described.layers) == len(changed)


def test_a_layer_is_measured_as_a_whole():
    """A bias that should stay at zero is noise, and counts by the size of its kernel."""
    first = {"dense_1/kernel": np.array([2.0, -4.0]), "dense_1/bias": np.array([1e-12])}
    second = {"dense_1/kernel": np.array([2.0, -4.0]), "dense_1/bias": np.array([-1e-12])}

    assert parity._by_layer(first, second) == {"dense_1": pytest.approx(5e-13)}


def test_survives_json():
    parted = replace(MEASURED, divergence=Divergence("dense_1", 2, 1e-8))
    values = json.loads(json.dumps(to_json([MEASURED, parted])))

    assert from_json(values) == [MEASURED, parted]
    assert len(values["defaults"]) == len(FRAMEWORK_DEFAULTS)
    assert {"torch", "keras", "tensorflow", "numpy"} <= values["versions"].keys()


def test_the_page_of_the_docs_gives_a_reason_for_what_is_not_kept():
    missed = replace(MEASURED, optimizer="sgd", steps=(Step(1, 1e-16, 2e-14, 1e-15), Step(2, 3e-7, None, 4e-6)))
    rough = [replace(each, precision="float32", logits=3e-7) for each in (MEASURED, missed)]

    page = to_markdown([rough[0], MEASURED, rough[1], missed])

    assert "| cnn-32-64-dropout* | Adam | 3.0e-07 | 3.0e-15 |" in page
    assert (
        "| cnn-32-64-dropout | SGD with momentum | float64 | Step 2: the first gradients differ by 2e-14 only" in page
    )
    assert all(f"| {row.name} |" in page for row in FRAMEWORK_DEFAULTS)


def test_command_prints_json_and_progress(capsys):
    assert command.main(["--architecture", "ann-100", "--optimizer", "sgd", "--steps", "2", "--json"]) == 0

    shown = capsys.readouterr()
    assert [each["precision"] for each in json.loads(shown.out)["measured"]] == ["float32", "float64"]
    assert shown.err.splitlines()[-1] == "100% ann-100, SGD with momentum, float64"


def test_command_joins_what_others_have_measured(capsys, tmp_path):
    parts = {"adam": MEASURED, "sgd": replace(MEASURED, optimizer="sgd", architecture="ann-100")}
    for name, part in parts.items():
        (tmp_path / name).write_text(json.dumps(to_json([part])))

    assert command.main(["--json", "--read", *(str(tmp_path / name) for name in parts)]) == 0
    assert from_json(json.loads(capsys.readouterr().out)) == [parts["sgd"], parts["adam"]]


@pytest.mark.parametrize("form", [[], ["--markdown"]])
def test_a_file_of_others_commands_no_terminal(capsys, tmp_path, form):
    for number, name in enumerate(HOSTILE_CONTROLS):
        named = [
            replace(MEASURED, architecture=name, without_dropout=True, precision=precision)
            for precision in ("float32", "float64")
        ]
        (tmp_path / f"{number}").write_text(json.dumps(to_json(named)))

    command.main([*form, "--read", *(str(path) for path in tmp_path.iterdir())])

    told = "".join(capsys.readouterr())
    assert not [letter for letter in told if letter != "\n" and is_no_text(letter)]
    assert "\\x1b" in told


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimizer": "lion"},
        {"optimizer": "\x1b[2J"},
        {"precision": "float16"},
        {"logits": "many"},
        {"losses": [1]},
        {"steps": []},
        {"steps": [{"loss": 1}]},
        {"steps": [{"number": "x"}]},
        {"architecture": 7},
        {"tolerance": None},
    ],
    ids=str,
)
def test_a_file_of_something_else_is_refused(capsys, tmp_path, wrong):
    values = to_json([MEASURED])
    values["measured"][0].update(wrong)
    (tmp_path / "a.json").write_text(json.dumps(values))

    with pytest.raises(SystemExit) as end:
        command.main(["--read", str(tmp_path / "a.json")])

    told = capsys.readouterr().err
    assert end.value.code == 2
    assert told.startswith("Files (--read): expected what this command has written with --json, received")
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--architecture", "vgg"], "Network (--architecture): expected one of"),
        (
            ["--optimizer", "lion"],
            f"Optimizer (--optimizer): expected one of {', '.join(OPTIMIZERS)}, received 'lion'.",
        ),
        (["--read", "nowhere.json"], "Files (--read): expected what this command has written with --json, received"),
        (["--steps", "0"], "Argument --steps: expected a whole number from 1 to 10,000, received '0'."),
    ],
)
def test_command_refuses_with_one_sentence(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as end:
        command.main(arguments)

    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(sentence)
