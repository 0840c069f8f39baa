"""Rows of runs: what is folded, counted and sorted by the database, on SQLite and on PostgreSQL."""

from typing import Any

import pytest

from core.config import RunConfig, configure
from core.runs import Store, new_id
from core.runs.table import METRICS
from tests.runs.making import CONFIG, epoch, finished_results, running


def done(store: Store, accuracy: float, name: str | None = None, **settings: Any) -> str:
    run_id = store.create(configure(**settings), submission=new_id(), name=name, claimed=True)
    results = finished_results(test_accuracy=accuracy, val_accuracy=accuracy - 0.01, train_seconds=10 * accuracy)
    store.finish(run_id, 1, "done", results)
    return run_id


def test_seeds_and_frameworks_of_a_setting_are_one_row(store: Store):
    for seed, accuracy in enumerate((0.90, 0.92, 0.94)):
        done(store, accuracy, seed=seed)
    newest = done(store, 0.95, framework="keras", threads=2)
    store.create(configure(framework="keras", seed=7), submission="waits")
    done(store, 0.5, batch_size=256)

    other, row = store.rows()

    assert (other.count, other.newest.config.batch_size, store.count_rows()) == (1, 256, 2)
    assert (row.newest.id, row.count, row.states) == (newest, 5, {"done": 4, "queued": 1})
    assert list(row.frameworks) == ["pytorch", "keras"]
    figure = row.frameworks["pytorch"].figures["test_accuracy"]
    assert (figure.mean, figure.deviation, figure.count) == (pytest.approx(0.92), pytest.approx(0.02), 3)
    assert row.frameworks["pytorch"].figures["train_seconds"].deviation == pytest.approx(0.2)
    assert row.frameworks["keras"].figures["val_accuracy"].deviation is None
    assert row.mean("test_accuracy") == pytest.approx((0.9 + 0.92 + 0.94 + 0.95) / 4)
    assert row.mean("images_per_second") is None
    assert {run.config.seed for run in store.runs_of([row.key])} == {0, 1, 2, 7, 42}


def test_other_names_are_other_rows_and_unfolded_each_run_is_one(store: Store):
    ids = [done(store, 0.9, name) for name in ("a", "b", None)]

    assert [row.newest.name for row in store.rows(sort="name", descending=False)] == ["a", "b", None]
    assert {row.key for row in store.rows(folded=False)} == set(ids)
    assert store.count_rows(folded=False) == 3
    assert [run.id for run in store.runs_of(ids[:2], folded=False)] == ids[:2]
    store.rename(ids[1], "a")
    assert store.count_rows() == 2


def test_filters_and_pages_hold(store: Store):
    for size in (8, 16, 32):
        done(store, 0.9, batch_size=size)
        done(store, 0.9, batch_size=size, framework="keras")

    assert [row.newest.config.batch_size for row in store.rows(limit=2, offset=1)] == [16, 8]
    (*_, row) = store.rows(framework="keras")
    assert (list(row.frameworks), row.count) == (["keras"], 1)
    assert len(store.runs_of([row.key], framework="keras")) == 1
    assert store.rows(search="nothing") == []
    store.delete(row.newest.id)
    assert store.count_rows(deleted=True) == 1


@pytest.mark.parametrize("sort", ["created_at", "name", *METRICS, *RunConfig.model_fields])
def test_rows_are_sorted_by_every_metric_and_setting(store: Store, sort: str):
    first, second = done(store, 0.9, "a"), done(store, 0.8, "b", epochs=20, optimizer="adam", learning_rate=1e-5)
    store.create(CONFIG, submission="waits")

    for descending in (True, False):
        assert len(store.rows(sort=sort, descending=descending)) == 3
    order = [row.newest.id for row in store.rows(sort=sort, descending=False)]
    if sort in ("name", "learning_rate", "optimizer"):
        expected = [second, first] if sort in ("learning_rate", "optimizer") else [first, second]
        assert [run_id for run_id in order if run_id in expected] == expected
    if sort in ("test_accuracy", "train_seconds"):
        assert order[:2] == [second, first], "what has no figure comes last"
        assert [row.newest.id for row in store.rows(sort=sort)][:2] == [first, second]


def test_nothing_else_is_sorted_by(store: Store):
    with pytest.raises(ValueError, match="expected created_at, name, a metric or a setting, received 'id; DROP'"):
        store.rows(sort="id; DROP")


def test_best_by_validation_is_told_of_each_data_set(store: Store):
    done(store, 0.9), done(store, 0.7, seed=1)  # 0.8 on average
    better, other = done(store, 0.85, epochs=5), done(store, 0.2, dataset="birds")

    best = store.best_rows()

    assert {row.newest.id for row in store.rows() if row.key in best} == {better, other}
    assert store.best_rows(folded=False) == {run.id for run in store.find() if run.results.test_accuracy in (0.9, 0.2)}


def test_validation_curves_are_of_some_thirty_points(store: Store):
    ids = []
    for name, epochs in (("short", 3), ("long", 100)):
        run_id, attempt = running(store, name, CONFIG.model_copy(update={"epochs": epochs}))
        for number in range(1, epochs + 1):
            store.add_epoch(run_id, attempt, epoch(number, number, val_accuracy=number / 100))
        ids.append(run_id)

    curves = store.validation_curves([store.get(run_id) for run_id in ids])

    assert curves[ids[0]] == [0.01, 0.02, 0.03]
    assert curves[ids[1]] == [number / 100 for number in range(4, 101, 4)]
    assert store.validation_curves([]) == {}


def test_device_that_is_settled_makes_the_setting(store: Store):
    """One that was left open and one that was named are one row as soon as it is known."""
    done(store, 0.9, device="cpu")
    store.claim(store.create(configure(device="auto"), submission="open"), device="cpu")

    assert store.count_rows() == 1
