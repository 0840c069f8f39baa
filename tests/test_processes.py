"""What tests leave running is found and ended."""

import subprocess
import sys

from tests import processes

_STARTS_ANOTHER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("started", flush=True)
time.sleep(60)
"""


def test_processes_of_a_home_are_ended_with_those_they_started(duet_home):
    first = subprocess.Popen([sys.executable, "-c", _STARTS_ANOTHER], stdout=subprocess.PIPE, start_new_session=True)
    first.stdout.readline()
    assert len(processes.of_home(duet_home)) == 2

    ended = processes.end(duet_home)

    assert len(ended) == 2
    assert processes.of_home(duet_home) == []
    first.communicate()


def test_processes_of_another_home_are_left_alone(duet_home, tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"DUET_HOME": str(tmp_path / "other")}
    )

    assert processes.end(duet_home) == []
    assert other.poll() is None
    other.communicate(b"\n")
