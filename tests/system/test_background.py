"""Background jobs: begun once, watched, cancelled, and told from dead ones."""

import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.system import background
from core.system.background import Job, Status
from core.system.paths import PROJECT
from core.system.processes import ProcessId
from tests import processes
from tests.waiting import wait_for


@pytest.fixture
def folder(duet_home) -> Iterator[Path]:
    """Where the notes of a job may lie; what it leaves running is ended."""
    yield duet_home / "jobs" / "one"
    processes.end(duet_home)


def begin(job: Job, conduct: str, **options) -> bool:
    return job.start("tests.system.work", conduct, str(job.folder), **options)


def until_it_ends(job: Job) -> Status:
    wait_for(lambda: not job.is_running())
    return job.status()


def test_what_was_never_started_says_so(folder):
    job = Job(folder)

    assert job.status() == Status("never")
    assert not job.is_running()
    assert job.note() == {}
    job.cancel()
    assert job.status() == Status("never")
    assert not folder.exists()


def test_job_runs_apart_and_keeps_what_it_has_found(folder):
    job = Job(folder)

    assert begin(job, "ends", output=folder.parent / "output.txt", path="/a b")

    assert until_it_ends(job) == Status("done", 1.0, "It is here.", {"images": 7})
    assert job.note()["path"] == "/a b"
    assert (folder.parent / "output.txt").read_text() == "the result\n"
    assert Job(folder).status() == job.status()  # as another visitor, or the next dashboard, sees it


@pytest.mark.parametrize(
    ("conduct", "status"),
    [
        ("reports", Status("running", 0.25, "A quarter.")),
        ("prints", Status("running", 0.4, "cnn-quick, Adam")),
        ("waits", Status("running")),
    ],
)
def test_progress_is_that_of_the_journal_or_the_log(folder, conduct, status):
    job = Job(folder)
    begin(job, conduct)

    wait_for(lambda: job.status() == status)


_STARTS = """
import sys
from collections.abc import Iterator
from pathlib import Path
from core.system.background import Job
sys.stdin.readline()
print(Job(Path(sys.argv[1])).start("tests.system.work", "waits", sys.argv[1]))
"""


def test_several_who_start_it_at_once_start_one(folder, duet_home):
    visitors = [
        subprocess.Popen(
            [sys.executable, "-c", _STARTS, str(folder)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    for visitor in visitors:
        visitor.stdin.write("\n")
        visitor.stdin.flush()
    answers = [visitor.communicate()[0].strip() for visitor in visitors]

    assert sorted(answers) == ["False", "False", "False", "True"]
    assert [process.pid for process in processes.of_home(duet_home)] == [Job(folder).note()["pid"]]


def test_what_runs_is_not_started_again_nor_what_there_is_a_reason_not_to(folder, duet_home):
    job = Job(folder)

    assert not begin(job, "waits", unless=lambda: True)
    assert processes.of_home(duet_home) == []
    assert begin(job, "waits")
    first = job.note()
    assert not begin(job, "waits")
    assert job.note() == first


def test_job_whose_process_has_died_has_failed_with_its_last_words_and_can_begin_again(folder):
    job = Job(folder)
    begin(job, "dies")

    assert until_it_ends(job) == Status("failed", 0.5)
    assert job.last_words() == "It ended unexpectedly; jobs/one/log.txt in Duet's folder may say why."
    job.log.write_text('Traceback (most recent call last):\n  File "/srv/duet/core/x.py", line 1\nOSError: /srv/duet\n')
    assert job.last_words() == "It ended unexpectedly; jobs/one/log.txt in Duet's folder may say why."
    job.log.write_text("40% of it\nThere is no room for the data set.\n")
    assert job.last_words() == "There is no room for the data set."
    assert begin(job, "waits")
    assert job.status() == Status("running")


def test_killed_job_has_failed_unless_its_result_is_there(folder):
    begin(Job(folder), "waits")
    psutil.Process(Job(folder).note()["pid"]).kill()
    wait_for(lambda: not Job(folder).is_running())

    assert Job(folder).status() == Status("failed")
    assert Job(folder, is_done=lambda: True).status() == Status("done", 1.0)


def test_refusal_of_the_job_itself_is_told(folder):
    job = Job(folder)
    begin(job, "refuses")

    assert until_it_ends(job) == Status("failed", 1.0, "It is too large.")
    job.cancel()
    assert job.status().state == "failed"


def test_cancelled_job_is_gone_and_stays_cancelled(folder, duet_home):
    job = Job(folder)
    begin(job, "reports")
    wait_for(lambda: job.status().share == 0.25)

    job.cancel()

    assert processes.of_home(duet_home) == []
    assert job.status() == Status("cancelled", 0.0, "It was cancelled.")
    assert begin(job, "waits")


def test_process_that_is_gone_before_it_was_noted_has_failed(folder, monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setattr(background, "spawn", lambda *_arguments, **_options: gone)
    job = Job(folder)

    assert job.start("a.module")

    assert job.status() == Status("failed")


def test_process_that_cannot_be_noted_is_ended(folder, duet_home, monkeypatch):
    def full(_path, _value, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(background, "write_json", full)
        with pytest.raises(OSError, match="No space left"):
            begin(Job(folder), "waits")

    wait_for(lambda: not processes.of_home(duet_home))
    assert Job(folder).status() == Status("never")


def test_later_process_of_the_same_number_is_not_taken_for_it(folder):
    job = Job(folder)
    folder.mkdir(parents=True)
    stranger = ProcessId.of(psutil.Process().pid)
    (folder / "process.json").write_text(json.dumps(stranger._replace(started_at=stranger.started_at - 100)._asdict()))

    assert job.status() == Status("failed")
    job.cancel()  # leaves this very process alone


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"pid": "x", "started_at": 1}', '{"pid": -1, "started_at": 1}']
)
@pytest.mark.parametrize("name", ["process.json", "progress.json"])
def test_damaged_notes_are_none(folder, name, content):
    folder.mkdir(parents=True)
    (folder / name).write_text(content)

    assert not Job(folder).is_running()
    assert Job(folder).status().state in ("never", "failed")
    assert begin(Job(folder), "waits")
