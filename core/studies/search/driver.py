"""Searches at work: the process that asks for the next trial, launches its runs, prunes them and tells their results.

`python -m core.studies.search.driver` is that process. `core.studies.search.control` starts it on demand. Alone by a
file lock, it outlives the dashboard, and goes when no search goes on. It may be killed at any moment: what it does next
follows from the store, and each of its steps, done twice, does what it does once. A run is launched under a name made
of its search, trial, seed and framework, so that every trial is there once.
"""

import hashlib
import logging
import statistics
import time
from collections.abc import Sequence

from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from core.jobs import scheduler
from core.jobs.devices import known_devices
from core.runs import ACTIVE, ENDED, INACTIVE, Run, Search, Store, Trial, open_store
from core.studies.comparison import mean_std
from core.studies.search.control import driving, specification_of
from core.studies.search.suggestions import Suggestions
from core.system.paths import data_dir
from core.system.text import duration

_log = logging.getLogger("duet.search")

_TICK_S = 0.05
_IDLE_S = 5.0
_RETRY_S = 1.0
_SCHEDULER_LOOK_S = 5.0
"""More than a scheduler takes to start, so that none is started beside it."""
_MOST_TICK_S = 5.0
"""Of a longer time between two looks only so much counts as work: the machine has slept, or all was ended."""


def driver_lock() -> FileLock:
    """Return the lock that the searches' process holds as long as it works."""
    return FileLock(data_dir() / "search.lock")


class Driver:
    """Moves every search of a store on."""

    def __init__(self, store: Store):
        self._store = store
        self._at_work: dict[str, _AtWork] = {}

    def tick(self) -> bool:
        """Look once at every search that has not settled; return whether there is anything to stay for."""
        busy = False
        unsettled = self._store.unsettled_searches()
        for search in unsettled:
            at_work = self._at_work.get(search.id)
            if at_work is None or at_work.specification != specification_of(search):
                self._forget(search.id)
                at_work = self._at_work[search.id] = _AtWork(self._store, search)
            busy = at_work.move_on(search) or busy
        for search_id in self._at_work.keys() - {search.id for search in unsettled}:
            self._forget(search_id)
        return busy

    def close(self) -> None:
        """Give the connections back."""
        for search_id in list(self._at_work):
            self._forget(search_id)

    def _forget(self, search_id: str) -> None:
        if at_work := self._at_work.pop(search_id, None):
            at_work.close()


class _AtWork:
    """One search, while this process works on it."""

    def __init__(self, store: Store, search: Search):
        self._store, self._id = store, search.id
        self.specification = specification_of(search)
        self._suggestions = Suggestions(store, search.id, self.specification)
        self._runs_a_seed = 2 if self.specification.pairs else 1
        self._reported: dict[int, int] = {}
        self._looked_at: float | None = None
        self._scheduler_seen_at = -float("inf")
        for number, settings in self._suggestions.unfinished():  # begun when this process was ended
            store.add_trial(search.id, number, settings)

    def close(self) -> None:
        self._suggestions.close()

    def move_on(self, search: Search) -> bool:
        """Do what is to be done now; return whether there is more to come without anybody's doing."""
        waiting = sum(self._follow(trial, search) for trial in self._store.trials(self._id, ("running",)))
        if search.state != "running":
            self._looked_at = None
            return waiting > 0
        self._count_time()
        if reason := self._end(search):
            if not waiting:
                self._store.change_search(self._id, ("running",), state="done", reason=reason, ended_at=time.time())
        elif waiting < self._places():
            number, settings = self._suggestions.ask()
            self._store.add_trial(self._id, number, settings)
            self._launch(self._store.trial(self._id, number), [])
        return True

    def _follow(self, trial: Trial, search: Search) -> bool:
        """Move on a trial that has not ended; return whether it waits or trains."""
        runs = _in_order(self._store, trial.run_ids)
        if search.state == "running":
            runs = self._launch(trial, runs)
        else:
            self._hold(runs, search)
        if self._settle(trial, runs, search) or all(run.state in INACTIVE for run in runs):
            return False
        self._see_to_scheduler()
        self._prune(trial, runs)
        return True

    def _see_to_scheduler(self) -> None:
        """Start the scheduler where runs wait without one, as when it was ended by force; look now and then."""
        now = time.monotonic()
        if now - self._scheduler_seen_at >= _SCHEDULER_LOOK_S:
            self._scheduler_seen_at = now
            scheduler.ensure_running()

    def _places(self) -> int:
        """Return how many trials are to wait or train at once."""
        config = self.specification.config
        places = 1
        if config.device == "cpu":
            places = scheduler.cpu_slots(self._store)
        elif config.device == "auto":
            places = max(1, len(known_devices(config.framework).devices))
        # What does not learn from the last trial has the next one wait, so that no device is idle between two.
        return places if self.specification.sampler == "tpe" else places + 1

    def _launch(self, trial: Trial, runs: list[Run]) -> list[Run]:
        """See to it that the runs of a trial are queued which are due, and return them all.

        The first seed goes first where trials are pruned, so that the others are saved.
        """
        specification = self.specification
        each = self._runs_a_seed
        first_only = specification.pruner != "none" and not (
            len(runs) >= each and all(run.state == "done" for run in runs[:each])
        )
        seeds = 1 if first_only else specification.seeds
        if len(runs) >= seeds * each or any(run.state in ("failed", "stopped") for run in runs):
            return runs
        try:
            together = [specification.configs(trial.settings, seed) for seed in range(seeds)]
        except ValueError as error:
            self._finish(trial, runs, "failed", str(error))
            return []
        own = f"search/{self._id}/{trial.number}"
        run_ids = [
            self._store.create(
                config,
                submission=f"{own}/{seed}/{config.framework}",
                pair=_shared_id(f"{own}/{seed}") if len(configs) > 1 else None,
                group=_shared_id(own) if specification.seeds > 1 else None,
                submitter=f"search-{self._id}",
            )
            for seed, configs in enumerate(together)
            for config in configs
        ]
        self._store.add_trial_runs(self._id, trial.number, run_ids)
        scheduler.ensure_running()
        return _in_order(self._store, run_ids)

    def _hold(self, runs: Sequence[Run], search: Search) -> None:
        """Ask the runs of a search that does not go on to pause or to stop."""
        for run in runs:
            if search.state == "stopped" and run.state not in ENDED and not run.stop_requested:
                self._store.request_stop(run.id)
            elif search.state == "paused" and run.state in ("queued", *ACTIVE) and not run.pause_requested:
                self._store.request_pause(run.id)

    def _settle(self, trial: Trial, runs: Sequence[Run], search: Search) -> bool:
        """Record how a trial has ended, if it has; return whether it has."""
        if any(run.state not in ENDED and run.deleted_at is None for run in runs):
            return False
        is_whole = len(runs) == self.specification.seeds * self._runs_a_seed
        if failed := next((run for run in runs if run.state == "failed"), None):
            self._finish(trial, runs, "failed", failed.failure)
        elif is_whole and all(run.state == "done" for run in runs):
            self._finish(trial, runs, "done", None)
        elif trial.reason is not None and any(run.state == "stopped" for run in runs):
            self._finish(trial, runs, "pruned", trial.reason)
        elif search.state == "stopped" or any(run.state != "done" for run in runs):
            self._finish(trial, runs, "stopped", None)
        else:  # the next seeds are still to be launched
            return False
        return True

    def _prune(self, trial: Trial, runs: Sequence[Run]) -> None:
        """Tell what a trial has reached so far by its first seed, and stop it where it is not worth going on."""
        if self.specification.pruner == "none" or trial.reason is not None:
            return
        leading = runs[: self._runs_a_seed]
        if trial.number not in self._reported:
            self._reported[trial.number] = self._suggestions.reported(trial.number)
        since = self._reported[trial.number]
        measured = [
            {epoch.epoch: epoch.val_accuracy for epoch in self._store.epochs(run.id, after=since)} for run in leading
        ]
        for epoch in sorted(set.intersection(*(set(each) for each in measured))):
            self._reported[trial.number] = epoch
            reached = [each[epoch] for each in measured]
            if any(accuracy is None for accuracy in reached):  # it is validated every few epochs
                continue
            mean = statistics.fmean(accuracy for accuracy in reached if accuracy is not None)
            if self._suggestions.report(trial.number, epoch, mean):
                if any(run.state == "done" for run in leading):
                    return
                reason = f"Pruned after epoch {epoch}, at a validation accuracy of {mean:.2%}: {self._told()}"
                # First why, so that a run that is found stopped is known to have been pruned.
                self._store.change_trial(self._id, trial.number, reason=reason)
                for run in leading:
                    if run.state not in INACTIVE:
                        self._store.request_stop(run.id)
                return

    def _told(self) -> str:
        if self.specification.pruner == "median":
            return "earlier trials were better by then, more often than not."
        return "the better part of earlier trials was ahead of it by then."

    def _finish(self, trial: Trial, runs: Sequence[Run], state: str, reason: str | None) -> None:
        """Record the end of a trial, first with Optuna, then here."""
        by_seed: dict[int, list[float]] = {}
        for run in runs:
            if run.results.val_accuracy is not None:
                by_seed.setdefault(run.config.seed, []).append(run.results.val_accuracy)
        found = mean_std([statistics.fmean(each) for each in by_seed.values()]) if by_seed else None
        if state == "done" and found is not None:
            self._suggestions.tell(trial.number, "done", found.mean)
        elif state == "pruned" or (state == "failed" and any(run.cause == "diverged" for run in runs)):
            self._suggestions.tell(trial.number, "pruned")  # what diverges is bad, and to be kept away from
        else:
            self._suggestions.tell(trial.number, "failed")
        self._store.change_trial(
            self._id,
            trial.number,
            state=state,
            reason=reason,
            val_accuracy=found.mean if found else None,
            spread=found.deviation if found else None,
            images=sum(run.step * run.config.batch_size for run in runs),
            seconds=sum(run.ended_at - run.started_at for run in runs if run.started_at and run.ended_at),
            ended_at=time.time(),
        )
        self._reported.pop(trial.number, None)
        _log.info("Search %s, trial %d: %s", self._id, trial.number, state)

    def _end(self, search: Search) -> str | None:
        """Return why no further trial is to begin; None if one is."""
        specification = self.specification
        begun = sum(self._store.count_trials(self._id).values())
        if specification.size is not None and begun >= specification.size:
            return f"All {specification.size:,} settings were tried."
        if specification.trials is not None and begun >= specification.trials:
            return f"All {specification.trials:,} trials were made."
        if specification.minutes is not None and search.spent_s >= 60 * specification.minutes:
            return f"Its time, {duration(60 * specification.minutes)}, is over."
        if specification.images is not None and self._store.trained_images(self._id) >= specification.images:
            return f"Its {specification.images:,} images were trained on."
        return None

    def _count_time(self) -> None:
        """Count the time since the last look as work, a second at a time."""
        now = time.monotonic()
        if self._looked_at is None:
            self._looked_at = now
        elif now - self._looked_at >= 1:
            self._store.add_time(self._id, min(now - self._looked_at, _MOST_TICK_S))
            self._looked_at = now


def _in_order(store: Store, run_ids: Sequence[str]) -> list[Run]:
    if not run_ids:
        return []
    found = {run.id: run for run in store.find(ids=run_ids, limit=len(run_ids), deleted=None)}
    return [found[run_id] for run_id in run_ids if run_id in found]


def _shared_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main() -> None:
    """Work on searches until there has been nothing to do for a while."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = open_store()
    job, going_on = driving(), True
    while going_on:
        try:
            with driver_lock().acquire(timeout=0):
                job.enter()
                _work(Driver(store))
                job.leave()
        except Timeout:
            return
        # What was asked for before this process had left has relied on it.
        going_on = any(search.state != "paused" for search in store.unsettled_searches())


def _work(driver: Driver) -> None:
    idle_since = time.monotonic()
    try:
        while True:
            busy, pause = False, _TICK_S
            try:
                busy = driver.tick()
            except (OperationalError, StorageInternalError) as error:  # no reason to leave at once
                _log.info("Trying again: %s", error)
                pause = _RETRY_S
            if busy:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= _IDLE_S:  # asked right after a look, as in the scheduler
                return
            time.sleep(pause)
    finally:
        driver.close()


if __name__ == "__main__":
    main()
