"""Runs and measurements for the tests of the store, and processes that do something to it at once."""

import subprocess
import sys

import psutil

from core.config import RunConfig, configure
from core.runs import Results, Store
from core.system.paths import PROJECT, store_url
from core.system.processes import started_at
from core.training.records import Epoch, StepMetrics

LIVING = {"pid": 1, "process_started_at": started_at(psutil.Process(1))}
"""A process that lives as long as anybody, for a run whose training is none of a test's business."""

CONFIG = configure(architecture="ann-100", train_limit=100)

_TOGETHER = """
import sys
from contextlib import suppress
from core.config import configure
from core.runs import database
from core.runs import Results, Store
from core.training.records import Epoch, StepMetrics
url, *arguments = sys.argv[1:]
config = configure(architecture="ann-100", train_limit=100)
print("ready", flush=True)
sys.stdin.readline()
"""


def start_together(script: str, arguments: list[str]) -> list[subprocess.Popen]:
    """Start a process for each of `arguments`, and let them run `script` when the last is ready."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _TOGETHER + script, store_url(), argument],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for argument in arguments
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def outputs(processes: list[subprocess.Popen]) -> list[str]:
    """Wait for processes to end well and return what each printed."""
    printed = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        printed.append(output)
    return printed


def running(store: Store, submission: str = "a", config: RunConfig = CONFIG) -> tuple[str, int]:
    run_id = store.create(config, submission=submission)
    attempt = store.claim(run_id)
    store.enter(run_id, attempt, **LIVING)
    store.begin(run_id, attempt, total_steps=100)
    return run_id, attempt


def point(step: int, split: str = "train", **values: float) -> StepMetrics:
    return StepMetrics(step, step / 10, split, **{"loss": 1.0, "accuracy": 0.5, "seconds": step / 10} | values)


def epoch(number: int, step: int, **values: float | None) -> Epoch:
    """Return the record of an epoch."""
    usual = {"train_loss": 1.0, "train_accuracy": 0.5, "val_loss": 0.9, "val_accuracy": 0.6, "learning_rate": 0.01}
    return Epoch(**{"epoch": number, "step": step, "seconds": 2.0, "confusion": [[3, 1], [0, 4]]} | usual | values)


def finished_results(**values: float) -> Results:
    """Return the figures of a run that is done."""
    usual = {"test_accuracy": 0.9, "test_loss": 0.3, "val_accuracy": 0.91, "val_loss": 0.2, "train_seconds": 2.0}
    others = {"parameters": 10, "epochs": 1, "images_per_second": 100.0, "best_epoch": 1, "fingerprint": "0" * 64}
    kept = {"stopped_early": False, "versions": {"torch": "2.13.0"}, "confusion": [[9, 1], [1, 9]]}
    return Results(**usual | others | kept | values)
