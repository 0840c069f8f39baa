"""Spare processes: when they are started, whom they serve, when they are given back."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.config import FRAMEWORK_TITLES, configure
from core.jobs import warm_pool
from core.jobs.warm_pool import WarmPool, assign, request
from core.runs import Store
from core.system.paths import data_dir, run_directory, store_url
from core.system.processes import spawn
from core.training.checkpoints import load
from tests import processes
from tests.jobs.test_scheduler import Scheduler, tick_until, wait_for

QUICK = configure(architecture="ann-100", train_limit=500, epochs=2, threads=1)
KERAS = QUICK.model_copy(update={"framework": "keras"})


@pytest.fixture
def kept(duet_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmPool]:
    """Spares that warm nothing up, on a machine with plenty of memory that is looked at each time."""
    monkeypatch.setattr(
        warm_pool, "spawn", lambda _module, *_arguments, **options: spawn("tests.workers", "spare", **options)
    )
    monkeypatch.setattr(warm_pool, "_MEMORY_LOOK_S", -1.0)
    monkeypatch.setattr(warm_pool.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**40))
    kept = WarmPool()
    yield kept
    kept.close()
    wait_for(lambda: not processes.of_home(duet_home), seconds=10)


def spare_processes(kept: WarmPool) -> dict[str, subprocess.Popen]:
    return {framework: process for framework, (_, process) in kept._processes.items()}


def test_nothing_is_kept_until_it_is_asked_for(kept):
    assert not kept.tick(free=True)
    assert spare_processes(kept) == {}

    request([QUICK, KERAS])
    assert kept.tick(free=True)
    assert set(spare_processes(kept)) == {"pytorch", "keras"}


@pytest.mark.usefixtures("kept")
def test_the_same_is_asked_once_a_while(duet_home):
    """A page asks each time it runs."""
    request([QUICK])
    first = (duet_home / "spares.json").stat()
    request([QUICK])
    assert (duet_home / "spares.json").stat().st_ino == first.st_ino, "it was written again"

    request([QUICK, KERAS])
    second = (duet_home / "spares.json").stat()
    assert second.st_ino != first.st_ino
    os.utime(duet_home / "spares.json", (second.st_mtime - 70, second.st_mtime - 70))
    request([QUICK, KERAS])
    assert (duet_home / "spares.json").stat().st_mtime > second.st_mtime - 60


@pytest.mark.usefixtures("kept")
def test_what_was_asked_just_before_the_scheduler_began_is_heard():
    """Whoever asks starts the scheduler if there is none, and it takes a moment to begin."""
    request([QUICK])
    new = WarmPool()

    assert new.tick(free=True)
    assert set(spare_processes(new)) == {"pytorch"}
    new.close()


def test_what_was_asked_long_ago_is_not_heard(kept):
    request([QUICK])
    os.utime(data_dir() / "spares.json", (1.7e9, 1.7e9))

    assert not kept.tick(free=True)


def test_one_is_kept_for_each_framework(kept):
    kept.want([QUICK, QUICK])
    kept.tick(free=True)
    before = spare_processes(kept)
    kept.tick(free=True)

    assert spare_processes(kept) == before
    assert list(before) == ["pytorch"]


def test_spare_is_replaced_once_nothing_trains(kept):
    kept.want([QUICK])
    kept.tick(free=True)
    taken = kept.take(QUICK)
    assert kept.take(QUICK) is None

    kept.tick(free=False)
    assert spare_processes(kept) == {}
    kept.tick(free=True)
    assert spare_processes(kept)["pytorch"] is not taken
    taken.communicate()


@pytest.mark.parametrize("changes", [{"threads": 2}, {"device": "gpu:0"}, {"framework": "keras"}])
def test_spare_serves_only_what_it_was_warmed_for(kept, changes):
    kept.want([QUICK])
    kept.tick(free=True)

    assert kept.take(QUICK.model_copy(update=changes)) is None
    assert kept.take(QUICK.model_copy(update={"batch_size": 8, "architecture": "cnn-64-32-32"})).communicate()


def test_spare_for_other_threads_is_replaced(kept):
    kept.want([QUICK])
    kept.tick(free=True)
    before = spare_processes(kept)["pytorch"]

    request([QUICK.model_copy(update={"threads": 2})])
    kept.tick(free=True)

    assert before.poll() is not None
    assert kept.take(QUICK) is None


@pytest.mark.usefixtures("kept")
def test_scheduler_that_starts_after_it_was_asked_has_a_spare_ready():
    request([QUICK])
    with closing(WarmPool()) as later:
        later.tick(free=True)

        assert list(spare_processes(later)) == ["pytorch"]


def test_what_was_asked_long_ago_warms_nothing(duet_home, kept):
    request([QUICK])
    long_ago = time.time() - 2 * warm_pool._WANTED_S
    os.utime(duet_home / "spares.json", (long_ago, long_ago))

    assert not kept.tick(free=True)
    assert spare_processes(kept) == {}


def test_dead_spare_serves_nobody(kept):
    kept.want([QUICK])
    kept.tick(free=True)
    dead = spare_processes(kept)["pytorch"]
    dead.kill()
    dead.wait()

    assert kept.take(QUICK) is None
    kept.tick(free=True)
    assert spare_processes(kept)["pytorch"].poll() is None


def test_no_gpu_is_kept_warm(kept):
    request([QUICK.model_copy(update={"device": "gpu:0"})])

    assert not kept.tick(free=True)


def test_idle_spares_are_given_back(kept, monkeypatch):
    kept.want([QUICK])
    kept.tick(free=True)
    process = spare_processes(kept)["pytorch"]
    later = warm_pool.time.monotonic() + 301
    monkeypatch.setattr(warm_pool, "time", SimpleNamespace(monotonic=lambda: later, time=time.time))

    assert not kept.tick(free=True)
    assert process.poll() is not None


def test_spares_are_given_back_when_memory_is_short(kept, monkeypatch):
    kept.want([QUICK])
    kept.tick(free=True)
    process = spare_processes(kept)["pytorch"]

    monkeypatch.setattr(warm_pool.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**29))
    assert kept.tick(free=True)
    assert process.poll() is not None
    assert spare_processes(kept) == {}

    monkeypatch.setattr(warm_pool.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**31))
    kept.tick(free=True)
    assert spare_processes(kept) == {}  # enough to go on with, but not to begin


def test_spare_trains_the_run_that_it_is_told(kept):
    store = Store(store_url())
    run_id = store.create(QUICK, submission="a", claimed=True)
    kept.want([QUICK])
    kept.tick(free=True)

    spare = kept.take(QUICK)
    assign(spare, run_id, store_url())

    assert spare.wait(30) == 0
    assert store.get(run_id).state == "done"


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
def test_warm_run_equals_a_cold_one(framework, duet_home, monkeypatch):
    """Whole trainings through the queue: the first is started cold, the second by the spare that comes after it."""
    monkeypatch.setattr(warm_pool, "_ENOUGH_MEMORY", 0)
    monkeypatch.setattr(warm_pool, "_LITTLE_MEMORY", 0)
    store = Store(store_url())
    looked = Scheduler(store)
    config = QUICK.model_copy(update={"framework": framework})
    cold = store.create(config, submission="cold")
    tick_until(looked, lambda: store.get(cold).state == "done" and spare_processes(looked._warm_pool), seconds=120)
    (spare,) = spare_processes(looked._warm_pool).values()

    warm = store.create(config, submission="warm")
    tick_until(looked, lambda: store.get(warm).state == "done", seconds=120)
    looked.close()

    assert store.get(warm).pid == spare.pid
    assert "Preparing ann-100" in (run_directory(warm) / "log.txt").read_text()
    first, second = (load(run_directory(run_id)).weights for run_id in (cold, warm))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    spare.wait(10)
    wait_for(lambda: not processes.of_home(duet_home), seconds=10)
