"""What tests leave running is found and ended, and a process that leaves leaves nothing lying about."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from core.system.paths import PROJECT
from core.system.processes import ProcessId, kill_with_children
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
from core.config import configure
from core.engines import get_engine
from core.networks.layers import Convolution
from core.system.processes import fast_exit
from tests.sample_networks import network

grouped = network(Convolution(filters=4), Convolution(filters=4, groups=2))
engine = get_engine("keras").Engine(configure(), grouped, (8, 8, 1), 10)
engine.load_data(np.zeros((8, 8, 8, 1), np.uint8), np.zeros(8, np.int64))
engine.train(np.arange(8).reshape(1, 8))
engine.predict(np.zeros((1, 8, 8, 1), np.uint8))
engine.gradients(np.arange(8))
print([name for _, _, names in os.walk(os.environ["TMPDIR"]) for name in names], flush=True)
fast_exit()
"""


@pytest.mark.slow
def test_keras_writes_no_files_that_would_outlive_its_process(tmp_path):
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

    assert process.stdout.splitlines()[-1] == "[]", "a killed process would leave them"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_process_that_leaves_writes_out_what_it_said(tmp_path):
    log = tmp_path / "log.txt"
    leaves = (
        "import logging, sys; from logging.handlers import MemoryHandler; "
        "from core.system.processes import fast_exit; "
        f"kept = MemoryHandler(100, target=logging.FileHandler({str(log)!r})); "
        "logging.getLogger().addHandler(kept); logging.warning('logged'); print('printed'); fast_exit(); print('never')"
    )

    process = subprocess.run([sys.executable, "-c", leaves], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)

    assert (process.stdout, log.read_text()) == ("printed\n", "logged\n")


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


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


class TestProcessId:
    def test_lives_until_it_has_ended(self, sleeper):
        known = ProcessId.of(sleeper.pid)
        assert known.is_alive()

        sleeper.kill()
        while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert not known.is_alive()
        sleeper.wait()
        assert not known.is_alive()
        assert not ProcessId.of(sleeper.pid).is_alive()

    def test_is_not_a_later_process_of_its_number(self, sleeper):
        known = ProcessId.of(sleeper.pid)

        assert not known._replace(started_at=known.started_at - 5).is_alive()
        assert known._replace(started_at=known.started_at + 0.4).is_alive()  # as a note may round it

    @pytest.mark.parametrize("asked", ["status", "create_time"])
    @pytest.mark.parametrize("error", [psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess])
    def test_that_may_not_be_looked_at_is_none_of_ours(self, sleeper, monkeypatch, asked, error):
        known = ProcessId.of(sleeper.pid)

        def refuse(process):
            raise error(process.pid)

        monkeypatch.setattr(psutil.Process, asked, refuse)

        assert not known.is_alive()

    def test_that_may_not_be_looked_at_can_be_named(self, sleeper, monkeypatch):
        def refuse(process):
            raise psutil.AccessDenied(process.pid)

        with monkeypatch.context() as patch:
            patch.setattr(psutil.Process, "create_time", refuse)
            known = ProcessId.of(sleeper.pid)

        assert not known.is_alive()

    @pytest.mark.parametrize("pid", [-1, 2**22 + 1, 2**80])
    def test_of_a_number_that_no_process_has_is_not_alive(self, pid):
        assert not ProcessId(pid, 1.0).is_alive()


def test_killing_a_leader_ends_what_it_has_started(duet_home):
    first = subprocess.Popen([sys.executable, "-c", _STARTS_ANOTHER], stdout=subprocess.PIPE, start_new_session=True)
    first.stdout.readline()

    kill_with_children(first.pid)

    first.communicate()
    psutil.wait_procs(processes.of_home(duet_home), timeout=10)
    assert processes.of_home(duet_home) == []
    kill_with_children(first.pid)  # which is gone


def test_killing_what_shares_our_session_leaves_us(sleeper):
    kill_with_children(sleeper.pid)

    assert sleeper.wait(timeout=10) < 0
