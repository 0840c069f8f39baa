"""The store's records of searches: what each is to try, how it goes, and its trials with the runs that they are.

    search_id = store.create_search(specification, submission=token)
    store.search(search_id).state
    store.trials(search_id)
    store.change_search(search_id, ("running",), state="paused")

A trial is one setting that is tried, by one run or by several seeds and frameworks. What a specification means, and
who moves a search on, is `core.studies.search`.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from core.runs.database import Database
from core.runs.run import new_id
from core.runs.schema import runs, search_runs, search_trials, searches
from core.system.text import quoted

SearchState = Literal["running", "paused", "stopped", "done"]
TrialState = Literal["running", "done", "pruned", "failed", "stopped"]


@dataclass(frozen=True)
class Search:
    """One search. Times are Unix seconds."""

    id: str
    specification: dict[str, Any]
    """What is to be tried, of JSON's values."""
    state: SearchState
    reason: str | None
    """Why it has ended, in a sentence."""
    submitter: str | None
    created_at: float
    ended_at: float | None
    spent_s: float
    """Seconds that it has been worked on."""


@dataclass(frozen=True)
class Trial:
    """One setting of a search, tried. Times are Unix seconds."""

    number: int
    """Counted from 0."""
    settings: dict[str, Any]
    """What the search varies, as chosen for this trial."""
    state: TrialState
    reason: str | None
    """Why it was pruned, or has failed, in a sentence."""
    val_accuracy: float | None
    """The mean over its runs, of those that are done; of a pruned one what it had reached."""
    spread: float | None
    """The standard deviation over its seeds; None for one seed."""
    images: int
    """How many images its runs have trained on, each counted each time."""
    seconds: float
    """Of all its runs together, from the start of each to its end."""
    created_at: float
    ended_at: float | None
    run_ids: tuple[str, ...] = ()
    """Those of the first seed first."""


class Searches(Database):
    """The part of the store that is about searches."""

    def create_search(self, specification: dict[str, Any], *, submission: str, submitter: str | None = None) -> str:
        """Begin a search and return its id. A `submission` that was seen before gives the search it made then."""
        known = sa.select(searches.c.id).where(searches.c.submission == submission)
        values = {
            "id": new_id(),
            "submission": submission,
            "specification": specification,
            "state": "running",
            "submitter": submitter,
            "created_at": time.time(),
        }
        try:
            with self._engine.begin() as connection:
                if search_id := connection.scalar(known):
                    return search_id
                connection.execute(searches.insert().values(**values))
        except sa.exc.IntegrityError:  # on PostgreSQL, somebody else's of the same submission came first
            with self._reading() as connection:
                if search_id := connection.scalar(known):
                    return search_id
            raise
        return str(values["id"])

    def search(self, search_id: str) -> Search:
        """Return one search.

        Raises:
            ValueError: if there is none of that id.
        """
        found = self._searches(searches.c.id == search_id, limit=1)
        if not found:
            raise ValueError(
                f"There is no search {quoted(search_id)} here. Listed searches: python -m core search list."
            )
        return found[0]

    def find_searches(
        self, states: Iterable[SearchState] | None = None, *, limit: int = 50, offset: int = 0
    ) -> list[Search]:
        """Return searches, the newest first; those in some states alone if asked for."""
        conditions = () if states is None else (searches.c.state.in_(list(states)),)
        return self._searches(*conditions, limit=limit, offset=offset)

    def unsettled_searches(self) -> list[Search]:
        """Return the searches that go on, and those with trials that have not ended, the oldest first."""
        open_trials = sa.select(search_trials.c.search_id).where(search_trials.c.state == "running")
        going_on = sa.or_(searches.c.state == "running", searches.c.id.in_(open_trials))
        return self._searches(going_on, limit=1000)[::-1]

    def change_search(self, search_id: str, states: Iterable[SearchState], **values: Any) -> bool:
        """Change columns of a search that is in one of `states`; return whether it was."""
        change = searches.update().where(searches.c.id == search_id, searches.c.state.in_(list(states)))
        with self._engine.begin() as connection:
            return bool(connection.execute(change.values(**values)).rowcount)

    def add_time(self, search_id: str, seconds: float) -> None:
        """Count seconds that a search was worked on."""
        change = searches.update().where(searches.c.id == search_id)
        with self._engine.begin() as connection:
            connection.execute(change.values(spent_s=searches.c.spent_s + seconds))

    def add_trial(self, search_id: str, number: int, settings: dict[str, Any]) -> None:
        """Record a trial that begins; one that is recorded already stays as it is."""
        known = sa.select(search_trials.c.number).where(
            search_trials.c.search_id == search_id, search_trials.c.number == number
        )
        values = {"search_id": search_id, "number": number, "settings": settings, "created_at": time.time()}
        with self._engine.begin() as connection:
            if connection.scalar(known) is None:
                connection.execute(search_trials.insert().values(**values, state="running"))

    def add_trial_runs(self, search_id: str, number: int, run_ids: Sequence[str]) -> None:
        """Record which runs a trial is, in addition to those that are known."""
        query = sa.select(search_runs.c.run_id).where(search_runs.c.run_id.in_(run_ids))
        with self._engine.begin() as connection:
            known = set(connection.scalars(query))
            rows = [
                {"search_id": search_id, "number": number, "run_id": run_id}
                for run_id in run_ids
                if run_id not in known
            ]
            if rows:
                connection.execute(search_runs.insert(), rows)

    def change_trial(self, search_id: str, number: int, **values: Any) -> None:
        """Change columns of a trial."""
        change = search_trials.update().where(search_trials.c.search_id == search_id, search_trials.c.number == number)
        with self._engine.begin() as connection:
            connection.execute(change.values(**values))

    def trials(self, search_id: str, states: Iterable[TrialState] | None = None) -> list[Trial]:
        """Return the trials of a search in their order; those in some states alone if asked for."""
        conditions = () if states is None else (search_trials.c.state.in_(list(states)),)
        return self._trials(search_trials.c.search_id == search_id, *conditions)

    def trial(self, search_id: str, number: int) -> Trial:
        """Return one trial.

        Raises:
            ValueError: if there is none of that number.
        """
        found = self._trials(search_trials.c.search_id == search_id, search_trials.c.number == number)
        if not found:
            raise ValueError(f"There is no trial {number} of search {search_id}.")
        return found[0]

    def trained_images(self, search_id: str) -> int:
        """Return how many images the trials that have ended have trained on, each image counted each time."""
        query = sa.select(sa.func.sum(search_trials.c.images)).where(search_trials.c.search_id == search_id)
        with self._reading() as connection:
            return connection.scalar(query) or 0

    def count_trials(self, search_id: str) -> dict[TrialState, int]:
        """Return how many trials of a search are in each state that any is in."""
        query = (
            sa.select(search_trials.c.state, sa.func.count())
            .where(search_trials.c.search_id == search_id)
            .group_by(search_trials.c.state)
        )
        with self._reading() as connection:
            return dict(connection.execute(query).all())

    def trial_of(self, run_id: str) -> tuple[str, Trial] | None:
        """Return the search and the trial that a run belongs to; None if it belongs to none."""
        query = sa.select(search_runs.c.search_id, search_runs.c.number).where(search_runs.c.run_id == run_id)
        with self._reading() as connection:
            found = connection.execute(query).first()
        return (found.search_id, self.trial(found.search_id, found.number)) if found else None

    def _searches(self, *conditions: sa.ColumnElement[bool], limit: int, offset: int = 0) -> list[Search]:
        columns = [searches.c[name] for name in Search.__dataclass_fields__]
        query = (
            sa.select(*columns)
            .where(*conditions)
            .order_by(searches.c.created_at.desc(), searches.c.id)
            .limit(limit)
            .offset(offset)
        )
        with self._reading() as connection:
            return [Search(**row._mapping) for row in connection.execute(query)]

    def _trials(self, *conditions: sa.ColumnElement[bool]) -> list[Trial]:
        columns = [search_trials.c[name] for name in Trial.__dataclass_fields__ if name != "run_ids"]
        trial = sa.and_(
            search_trials.c.search_id == search_runs.c.search_id, search_trials.c.number == search_runs.c.number
        )
        of_runs = (
            sa.select(search_runs.c.number, search_runs.c.run_id)
            .join(search_trials, trial)
            .join(runs, runs.c.id == search_runs.c.run_id)
            .where(*conditions)
            .order_by(search_runs.c.number, runs.c.created_at, runs.c.id)
        )
        with self._reading() as connection:
            rows = connection.execute(sa.select(*columns).where(*conditions).order_by(search_trials.c.number)).all()
            run_ids: dict[int, list[str]] = {}
            for number, run_id in connection.execute(of_runs):
                run_ids.setdefault(number, []).append(run_id)
        return [Trial(**row._mapping, run_ids=tuple(run_ids.get(row.number, ()))) for row in rows]
