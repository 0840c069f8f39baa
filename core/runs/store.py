"""The store itself: how runs come into being, move from state to state, and end."""

import time
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from core.config import RunConfig, configure
from core.networks.registry import get_architecture
from core.runs.annotations import Annotations
from core.runs.changes import SupersededError, give_sign, record_attempt, update
from core.runs.folding import settings_key
from core.runs.measurements import Measurements, forget_after
from core.runs.queue import Queue, next_position
from core.runs.results import Results
from core.runs.run import ACTIVE, INACTIVE, Request, Run, new_id
from core.runs.schema import FROM_CONFIG, FROM_RESULTS, attempts, runs, settings
from core.runs.searches import Searches
from core.runs.table import Table
from core.system.paths import run_directory, store_url
from core.training import checkpoints

_TRY_AGAIN_S = 5.0


class Store(Queue, Annotations, Table, Measurements, Searches):
    """The runs of one database. Safe to share between threads, never across a fork.

    Raises:
        StoreError: if the database is damaged, empty, out of reach, or written by a newer Duet.
    """

    def create(
        self,
        config: RunConfig,
        *,
        submission: str,
        pair: str | None = None,
        group: str | None = None,
        submitter: str | None = None,
        name: str | None = None,
        priority: int = 0,
        claimed: bool = False,
    ) -> str:
        """Queue a run and return its id. A `submission` that was seen before gives the run it made then.

        With `claimed` the run does not wait in the queue: the caller trains it itself, as attempt 1.
        """
        now = time.time()
        values = {
            "id": new_id(),
            "submission": submission,
            "pair": pair,
            "group": group,
            "submitter": submitter,
            "name": name,
            "priority": priority,
            "config": config.model_dump(mode="json"),
            "settings_key": settings_key(config.model_dump()),
            "created_at": now,
            "state": "queued",
            **{column: getattr(config, column) for column in FROM_CONFIG},
        }
        if claimed:
            values |= {"state": "starting", "attempt": 1, "started_at": now, "heartbeat_at": now}
        known = sa.select(runs.c.id).where(runs.c.submission == submission)
        try:
            with self._engine.begin() as connection:
                if run_id := connection.scalar(known):
                    return run_id
                connection.execute(runs.insert().values(values | {"position": next_position(connection)}))
                if claimed:
                    self._add_attempt(connection, values["id"], 1, now)
        except sa.exc.IntegrityError:  # on PostgreSQL, somebody else's of the same submission came first
            with self._reading() as connection:
                if run_id := connection.scalar(known):
                    return run_id
            raise
        return values["id"]

    def clone(self, run_id: str, *, submission: str, submitter: str | None = None, **changes: Any) -> str:
        """Queue a new run with the settings of another one, but for `changes`; return its id.

        Raises:
            ValueError: if there is no such run, or a changed setting is wrong.
        """
        source = self.get(run_id)
        config = configure(**{**source.config.model_dump(), **changes})
        get_architecture(config.architecture)
        name = f"{source.name} (copy)"[:100] if source.name else None
        return self.create(config, submission=submission, submitter=submitter or source.submitter, name=name)

    def claim(self, run_id: str, device: str | None = None) -> int | None:
        """Take a queued run for starting, and return its attempt; None if it is not queued.

        A device takes the place of the one in its config, so that what was left open is settled for good.
        """
        now = time.time()
        values: dict[str, Any] = {}
        with self._engine.begin() as connection:
            config = connection.scalar(sa.select(runs.c.config).where(runs.c.id == run_id)) if device else None
            if config:
                settled = {**config, "device": device}
                values = {"device": device, "config": settled, "settings_key": settings_key(settled)}
            attempt = connection.scalar(
                runs.update()
                .where(runs.c.id == run_id, runs.c.state == "queued")
                .values(
                    state="starting",
                    attempt=runs.c.attempt + 1,
                    started_at=now,
                    heartbeat_at=now,
                    unresponsive=False,
                    pid=None,
                    **values,
                )
                .returning(runs.c.attempt)
            )
            if attempt is not None:
                self._add_attempt(connection, run_id, attempt, now)
        return attempt

    def enter(self, run_id: str, attempt: int, *, pid: int, process_started_at: float) -> None:
        """Record the process that runs an attempt.

        Raises:
            SupersededError: if the attempt is over, or another process runs it.
        """
        with self._engine.begin() as connection:
            owner = connection.scalar(sa.select(runs.c.pid).where(runs.c.id == run_id).with_for_update())
            if owner is not None:
                raise SupersededError(f"Attempt {attempt} of run {run_id} is run by process {owner}.")
            update(connection, run_id, attempt, ("starting",), pid=pid, process_started_at=process_started_at)

    def begin(self, run_id: str, attempt: int, *, total_steps: int, step: int = 0) -> int:
        """Say that training begins now, after `step` steps of earlier attempts.

        What they measured after that step is taken back, as it will be measured again.

        Returns:
            How many measurements are kept; the next one's number is one more.
        """
        now = time.time()
        with self._engine.begin() as connection:
            update(
                connection,
                run_id,
                attempt,
                ("starting",),
                state="running",
                training_at=now,
                heartbeat_at=now,
                unresponsive=False,
                total_steps=total_steps,
                step=step,
                resumed_step=step,
            )
            record_attempt(connection, run_id, attempt, state="running", resumed_step=step)
            return forget_after(connection, run_id, step)

    def heartbeat(self, run_id: str, attempt: int, load: dict[str, float] | None = None) -> Request | None:
        """Send a heartbeat, with what the process uses; return what the run has been asked to do, if anything."""
        with self._engine.begin() as connection:
            return give_sign(connection, run_id, attempt, ACTIVE, load)

    def mark_unresponsive(self, run_id: str, attempt: int) -> None:
        """Record that a run's process sends no heartbeat; its next one takes this back."""
        with self._engine.begin() as connection:
            update(connection, run_id, attempt, ACTIVE, unresponsive=True)

    def request_stop(self, run_id: str) -> None:
        """Ask a run to stop; one that waits or is paused is stopped at once.

        Raises:
            ValueError: if there is no such run, or it has ended.
        """
        what = "one that waits, trains or is paused can be stopped"
        self._request(run_id, ("queued", "paused"), "stopped", what, stop_requested=True)

    def request_pause(self, run_id: str) -> None:
        """Ask a run to keep its state and leave its device; one that waits is paused at once.

        Raises:
            ValueError: if there is no such run, or it neither waits nor trains.
        """
        self._request(run_id, ("queued",), "paused", "one that waits or trains can be paused", pause_requested=True)

    def resume(self, run_id: str) -> None:
        """Put a run that has failed, or was stopped or paused, back into the queue, to go on where it was.

        Raises:
            ValueError: if there is no such run, it is in another state, or what it has kept to go on from is damaged.
        """
        if self.get(run_id).state in INACTIVE:
            checkpoints.load_state(run_directory(run_id))
        self._queue_again(run_id, ("failed", "stopped", "paused"), "resumed", resumes=True)

    def retry(self, run_id: str) -> None:
        """Put a run that has failed, or was stopped or paused, back into the queue, to begin anew.

        Raises:
            ValueError: if there is no such run, or it is in another state.
        """
        self._queue_again(run_id, ("failed", "stopped", "paused"), "tried again", resumes=False)

    def finish(self, run_id: str, attempt: int, state: Literal["done", "stopped", "paused"], results: Results) -> None:
        """End a run well. One that was to be paused, and then to be stopped, is stopped.

        Raises:
            SupersededError: if it has ended already.
        """
        now = time.time()
        with self._engine.begin() as connection:
            asked = sa.select(runs.c.stop_requested).where(runs.c.id == run_id).with_for_update()
            if state == "paused" and connection.scalar(asked):
                state = "stopped"
            figures = {name: getattr(results, name) for name in FROM_RESULTS}
            values = {"results": results.as_json(), **figures, "unresponsive": False}
            update(connection, run_id, attempt, ACTIVE, state=state, ended_at=now, **values)
            record_attempt(connection, run_id, attempt, state=state, ended_at=now)

    def fail(
        self,
        run_id: str,
        attempt: int,
        *,
        failure: str,
        advice: str,
        cause: str | None = None,
        traceback: str | None = None,
    ) -> None:
        """End a run with what went wrong, in words and as one of `core.jobs.failures.CAUSES`, and what to do about it.

        Raises:
            SupersededError: if it has ended already.
        """
        now = time.time()
        told = {"failure": failure, "advice": advice, "cause": cause, "traceback": traceback}
        with self._engine.begin() as connection:
            update(connection, run_id, attempt, ACTIVE, state="failed", ended_at=now, unresponsive=False, **told)
            record_attempt(connection, run_id, attempt, state="failed", ended_at=now, failure=failure)

    def setting(self, name: str) -> Any:
        """Return what was set by `set_setting`; None if nothing was."""
        with self._reading() as connection:
            return connection.scalar(sa.select(settings.c.value).where(settings.c.name == name))

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a value that every process of this installation reads, as JSON."""
        with self._engine.begin() as connection:
            changed = connection.execute(settings.update().where(settings.c.name == name).values(value=value))
            if not changed.rowcount:
                connection.execute(settings.insert().values(name=name, value=value))

    def _add_attempt(self, connection: sa.Connection, run_id: str, attempt: int, now: float) -> None:
        connection.execute(attempts.insert().values(run_id=run_id, attempt=attempt, state="starting", started_at=now))

    def _request(self, run_id: str, at_once: tuple[str, ...], state: str, what: str, **request: bool) -> None:
        mine = (runs.c.id == run_id, runs.c.deleted_at.is_(None))
        changes = ((at_once, {"state": state, "ended_at": time.time()}), (ACTIVE, request))
        with self._engine.begin() as connection:
            changed = [
                connection.execute(runs.update().where(*mine, runs.c.state.in_(states)).values(**values)).rowcount
                for states, values in changes
            ]
        if not any(changed):
            run = self.get(run_id)
            raise ValueError(f"Run {run_id} is {'deleted' if run.deleted_at is not None else run.state}: only {what}.")

    def _queue_again(self, run_id: str, states: tuple[str, ...], done: str, *, resumes: bool) -> None:
        run: Run = self.get(run_id)
        if run.deleted_at is not None:
            raise ValueError(f"Run {run_id} is deleted: restore it first.")
        with self._engine.begin() as connection:
            changed = connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.state.in_(states), runs.c.deleted_at.is_(None))
                .values(
                    state="queued",
                    resumes=resumes,
                    position=next_position(connection),
                    stop_requested=False,
                    pause_requested=False,
                    ended_at=None,
                    failure=None,
                    cause=None,
                    advice=None,
                    traceback=None,
                )
            )
        if not changed.rowcount:
            raise ValueError(
                f"Run {run_id} is {run.state}: only one that has failed, or was stopped or paused, can be {done}."
            )


def open_store(url: str | None = None) -> Store:
    """Return this process's store for `url`, by default the one of this installation.

    One that could only be read is opened anew after a while, in case it can be written by now.
    """
    store = _opened(url or store_url())
    if store.refusal and time.monotonic() - store.opened_at > _TRY_AGAIN_S:
        _opened.cache_clear()
        store = _opened(url or store_url())
    return store


@lru_cache(maxsize=4)
def _opened(url: str) -> Store:
    return Store(url)
