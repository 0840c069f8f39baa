"""The store: runs, their states and their measurements, in a database through SQLAlchemy Core.

    store = open_store()
    run_id = store.create(config, submission=token)
    store.get(run_id).state
    finished(store.find())[0].results.test_accuracy
    store.metrics(run_id, after=120)
    store.find(states=["done"], search="lenet", tag="thesis", limit=20)

States: queued → starting → running → done, failed, stopped or paused; the last three can go back to queued as a
next attempt. Each change is one `UPDATE` that names the state and the attempt it starts from, so of two that race
exactly one wins, and a late process of an older attempt can publish nothing. The database is SQLite, or PostgreSQL
where `DUET_STORE` names one; see `core.runs.database`. `python -m core runs` lists the runs and changes them.
"""

from core.runs.changes import SupersededError
from core.runs.database import StoreError
from core.runs.doubts import Doubt
from core.runs.results import FinishedResults, Learning, Results
from core.runs.run import ACTIVE, ENDED, INACTIVE, Attempt, FinishedRun, Request, Run, State, finished, new_id, summary
from core.runs.searches import Search, SearchState, Trial, TrialState
from core.runs.store import Store, open_store

__all__ = [
    "ACTIVE",
    "ENDED",
    "INACTIVE",
    "Attempt",
    "Doubt",
    "FinishedResults",
    "FinishedRun",
    "Learning",
    "Request",
    "Results",
    "Run",
    "Search",
    "SearchState",
    "State",
    "Store",
    "StoreError",
    "SupersededError",
    "Trial",
    "TrialState",
    "finished",
    "new_id",
    "open_store",
    "summary",
]
