"""The state machine of store and scheduler holds, and finds faults that are planted."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from core.jobs import deaths, scheduler
from core.runs import Store
from core.runs.schema import runs
from tests.jobs.machine import run_machine


@pytest.mark.slow
def test_store_and_scheduler_do_what_the_model_says():
    run_machine(examples=15, steps=30)


@pytest.mark.exhaustive
def test_store_and_scheduler_do_what_the_model_says_in_five_thousand_steps():
    run_machine(examples=300, steps=50)  # sequences end early, too


def _restart_the_ended(store: Store, run_id: str) -> None:
    """Put a run back into the queue without asking in which state it is."""
    with store._engine.begin() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == run_id).values(state="queued", ended_at=None))


def _forget_the_request(_store: Store, _run_id: str) -> None:
    """Take a request to stop, and do nothing."""


FAULTS = {
    "the dead are taken for living": [
        patch.object(deaths, "alive", lambda _run: True),
        patch.object(scheduler, "alive", lambda _run: True),
    ],
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
        run_machine(examples=1000, steps=50, shorten=False)
