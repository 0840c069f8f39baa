"""The figures of a run: what the store keeps of them, and what is certain of a run that is done."""

import json

import pytest
import sqlalchemy as sa

from core.runs import FinishedRun, Results, Store, finished, summary
from core.system.paths import store_url
from tests.runs.making import finished_results, running


def overwrite(run_id: str, results: str) -> None:
    """Write results into the database as another version of Duet might have."""
    engine = sa.create_engine(store_url())
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE runs SET results = :results WHERE id = :run_id"), {"results": results, "run_id": run_id}
        )
    engine.dispose()


@pytest.fixture
def done() -> tuple[Store, str]:
    store = Store(store_url())
    run_id, attempt = running(store)
    store.finish(run_id, attempt, "done", finished_results(test_accuracy=0.75))
    return store, run_id


def test_run_has_none_before_its_end():
    store = Store(store_url())
    run_id, _ = running(store)

    run = store.get(run_id)

    assert run.results == Results()
    assert run.results.as_json() == {}
    assert run.finished() is None


def test_done_run_has_all_of_them(done):
    store, run_id = done

    run = store.get(run_id).finished()

    assert isinstance(run, FinishedRun)
    assert (run.id, run.state, run.results.test_accuracy) == (run_id, "done", 0.75)
    assert run.results.as_json() == finished_results(test_accuracy=0.75).as_json()


def test_only_done_runs_are_finished(done):
    store, run_id = done
    other, attempt = running(store, "b")
    store.finish(other, attempt, "stopped", finished_results())

    assert [run.id for run in finished(store.find())] == [run_id]


def test_results_of_an_older_version_lack_what_it_did_not_measure(done):
    store, run_id = done
    overwrite(run_id, json.dumps({"test_accuracy": 0.5}))

    run = store.get(run_id)

    assert (run.results.test_accuracy, run.results.stopped_early, run.results.confusion) == (0.5, None, None)
    assert run.finished() is None
    assert summary(run)["train_seconds"] is None


def test_figures_of_a_newer_version_are_kept(done):
    store, run_id = done
    overwrite(run_id, json.dumps({**finished_results().as_json(), "calibration_error": 0.02}))

    assert store.get(run_id).results.as_json()["calibration_error"] == 0.02
    assert store.get(run_id).finished().results.as_json()["calibration_error"] == 0.02
