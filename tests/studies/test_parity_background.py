"""Measurements in the background: begun once, told from dead ones, kept."""

import json
import os
import time

import pytest

from core.studies import parity_background
from core.studies.parity_background import Asked, parity_progress, start_parity
from core.system.processes import ProcessId

ASKED = Asked("ann-100", "sgd", steps=2, defaults="aligned")


def test_a_measurement_runs_apart_and_is_kept():
    assert parity_progress(ASKED).state == "never"
    start_parity(ASKED)
    start_parity(ASKED)  # a second visitor
    deadline = time.monotonic() + 60
    while parity_progress(ASKED).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)

    found = parity_progress(ASKED)

    assert found.state == "done"
    assert [parity.precision for parity in found.parities] == ["float32", "float64"]
    assert all(parity.passed for parity in found.parities)
    start_parity(ASKED)
    assert parity_progress(ASKED) == found
    assert parity_progress(ASKED._replace(steps=3)).state == "never"


def made(log: str, **process: object):
    folder = parity_background._folder(ASKED)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(log)
    (folder / "process.json").write_text(json.dumps(process))


def test_progress_is_read_from_the_log():
    made("1% begun\n42% ann-100, SGD\n", **ProcessId.of(os.getpid())._asdict())

    assert parity_progress(ASKED)[:3] == ("running", 0.42, "ann-100, SGD")


@pytest.mark.parametrize(
    ("log", "sentence"), [("1% begun\nKilled\n", "Killed"), ("", "It ended unexpectedly; parity/")]
)
def test_a_dead_measurement_says_so_and_can_begin_again(log, sentence):
    made(log, pid=os.getpid(), started_at=0.0)

    ended = parity_progress(ASKED)
    assert ended[:2] == ("failed", 0.0)
    assert ended.sentence.startswith(sentence)
