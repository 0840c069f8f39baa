"""`python -m core search`: what it finds and prints, and what it refuses."""

import json
import subprocess
import sys

import pytest

from core import cli
from core.runs import Store, open_store
from core.system.paths import PROJECT, store_url


@pytest.mark.slow
@pytest.mark.usefixtures("ends_processes")
def test_command_searches_and_prints_what_it_found():
    command = [
        sys.executable,
        "-m",
        "core",
        "search",
        "--vary",
        "batch-size=16,64",
        "--vary",
        "learning_rate=0.01..0.1:log",
    ]
    options = ["--trials", "2", "--architecture", "ann-100", "--train-limit", "300", "--epochs", "1", "--json"]

    done = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True, timeout=180)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [trial["state"] for trial in found["trials"]] == ["done", "done"]
    best = max(found["trials"], key=lambda trial: trial["val_accuracy"])
    assert (found["best"]["settings"], found["best"]["val_accuracy"]) == (best["settings"], best["val_accuracy"])
    store = Store(store_url())
    for trial in found["trials"]:
        run = store.get(trial["run_id"])
        assert trial["settings"] == {"batch_size": run.config.batch_size, "learning_rate": run.config.learning_rate}
        assert run.results.val_accuracy == trial["val_accuracy"]
    store.close()
    assert "Trial 2 of 2: batch_size=" in done.stderr


@pytest.fixture
def search_id(monkeypatch, capsys) -> str:
    monkeypatch.setattr("core.studies.search.control.ensure_driving", lambda: None)
    monkeypatch.setattr("core.cli.search._watch", lambda *_arguments: False)
    assert cli.main(["search", "--vary", "batch-size=16,64", "--architecture", "ann-100", "--json"]) == 1
    return json.loads(capsys.readouterr().out)["search_id"]


def test_a_search_is_shown_listed_and_changed(search_id, capsys):
    assert cli.main(["search", "show", search_id, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["search_id"], shown["state"], shown["best"], shown["trials"]) == (search_id, "running", None, [])

    assert cli.main(["search", "pause", search_id]) == 0
    assert f"Search {search_id} is paused: batch_size=16, 64." in capsys.readouterr().out
    assert open_store().search(search_id).state == "paused"
    assert cli.main(["search", "list"]) == 0
    assert capsys.readouterr().out.startswith(f"{search_id}  paused")
    with pytest.raises(SystemExit) as left:
        cli.main(["search", "extend", search_id, "--trials", "3"])
    assert left.value.code == 2
    assert "expected more of what limits this search" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--trials", "3"], "The following arguments are required: --vary. See "),
        (["--vary", "batchsize=3"], "Unknown setting 'batchsize': expected one of dataset"),
        (["--vary", "learning-rate=1..0.1"], "Learning rate (--learning-rate): the range is empty"),
        (["--vary", "batch-size=32", "--epochs", "0"], "Epochs (--epochs): expected a whole number from 1"),
        (["show", "0123456789ab"], "There is no search '0123456789ab' here"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_is_wrong_is_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["search", *arguments])

    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(sentence)
