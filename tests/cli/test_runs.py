"""`python -m core runs`: what it lists, what it changes, what it refuses."""

import json
import subprocess
import sys

import numpy as np
import pytest

from core import cli
from core.cli.runs import main
from core.runs import Results
from core.system.paths import PROJECT
from tests.runs.making import CONFIG, finished_results, running


def test_command_lists_the_runs_as_json(store):
    waiting = store.create(CONFIG, submission="a")
    run_id, attempt = running(store, "b")
    store.finish(run_id, attempt, "done", Results(parameters=79510, test_accuracy=0.9))

    command = [sys.executable, "-m", "core", "runs", "--json"]
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


def test_command_tells_of_a_damaged_database(duet_home, capsys):
    (duet_home / "duet.sqlite3").write_bytes(b"This is not a database. " * 500)

    assert cli.main(["runs"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert "is damaged" in line


@pytest.fixture
def not_started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often a scheduler would have been started: none is."""
    started: list[str] = []
    monkeypatch.setattr("core.cli.runs.ensure_running", lambda: started.append("scheduler"))
    return started


def command(capsys: pytest.CaptureFixture, *arguments: str) -> list[dict]:
    """Run the command and return what it tells as JSON."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("not_started")
def test_runs_are_stopped_paused_and_resumed(store, capsys):
    first, second = (store.create(CONFIG, submission=name) for name in "ab")

    assert [run["state"] for run in command(capsys, "pause", first, second)] == ["paused", "paused"]
    assert [run["state"] for run in command(capsys, "resume", first)] == ["queued"]
    assert [run["state"] for run in command(capsys, "stop", first, second)] == ["stopped", "stopped"]
    assert [run["state"] for run in command(capsys, "retry", second)] == ["queued"]


def test_scheduler_is_started_where_there_is_something_for_it_to_do(store, not_started, capsys):
    run_id = store.create(CONFIG, submission="a")

    command(capsys, "stop", run_id)
    command(capsys, "tag", run_id, "x")
    assert not_started == []

    command(capsys, "resume", run_id)
    assert not_started == ["scheduler"]

    store.claim(run_id)
    command(capsys, "stop", run_id)  # if it does not listen, the scheduler ends it
    assert not_started == ["scheduler"] * 2


@pytest.mark.usefixtures("not_started")
def test_run_is_cloned_with_changed_settings(store, capsys):
    run_id = store.create(CONFIG, submission="a")

    (clone,) = command(capsys, "clone", run_id, "--set", "epochs=7", "--set", "batch-size=16")

    config = store.get(clone["run_id"]).config
    assert (clone["state"], config.epochs, config.batch_size) == ("queued", 7, 16)


@pytest.mark.usefixtures("not_started")
def test_runs_are_labelled_and_found(store, capsys):
    first, second = (store.create(CONFIG, submission=name) for name in "ab")

    command(capsys, "rename", first, "Baseline")
    command(capsys, "tag", first, "thesis", "old")
    command(capsys, "tag", first, "--remove", "old")
    (noted,) = command(capsys, "note", first, "Looks good.")

    assert (noted["name"], noted["tags"], noted["note"]) == ("Baseline", ["thesis"], "Looks good.")
    assert [run["run_id"] for run in command(capsys, "list", "--search", "base")] == [first]
    assert [run["run_id"] for run in command(capsys, "list", "--tag", "thesis")] == [first]
    assert [run["run_id"] for run in command(capsys, "list", "--state", "queued", "--limit", "1")] == [second]
    main([])
    assert "Baseline" in capsys.readouterr().out


@pytest.mark.usefixtures("not_started")
def test_runs_are_deleted_and_restored(store, capsys):
    run_id = store.create(CONFIG, submission="a")

    assert command(capsys, "delete", run_id)[0]["deleted"]
    assert command(capsys, "list") == []
    assert [run["run_id"] for run in command(capsys, "list", "--deleted")] == [run_id]

    assert not command(capsys, "restore", run_id)[0]["deleted"]
    assert len(command(capsys, "list")) == 1


@pytest.mark.usefixtures("not_started")
def test_waiting_runs_are_moved(store, capsys):
    first, second, third = (store.create(CONFIG, submission=name) for name in "abc")

    command(capsys, "move", third, "front")
    command(capsys, "priority", second, "1")

    assert [run["run_id"] for run in command(capsys, "list", "--queue")] == [second, third, first]


VERBS = {
    "stop": [],
    "pause": [],
    "resume": [],
    "retry": [],
    "delete": [],
    "restore": [],
    "clone": [],
    "rename": ["name"],
    "tag": ["x"],
    "note": ["text"],
    "move": ["up"],
    "priority": ["1"],
}


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "0123456789abc", "0123456789a\0", "0123456789AB", "runs", ""])
@pytest.mark.parametrize("verb", VERBS)
def test_id_that_is_none_is_refused_in_one_sentence(capsys, verb, run_id):
    with pytest.raises(SystemExit) as caught:
        main([verb, run_id, *VERBS[verb]])

    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("Run id: expected twelve digits or letters a–f")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stop", "0123456789ab"], "There is no run '0123456789ab' here."),
        (["stop"], "RUN_ID"),
        (["resume", "QUEUED"], "is queued: only one that has failed"),
        (["clone", "QUEUED", "--set", "epochs"], "--set: expected SETTING=VALUE such as epochs=5, received 'epochs'."),
        (["clone", "QUEUED", "--set", "epochs=0"], "Epochs (--epochs): expected"),
        (["move", "QUEUED", "sideways"], "invalid choice: 'sideways'"),
        (["priority", "QUEUED", "11"], "Priority: expected a whole number from -10 to 10"),
        (["list", "--state", "broken"], "invalid choice: 'broken'"),
        (["list", "--limit", "0"], "expected a whole number, at least 1"),
        (["list", "--offset", "-1"], "--offset"),
        (["burn", "QUEUED"], "invalid choice: 'burn'"),
    ],
)
@pytest.mark.usefixtures("not_started")
def test_wrong_input_is_refused_in_one_sentence(store, capsys, arguments, told):
    run_id = store.create(CONFIG, submission="a")

    with pytest.raises(SystemExit) as caught:
        main([run_id if argument == "QUEUED" else argument for argument in arguments])

    assert caught.value.code == 2
    errors = capsys.readouterr().err
    assert told in errors
    assert errors.count("\n") == 1
    assert store.count() == 1


@pytest.mark.usefixtures("not_started")
def test_nothing_is_changed_where_one_id_is_wrong(store, capsys):
    run_id = store.create(CONFIG, submission="a")

    with pytest.raises(SystemExit):
        main(["stop", run_id, "0123456789ab"])

    capsys.readouterr()
    assert store.get(run_id).state == "queued"


def test_run_that_learnt_nothing_is_listed_so(store, capsys):
    run_id, attempt = running(store, "a")
    store.finish(run_id, attempt, "done", finished_results(test_accuracy=0.5, confusion=[[50, 0], [50, 0]]))

    (told,) = command(capsys, "list")
    main([])

    assert told["doubt"]["symptom"] == "one_class"
    assert "but it predicts one class" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["pause", "stop", "resume", "retry", "delete", "restore"])
def test_change_that_does_nothing_says_so(store, capsys, not_started, verb):
    done, attempt = running(store, "a")
    store.finish(done, attempt, "done", Results())
    if verb == "delete":
        store.delete(done)

    with pytest.raises(SystemExit) as caught:
        main([verb, done])
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"Run {done} is ")
    assert (said.err.count("\n"), said.out, not_started) == (1, "", [])


def test_what_can_be_changed_is_changed_and_the_rest_told(store, capsys, not_started):
    done, attempt = running(store, "a")
    store.finish(done, attempt, "done", Results())
    waiting, other = (store.create(CONFIG, submission=name) for name in "bc")

    with pytest.raises(SystemExit) as caught:
        main(["pause", waiting, done, other, waiting])
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert [store.get(run_id).state for run_id in (waiting, other)] == ["paused", "paused"]
    assert f"Run {done} is done: only one that waits or trains can be paused." in said.err
    assert [line.split()[0] for line in said.out.splitlines()] == [waiting, other]
    assert not_started == []

    with pytest.raises(SystemExit):
        main(["tag", done])
    assert "expected at least one" in capsys.readouterr().err


def test_command_shows_a_run_with_what_is_to_be_said_of_it(store, capsys):
    matrix = np.diag([100] * 10)
    matrix[4, 4], matrix[4, 9] = 60, 40
    run_id, attempt = running(store)
    store.finish(run_id, attempt, "done", finished_results(confusion=matrix.tolist(), test_accuracy=0.96))
    waiting = store.create(CONFIG, submission="b")

    assert main(["show", run_id, waiting]) == 0
    first, said, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{run_id}  done")
    assert said.strip().startswith("4 and 9 are confused: 40 of 200 test images of the two (20.0%)")
    assert second.startswith(f"{waiting}  queued")

    assert main(["show", "--json", run_id, waiting]) == 0
    shown, other = json.loads(capsys.readouterr().out)
    (finding,) = shown["findings"]
    assert (finding["name"], finding["view"], finding["cell"]) == ("classes_confused", "Errors", "4-9")
    assert finding["figures"]["count"] == 40
    assert other["findings"] == []
