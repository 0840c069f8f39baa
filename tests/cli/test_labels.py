"""`python -m core labels`: suspects as JSON alone on stdout, and a data set made of decisions."""

import json

import pytest

from core import datasets
from core.cli.datasets import main as datasets_main
from core.cli.labels import main
from core.datasets.decisions import Notebook, read_decisions
from tests.sample_data import store_checked


@pytest.fixture
def checked() -> datasets.Dataset:
    """A data set whose check has been made and found images 3 and 1."""
    return store_checked()


@pytest.mark.usefixtures("checked")
def test_suspects_are_one_json_list_the_most_suspicious_first(capsys):
    main(["check", "tiny", "--json"])

    assert json.loads(capsys.readouterr().out) == [
        {"split": "train", "index": 3, "label": "dog", "suggested": "cat", "score": 0.125},
        {"split": "train", "index": 1, "label": "dog", "suggested": "cat", "score": 0.25},
    ]


@pytest.mark.usefixtures("checked")
def test_suspects_are_lines_and_what_is_said_of_them_goes_to_stderr(capsys):
    main(["check", "tiny", "--limit", "1"])

    printed = capsys.readouterr()
    assert printed.out == "train       3  labelled dog, suggested cat, score 0.1250\n"
    assert printed.err == (
        "2 of 6 training images are suspected; about 1 labels are wrong, by the estimate of cleanlab.\n"
    )


@pytest.mark.usefixtures("checked")
def test_what_check_prints_can_be_decided_on_and_applied(tmp_path, capsys):
    main(["check", "tiny", "--json"])
    suspects = json.loads(capsys.readouterr().out)
    suspects[0]["action"] = "relabel"
    decisions = tmp_path / "decisions.json"
    decisions.write_text(json.dumps(suspects))

    main(["apply", "tiny", str(decisions), "--name", "Better", "--json"])

    made = json.loads(capsys.readouterr().out)
    assert made["name"] == "better"
    assert made["derived_from"] == "tiny"
    assert (made["decisions"], made["undecided"]) == (1, 1)
    assert datasets.load("better").train.labels.tolist() == [0, 1, 0, 0, 0, 1]
    datasets_main(["--json"])
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["better"]["derived_from"] == "tiny"
    assert rows["tiny"]["derived_from"] is None


def test_the_dashboards_own_file_can_be_applied(checked, capsys):
    notebook = Notebook(checked)
    entry = {"split": "train", "index": 1, "action": "leave out"}
    (decision,) = read_decisions([entry], checked).decisions
    notebook.decide(decision, by="ada", check={"folds": 5})

    main(["apply", "tiny", str(notebook.path), "--name", "Better"])

    assert "Better (better) is here, made of Tiny: 1 left out\n  5 images to train on" in capsys.readouterr().out


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "could not be read: No such file"),
        ("[{", "expected JSON in"),
        ('[{"split": "train", "index": 99, "action": "keep"}]', "entry 1: expected a whole number from 0 to 5"),
        ("[]", "expected at least one that relabels an image"),
    ],
)
def test_what_cannot_be_applied_is_refused_with_a_sentence(tmp_path, capsys, content, sentence):
    decisions = tmp_path / "decisions.json"
    if content is not None:
        decisions.write_text(content)

    with pytest.raises(SystemExit) as ended:
        main(["apply", "tiny", str(decisions), "--name", "Better"])

    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert sentence in printed.err
    assert not printed.out


def test_a_data_set_that_is_not_here_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["check", "nothing"])
    assert "expected one of mnist, received 'nothing'" in capsys.readouterr().err


def test_the_help_tells_the_form_of_decisions(capsys):
    with pytest.raises(SystemExit):
        main(["apply", "--help"])
    assert '"action": "leave out"}' in capsys.readouterr().out
