"""`python -m core predict`: answers as a table and as JSON, and a sentence for whatever cannot be read."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.cli.predict import main
from core.config import configure
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.inference.prediction_json import prediction_json
from core.inference.service import prediction_service
from core.inference.temperature import temperature_of
from core.runs import new_id, open_store
from core.system.paths import PROJECT, run_directory, store_url
from core.training import checkpoints, familiarity
from core.training.calibration import apply_temperature
from tests.bad_files import bad_files


@pytest.fixture(scope="module")
def duet_home(trained_home: Path) -> Iterator[Path]:
    """The home with trained runs, instead of an empty one for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(trained_home))
        yield trained_home


def run_of(framework: str) -> str:
    runs = open_store(store_url()).find(states=("done",))
    return next(run.id for run in runs if run.config.framework == framework)


def own_probabilities(framework: str) -> np.ndarray:
    """Return the network's own probabilities of the test images."""
    return checkpoints.read_arrays(run_directory(run_of(framework)) / "test.safetensors")["probabilities"]


def predict(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "core", "predict", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("framework", ["pytorch", pytest.param("keras", marks=pytest.mark.slow)])
def test_good_images_are_answered_beside_bad_ones(framework, tmp_path):
    digits, files = load("mnist").test.images[:3], {}
    for i, digit in enumerate(digits):
        files[tmp_path / f"{i}.png"] = png(digit)
    for name, (data, _) in bad_files().items():
        files[tmp_path / name] = data
    for path, data in files.items():
        path.write_bytes(data)
    missing = tmp_path / "missing.png"

    done = predict(run_of(framework), *files, missing, "--json")

    assert done.returncode == 2
    answers = json.loads(done.stdout.splitlines()[-1])
    assert [answer["file"] for answer in answers] == [*map(str, files), str(missing)]
    tested = apply_temperature(own_probabilities(framework), temperature_of(run_of(framework)))
    for answer, probabilities in zip(answers[:3], tested, strict=False):
        told = ["file", "label", "probability", "probabilities", "unfamiliar", "score", "warnings", "found"]
        assert list(answer) == told
        assert [each["label"] for each in answer["found"]] == [answer["label"]]
        assert answer["found"][0]["box"] == [0, 0, 28, 28]
        assert answer["label"] == str(probabilities.argmax())
        assert list(answer["probabilities"]) == [str(label) for label in range(10)]
        np.testing.assert_allclose(list(answer["probabilities"].values()), probabilities, atol=1e-3)
        assert (
            answer["probability"] == answer["probabilities"][answer["label"]] == max(answer["probabilities"].values())
        )
    reasons = [reason for _, reason in bad_files().values()] + ["No such file"]
    for answer, reason in zip(answers[3:], reasons, strict=True):
        assert list(answer) == ["file", "error"]
        assert answer["error"].startswith(answer["file"])
        assert reason in answer["error"]
    assert done.stderr.splitlines() == [answer["error"] for answer in answers[3:]]


def test_the_table_has_a_line_an_image(tmp_path):
    (tmp_path / "seven.png").write_bytes(png(load("mnist").test.images[0]))

    done = predict(run_of("pytorch"), tmp_path / "seven.png", tmp_path / "seven.png")

    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    tested = apply_temperature(own_probabilities("pytorch"), temperature_of(run_of("pytorch")))[0]
    assert lines[0].split()[:3] == [str(tmp_path / "seven.png"), str(tested.argmax()), f"{tested.max():.2%}"]


def test_the_networks_own_probabilities_are_printed_where_asked_for(tmp_path, capsys):
    (tmp_path / "seven.png").write_bytes(png(load("mnist").test.images[0]))

    assert main([run_of("pytorch"), str(tmp_path / "seven.png"), "--json", "--uncalibrated"]) == 0

    (answer,) = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(list(answer["probabilities"].values()), own_probabilities("pytorch")[0], atol=1e-5)


def test_what_the_page_predicts_is_printed(tmp_path, capsys):
    run_id, images = run_of("pytorch"), load("mnist").test.images[:5]
    files = [tmp_path / f"{i}.png" for i in range(len(images))]
    for file, image in zip(files, images, strict=True):
        file.write_bytes(png(image))

    assert main([run_id, *map(str, files), "--json"]) == 0

    service = prediction_service("pytorch")
    for printed, file in zip(json.loads(capsys.readouterr().out), files, strict=True):
        shown = prediction_json(service.read(run_id, file.read_bytes(), str(file)))
        own = prediction_json(service.read(run_id, file.read_bytes(), str(file), calibrated=False))
        assert shown["probabilities"] == pytest.approx(printed["probabilities"], abs=1e-6)
        assert shown["score"] == pytest.approx(printed["score"], abs=1e-3)
        for key in ("file", "label", "unfamiliar", "warnings"):
            assert shown[key] == printed[key]
        assert own["probabilities"] != pytest.approx(printed["probabilities"], abs=1e-3)
    service.close()


def test_what_is_familiar_is_found_out_once(tmp_path, capsys, monkeypatch):
    (tmp_path / "seven.png").write_bytes(png(load("mnist").test.images[0]))
    run_id = run_of("pytorch")
    (run_directory(run_id) / "familiarity.safetensors").unlink(missing_ok=True)
    asked = [run_id, str(tmp_path / "seven.png"), "--json"]

    assert main(asked) == 0
    (first,) = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(familiarity, "measure", None)  # who measures again, fails
    assert main(asked) == 0

    (second,) = json.loads(capsys.readouterr().out)
    assert first["score"] > 0
    assert second["score"] == pytest.approx(first["score"], rel=0.02)  # it is kept in half precision


def test_as_csv_no_name_is_a_formula(tmp_path):
    (tmp_path / "=1+1.png").write_bytes(png(load("mnist").test.images[0]))
    command = [sys.executable, "-m", "core", "predict", run_of("pytorch"), "=1+1.png", "--csv"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)

    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["file"] == "'=1+1.png"
    assert row["label"] in "0123456789"
    assert float(row["probability"]) == max(float(row[f"p({label})"]) for label in range(10))


def untrained() -> str:
    return open_store(store_url()).create(configure(), submission=new_id())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (lambda: ["0123456789ab", "seven.png"], "There is no run '0123456789ab' here."),
        (lambda: ["../../etc", "seven.png"], "There is no run '../../etc' here."),
        (lambda: [untrained(), "seven.png"], "has no checkpoint yet"),
        (lambda: ["0123456789ab"], "The following arguments are required: IMAGE."),
        (lambda: ["0123456789ab", "seven.png", "--jsn"], "Unrecognized arguments: --jsn."),
    ],
)
def test_wrong_input_is_refused_with_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(arguments())

    assert refusal.value.code == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""
