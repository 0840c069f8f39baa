"""How failures are told, and what is offered to be done about them."""

import errno
from dataclasses import replace
from typing import get_args

import pytest
from sqlalchemy.exc import OperationalError

from core.config import RunConfig, configure
from core.jobs.failures import CAUSES, Cause, DataChangedError, diagnose, next_steps
from core.runs import Run, new_id, open_store
from core.training.records import DivergedError

CONFIG = configure(architecture="ann-100", batch_size=64, learning_rate=0.05)


@pytest.mark.parametrize(
    ("error", "cause", "failure", "advice"),
    [
        (DivergedError("The loss became nan at step 3."), "diverged", "Diverged: The loss", "Lower the learning rate"),
        (MemoryError(), "out_of_memory", "Out of memory.", "Use a smaller batch size (it was 64)"),
        (MemoryError("std::bad_alloc"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (RuntimeError("CPUAllocator: can't allocate memory"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (RuntimeError("CPUAllocator: not enough memory"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (RuntimeError("CUDA out of memory. Tried …"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (RuntimeError("CUDA error: out of memory"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (RuntimeError("OOM when allocating tensor with shape[9,9]"), "out_of_memory", "Out of memory.", "Use a"),
        (RuntimeError("RESOURCE_EXHAUSTED: failed"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory", "Out of memory.", "Use a smaller"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", "The disk is full.", "Free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full", "The disk is full.", "Free some space"),
        (OperationalError("I", {}, Exception("database or disk is full")), "disk_full", "The disk is full.", "Free"),
        (OperationalError("I", {}, Exception("database is locked")), "error", "OperationalError: ", "The traceback"),
        (DataChangedError("The data set has changed."), "data_changed", "The data set has changed.", "Begin anew"),
        (ValueError("Device (--device): PyTorch has cpu …"), "device_gone", "Device (--device): ", "Choose a device"),
        (RuntimeError("CUDA error: unspecified launch failure"), "device_gone", "CUDA error", "Choose a device"),
        (ValueError("Epochs (--epochs): expected …"), "refused", "Epochs (--epochs)", "Change that setting"),
        (PermissionError(errno.EACCES, "Permission denied"), "error", "PermissionError: ", "The traceback says"),
        (RuntimeError("shape mismatch"), "error", "RuntimeError: shape mismatch", "The traceback says"),
    ],
)
def test_failures_are_explained(error: Exception, cause: Cause, failure: str, advice: str) -> None:
    told = diagnose(error, CONFIG)

    assert told.cause == cause
    assert told.failure.startswith(failure)
    assert told.advice.startswith(advice)


def failed(cause: str | None, config: RunConfig = CONFIG) -> Run:
    store = open_store()
    run_id = store.create(config, submission=new_id(), claimed=True)
    store.fail(run_id, 1, failure="It failed.", advice="Do better.", cause=cause)
    return replace(store.get(run_id), step=12)


def test_every_cause_has_words() -> None:
    assert set(CAUSES) == set(get_args(Cause))


@pytest.mark.parametrize("cause", [*CAUSES, None])
@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("learnt", [False, True])
def test_every_failure_can_be_acted_on(cause: str | None, resumable: bool, learnt: bool) -> None:
    run = failed(cause)
    steps = next_steps(run, resumable=resumable, learnt=learnt)

    assert steps[-1].verb == "edit"
    assert len({step.title for step in steps}) == len(steps)
    assert resumable or all(step.verb != "resume" for step in steps)
    for step in steps:
        if step.changes:
            configure(**{**run.config.model_dump(), **step.changes})


def test_less_memory_is_half_the_batch() -> None:
    first, *_ = next_steps(failed("out_of_memory"), resumable=True, learnt=True)

    assert (first.verb, first.changes) == ("clone", {"batch_size": 32})
    assert first.title == "Halve the batch size to 32 and train again"


def test_batch_of_one_cannot_be_halved() -> None:
    run = failed("out_of_memory", CONFIG.model_copy(update={"batch_size": 1}))

    assert [step.verb for step in next_steps(run, resumable=False, learnt=False)] == ["edit"]


def test_diverged_run_goes_on_from_its_best_weights_more_slowly() -> None:
    run = failed("diverged")

    first, second, _ = next_steps(run, resumable=True, learnt=True)
    assert first.changes == {"learning_rate": 0.005, "initial_weights": run.id}
    assert second.changes == {"learning_rate": 0.005}
    assert [step.changes for step in next_steps(run, resumable=True, learnt=False)] == [second.changes, {}]


@pytest.mark.parametrize("cause", ["killed", "disk_full", "not_started", "error"])
def test_what_was_broken_off_is_resumed(cause: str) -> None:
    run = failed(cause)

    assert [step.verb for step in next_steps(run, resumable=True, learnt=True)] == ["resume", "retry", "edit"]
    assert next_steps(run, resumable=True, learnt=True)[0].title == "Resume from step 12"
    assert [step.verb for step in next_steps(run, resumable=False, learnt=True)] == ["retry", "edit"]


def test_without_its_gpu_a_run_can_move_to_the_processor() -> None:
    run = failed("device_gone", CONFIG.model_copy(update={"device": "gpu:0"}))

    assert next_steps(run, resumable=True, learnt=True)[0].changes == {"device": "cpu"}
    assert all(not step.changes for step in next_steps(failed("device_gone"), resumable=True, learnt=True))


def test_changed_data_are_never_gone_on_with() -> None:
    steps = next_steps(failed("data_changed"), resumable=True, learnt=True)

    assert [step.verb for step in steps] == ["retry", "edit"]
