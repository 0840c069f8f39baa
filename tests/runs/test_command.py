"""`python -m core.runs`: what it lists, what it changes, what it refuses."""

import json
import subprocess
import sys

import pytest

from core.home import PROJECT
from core.runs.__main__ import main
from tests.runs.making import CONFIG, running


def test_command_lists_the_runs_as_json(store):
    waiting = store.create(CONFIG, submission="a")
    run_id, attempt = running(store, "b")
    store.finish(run_id, attempt, "done", {"parameters": 79510, "test_accuracy": 0.9})

    command = [sys.executable, "-m", "core.runs", "--json"]
    listed = json.loads(subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout)

    assert [run["run_id"] for run in listed] == [run_id, waiting]
    assert [run["state"] for run in listed] == ["done", "queued"]
    assert (listed[0]["parameters"], listed[0]["test_accuracy"], listed[1]["test_accuracy"]) == (79510, 0.9, None)


def test_command_lists_the_runs_for_people(store, capsys):
    assert main([]) == 0
    assert "No runs yet" in capsys.readouterr().out
    run_id = store.create(CONFIG, submission="a")
    store.create(CONFIG, submission="b")

    main(["--limit", "1"])
    main([])

    one, two, three = capsys.readouterr().out.splitlines()
    assert one == two
    assert three.startswith(f"{run_id}  queued")


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--limit", "-3"], ["--limit", "many"], ["--limt"]])
def test_command_refuses_wrong_options_in_one_sentence(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    errors = capsys.readouterr().err
    assert arguments[0] in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("url")
def test_command_tells_of_a_damaged_database(database):
    database.write_bytes(b"This is not a database. " * 500)

    with pytest.raises(SystemExit, match="is damaged"):
        main([])
