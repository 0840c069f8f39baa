"""Curves and epochs: nothing is lost, nothing is there twice, and no spike is thinned away."""

import numpy as np
import pytest

from core.runs import Results, Store
from core.runs.downsampling import BLOCK
from core.training.records import StepMetrics
from tests.runs.making import epoch, point, running


def add_curve(store: Store, run_id: str, count: int, first: int = 1, **planted: dict[int, float]) -> list[StepMetrics]:
    """Add a falling curve, every 50th point a validation; `planted` are values by number."""
    generator = np.random.default_rng(first)
    points = []
    for number in range(first, first + count):
        split = "validation" if number % 50 == 0 else "train"
        values = {
            "loss": 10 / number + float(generator.uniform(0, 0.01)),
            "gradient_norm": None if split == "validation" else float(generator.uniform(1, 2)),
            **{name: there[number] for name, there in planted.items() if number in there},
        }
        points.append(point(number, split, **values))
    written = first
    for part in range(0, count, 70):  # as they come, not in whole blocks
        store.add_metrics(run_id, 1, written, points[part : part + 70])
        written += len(points[part : part + 70])
    return points


def numbers(curve: list[tuple[int, StepMetrics]]) -> list[int]:
    return [number for number, _ in curve]


@pytest.mark.parametrize("buckets", [1, 7, 400])
@pytest.mark.parametrize("count", [1, BLOCK - 1, BLOCK, 5 * BLOCK + 3])
def test_thinned_curve_keeps_what_sticks_out(store, buckets, count):
    run_id, _ = running(store)
    spike = max(count * 2 // 3, 1) | 1
    planted = {spike: 99.0} if spike <= count else {}
    points = add_curve(store, run_id, count, loss=planted, gradient_norm=dict.fromkeys(planted, 1e6))

    for split in ("train", "validation"):
        whole = [(number, each) for number, each in enumerate(points, start=1) if each.split == split]
        thinned = store.curve(run_id, split, buckets)

        assert set(thinned) <= set(whole)
        assert numbers(thinned) == sorted(set(numbers(thinned)))
        assert len(thinned) <= 6 * buckets + 2
        if whole:
            assert {thinned[0], thinned[-1]} == {whole[0], whole[-1]}
            for name in ("loss", "accuracy"):
                for extreme in (min, max):
                    assert extreme(getattr(each, name) for _, each in thinned) == extreme(
                        getattr(each, name) for _, each in whole
                    )
    if planted:
        assert spike in numbers(store.curve(run_id, "train", buckets))


@pytest.mark.parametrize("count", [1, 49, 50, 51, 5 * BLOCK, 5 * BLOCK + 3])
def test_both_curves_are_complete_up_to_their_last_number(store, count):
    run_id, _ = running(store)
    add_curve(store, run_id, count)

    curves = store.curves(run_id, buckets=7)

    assert numbers(curves) == sorted(set(numbers(curves)))
    assert curves[-1] == store.metrics(run_id)[-1]
    for split in ("train", "validation"):
        assert set(store.curve(run_id, split, 7)) <= set(curves)
    if count > BLOCK:
        assert len(curves) < count, "nothing was thinned"


def test_curves_miss_nothing_that_is_measured_while_they_are_read(store, monkeypatch):
    run_id, _ = running(store)
    add_curve(store, run_id, 60)
    curve = store.curve

    def slow(run_id: str, split: str, buckets: int) -> list[tuple[int, StepMetrics]]:
        if split == "validation":
            add_curve(store, run_id, 60, first=61)
        return curve(run_id, split, buckets)

    monkeypatch.setattr(store, "curve", slow)
    assert numbers(store.curves(run_id)) == list(range(1, 121))


def test_short_curve_is_whole(store):
    run_id, _ = running(store)
    points = add_curve(store, run_id, 120)

    curve = sorted(store.curve(run_id, "train", 400) + store.curve(run_id, "validation", 400))

    assert curve == list(enumerate(points, start=1))


def test_each_bucket_keeps_its_own_extremes(store):
    run_id, _ = running(store)
    spikes = {int(number): 50.0 + number for number in range(BLOCK // 2 + 1, 20 * BLOCK, 2 * BLOCK)}
    add_curve(store, run_id, 20 * BLOCK, loss=spikes)

    assert set(spikes) <= set(numbers(store.curve(run_id, "train", buckets=10)))


@pytest.mark.parametrize("kept", [0, 1, BLOCK, 3 * BLOCK - 1, 3 * BLOCK + 1])
def test_next_attempt_takes_back_what_it_measures_again(store, kept):
    run_id, attempt = running(store)
    before = add_curve(store, run_id, 5 * BLOCK, loss={4 * BLOCK + 11: 77.0})
    store.fail(run_id, attempt, failure="Killed.", advice="None.")
    store.resume(run_id)
    second = store.claim(run_id)

    assert store.begin(run_id, second, total_steps=1000, step=kept) == kept
    again = [each._replace(loss=each.loss + 1) for each in before[kept:] if each.loss != 77.0]
    store.add_metrics(run_id, second, kept + 1, again)

    assert [each for _, each in store.metrics(run_id)] == before[:kept] + again
    thinned = store.curve(run_id, "train", buckets=2)
    assert 77.0 not in [each.loss for _, each in thinned]
    assert set(thinned) <= set(enumerate(before[:kept] + again, start=1))
    assert store.get(run_id).resumed_step == kept


def test_curve_of_a_run_without_measurements_is_empty(store):
    run_id, _ = running(store)

    assert store.curve(run_id, "train") == []


@pytest.mark.parametrize("buckets", [0, 2001])
def test_number_of_buckets_has_limits(store, buckets):
    with pytest.raises(ValueError, match="Buckets: expected 1 to 2,000"):
        store.curve("0" * 12, "train", buckets)


def test_epochs_are_kept_and_read_as_they_come(store):
    run_id, attempt = running(store)
    first, second = epoch(1, 10), epoch(2, 20, val_loss=None, val_accuracy=None, learning_rate=None)
    second = second._replace(confusion=None)
    for each in (first, second):
        store.add_epoch(run_id, attempt, each)

    assert store.epochs(run_id) == [first, second]
    assert store.epochs(run_id, after=1) == [second]


def test_next_attempt_takes_back_the_epochs_after_its_step(store):
    run_id, attempt = running(store)
    for number in (1, 2, 3):
        store.add_epoch(run_id, attempt, epoch(number, 10 * number))
    store.finish(run_id, attempt, "paused", Results())
    store.resume(run_id)
    second = store.claim(run_id)

    store.begin(run_id, second, total_steps=100, step=25)
    store.add_epoch(run_id, second, epoch(3, 30, train_loss=0.1))

    assert [(each.epoch, each.train_loss) for each in store.epochs(run_id)] == [(1, 1.0), (2, 1.0), (3, 0.1)]
