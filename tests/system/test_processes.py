"""What tests leave running is found and ended, and a process that leaves leaves nothing lying about."""

import os
import subprocess
import sys

import pytest

from core.system.paths import PROJECT
from tests import processes

_STARTS_ANOTHER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("started", flush=True)
time.sleep(60)
"""


_TRAINS_AND_LEAVES = """
import os
import numpy as np
from core.networks.zoo import ARCHITECTURES
from core.engines import get_engine
from core.config import configure
from core.system.processes import fast_exit

engine = get_engine("keras").Engine(configure(), ARCHITECTURES["ann-100"], (28, 28, 1), 10)
engine.load_data(np.zeros((8, 28, 28, 1), np.uint8), np.zeros(8, np.int64))
engine.train(np.arange(8).reshape(1, 8))
print(len(os.listdir(os.environ["TMPDIR"])), flush=True)
fast_exit()
"""


@pytest.mark.slow
def test_keras_leaves_no_files_when_its_process_leaves(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # Python compiles what it imports unless it is told not to

    process = subprocess.run(
        [sys.executable, "-c", _TRAINS_AND_LEAVES],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert int(process.stdout.split()[-1]) > 0
    assert list(tmp_path.iterdir()) == []


def test_process_does_what_it_promised_for_its_end_and_leaves():
    leaves = (
        "import atexit; from core.system.processes import fast_exit; "
        "atexit.register(print, 'done', flush=True); fast_exit()"
    )

    process = subprocess.run([sys.executable, "-c", leaves], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)

    assert process.stdout == "done\n"


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
