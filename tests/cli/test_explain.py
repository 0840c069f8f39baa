"""`python -m core explain`: a picture, figures of two runs' agreement, and a sentence for what cannot be explained."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.explain import main
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.runs import open_store
from core.system.paths import store_url


@pytest.fixture(scope="module")
def duet_home(trained_home: Path) -> Iterator[Path]:
    """The home with trained runs, instead of an empty one for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(trained_home))
        yield trained_home


@pytest.fixture
def runs() -> list[str]:
    return [run.id for run in open_store(store_url()).find(states=("done",))]


@pytest.fixture
def seven(tmp_path) -> str:
    path = tmp_path / "seven.png"
    path.write_bytes(png(load("mnist").test.images[0]))
    return str(path)


def test_two_runs_are_explained_beside_each_other(runs, seven, tmp_path, capsys):
    picture = tmp_path / "why.png"

    code = main([runs[0], seven, "--method", "occlusion", "--beside", runs[1], "--out", str(picture), "--json"])

    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0
    assert [each["run"] for each in told["explanations"]] == runs
    for each in told["explanations"]:
        assert each["label"] == "7"
        assert np.shape(each["values"]) == (28, 28)
        assert np.abs(each["values"]).max() > 0
    assert -1 <= told["agreement"]["correlation"] <= 1
    assert 0 < told["agreement"]["overlap"] <= 1
    with Image.open(picture) as image:
        assert image.size == (3 * 280, 280)


def test_a_class_can_be_chosen_and_is_told(runs, seven, tmp_path, capsys):
    assert main([runs[0], seven, "--class", "1", "--framework", "pytorch", "--out", str(tmp_path / "why.png")]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{runs[0]}  {seven}  1  ")
    assert last == str(tmp_path / "why.png")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--method", "tea"), "Method (--method): expected one of integrated-gradients"),
        (("--method", "layer-cam"), "needs a convolution, and ann-100 has none"),
        (("--class", "x"), "Class (--class): expected one of 0, 1"),
        (("--beside", "0123456789ab"), "0123456789ab"),
        (("--out", "no/such/folder/why.png"), "Out (--out): no/such/folder/why.png cannot be written"),
    ],
)
def test_what_cannot_be_explained_gets_a_sentence(runs, seven, tmp_path, capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        main([runs[0], seven, "--framework", "pytorch", "--out", str(tmp_path / "why.png"), *arguments])

    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "why.png").exists()
