"""Training processes that died where no scheduler was there to notice: whoever looks at the runs records it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from core.cli.runs import main
from core.jobs import deaths
from core.jobs.deaths import note_deaths
from core.runs import Store, open_store
from core.system.paths import PROJECT
from tests.runs.making import CONFIG, LIVING
from tests.waiting import wait_for


@pytest.fixture
def gone() -> dict[str, float]:
    """What a run records of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return {"pid": process.pid, "process_started_at": 1.0}


@pytest.fixture
def ceased(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any heartbeat is long ago."""
    monkeypatch.setattr(deaths, "_CEASED_S", -1.0)


def running(store: Store, process: dict[str, float] | None) -> str:
    run_id = store.create(CONFIG, submission="a", claimed=True)
    if process:
        store.enter(run_id, 1, **process)
        store.begin(run_id, 1, total_steps=100)
    return run_id


@pytest.mark.usefixtures("ceased")
def test_death_is_recorded_and_the_run_resumed(store, gone, capsys):
    run_id = running(store, gone)

    main(["--json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["state"], told["cause"]) == ("failed", "killed")
    assert "is gone" in told["failure"]

    store.resume(run_id)
    assert store.get(run_id).state == "queued"


@pytest.mark.usefixtures("ceased")
@pytest.mark.parametrize(("asked", "state"), [("stop", "stopped"), ("pause", "paused")])
def test_death_of_a_run_that_was_asked_to_end_is_its_end(store, gone, asked, state):
    run_id = running(store, gone)
    getattr(store, f"request_{asked}")(run_id)

    note_deaths(store)

    assert store.get(run_id).state == state


@pytest.mark.usefixtures("ceased")
def test_living_process_is_left_alone(store):
    run_id = running(store, LIVING)

    note_deaths(store)

    assert store.get(run_id).state == "running"


def test_training_of_another_machine_that_gives_signs_of_life_is_left_alone(store, gone):
    run_id = running(store, gone)

    note_deaths(store)

    assert store.get(run_id).state == "running"


def test_start_that_nobody_made_is_noticed_after_its_deadline(store, monkeypatch):
    run_id = running(store, None)
    note_deaths(store)
    assert store.get(run_id).state == "starting"

    monkeypatch.setattr(deaths, "START_DEADLINE_S", -1.0)
    note_deaths(store)
    assert (store.get(run_id).state, store.get(run_id).cause) == ("failed", "not_started")


@pytest.mark.slow
@pytest.mark.usefixtures("ends_processes")
def test_killed_command_is_listed_as_failed_and_resumes(duet_home):  # noqa: ARG001 (runs of its own)
    """With nothing else of Duet running."""
    arguments = ["--architecture", "ann-100", "--train-limit", "500", "--batch-size", "1", "--epochs", "1000"]
    training = subprocess.Popen(
        [sys.executable, "-m", "core", "train", *arguments], cwd=PROJECT, stderr=subprocess.DEVNULL
    )
    store = open_store()
    wait_for(lambda: [run for run in store.find() if run.step > 0], seconds=60)
    os.kill(training.pid, signal.SIGKILL)
    training.wait()
    killed_at = time.monotonic()

    def listed() -> dict:
        command = [sys.executable, "-m", "core", "runs", "--json"]
        (run,) = json.loads(subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout)
        return run

    wait_for(lambda: listed()["state"] == "failed", seconds=10 - (time.monotonic() - killed_at))
    resume = [sys.executable, "-m", "core", "runs", "resume", listed()["run_id"]]
    assert subprocess.run(resume, cwd=PROJECT, capture_output=True, check=False).returncode == 0
    (run,) = store.find()
    wait_for(lambda: store.get(run.id).state == "running", seconds=60)
    assert store.get(run.id).attempt == 2
    store.request_stop(run.id)
    wait_for(lambda: store.get(run.id).state == "stopped", seconds=30)
