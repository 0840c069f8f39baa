"""The state machine of store and scheduler holds, and finds faults that are planted."""

from collections.abc import Iterator
from contextlib import nullcontext
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from core.jobs import deaths, scheduler
from core.runs import Store
from core.runs.schema import runs
from tests.jobs.machine import Machine
from tests.stepping import run_sequences, run_steps


@pytest.mark.slow
def test_store_and_scheduler_do_what_the_model_says():
    run_sequences(Machine, examples=15, steps=30)


@pytest.mark.exhaustive
def test_store_and_scheduler_do_what_the_model_says_in_five_thousand_steps():
    run_steps(Machine, 5000)


def _restart_the_ended(store: Store, run_id: str) -> None:
    """Put a run back into the queue without asking in which state it is."""
    with store._engine.begin() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == run_id).values(state="queued", ended_at=None))


def _forget_the_request(_store: Store, _run_id: str) -> None:
    """Take a request to stop, and do nothing."""


FAULTS = {
    "a run in any state is resumed": [patch.object(Store, "resume", _restart_the_ended)],
    "a request to stop is forgotten": [patch.object(Store, "request_stop", _forget_the_request)],
    "there is no slot to wait for": [patch.object(Store, "claim", lambda *_: None)],
}


@pytest.fixture(params=FAULTS.values(), ids=FAULTS)
def planted(request: pytest.FixtureRequest) -> Iterator[None]:
    for each in request.param:
        each.start()
    yield
    for each in request.param:
        each.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("planted")
def test_planted_fault_is_found():
    with pytest.raises(AssertionError):
        run_sequences(Machine, examples=1000, steps=50, shorten=False)


@pytest.mark.parametrize("is_planted", [False, True])
def test_the_dead_that_are_taken_for_living_are_found(monkeypatch: pytest.MonkeyPatch, is_planted: bool):
    """Step by step: by chance, a thousand sequences do not always have one that gets there."""
    for module in (deaths, scheduler) if is_planted else ():
        monkeypatch.setattr(module, "alive", lambda _run: True)
    machine = Machine()
    machine.submit()
    machine.tick()
    machine.enter_and_begin(0)
    machine.restart_scheduler()
    machine.kill(0)
    machine.tick()

    with pytest.raises(AssertionError) if is_planted else nullcontext():
        machine.store_says_what_the_model_says()
    machine.teardown()
