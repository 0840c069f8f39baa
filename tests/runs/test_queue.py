"""The order in which waiting runs are started."""

import pytest

from core.runs import Store
from core.runs.queue import fair_order
from tests.runs.making import CONFIG


def wait(store: Store, names: str, **options) -> dict[str, str]:
    """Queue a run for each letter and return their ids by letter."""
    return {name: store.create(CONFIG, submission=f"{name} {options}", name=name, **options) for name in names}


def order(store: Store) -> str:
    return "".join(run.name for run in store.queue())


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], "abcd"),
        ([("c", "up")], "acbd"),
        ([("b", "down")], "acbd"),
        ([("d", "front")], "dabc"),
        ([("a", "back")], "bcda"),
        ([("a", "up"), ("d", "down")], "abcd"),
        ([("d", "front"), ("c", "front"), ("c", "down")], "dcab"),
    ],
)
def test_waiting_runs_are_moved(store, moves, expected):
    ids = wait(store, "abcd")

    for name, where in moves:
        store.move(ids[name], where)

    assert order(store) == expected


def test_pair_moves_as_one(store):
    ids = wait(store, "ab", pair="p") | wait(store, "c") | wait(store, "de", pair="q")

    store.move(ids["e"], "up")
    assert order(store) == "abdec"

    store.move(ids["a"], "back")
    assert order(store) == "decab"


def test_higher_priority_comes_first(store):
    ids = wait(store, "abc") | wait(store, "de", pair="p")

    store.set_priority(ids["c"], 1)
    store.set_priority(ids["e"], 2)
    store.set_priority(ids["a"], -1)

    assert order(store) == "decba"


def test_submitters_take_turns(store):
    wait(store, "abcd", submitter="first")
    wait(store, "xyz", submitter="second")

    assert order(store) == "axbyczd"


def test_who_was_served_longest_ago_comes_first(store):
    ids = wait(store, "abc", submitter="first") | wait(store, "x", submitter="second")

    store.claim(ids["a"])
    assert order(store) == "xbc"

    wait(store, "y", submitter="second")
    store.claim(ids["x"])
    assert order(store) == "byc"


def test_moving_touches_nobody_else(store):
    ids = wait(store, "ab", submitter="first") | wait(store, "xy", submitter="second")

    store.move(ids["b"], "front")

    assert order(store) == "bxay"


def test_run_queued_again_is_the_last(store):
    ids = wait(store, "abc")
    store.request_stop(ids["a"])

    store.resume(ids["a"])

    assert order(store) == "bca"


def test_places_that_two_have_drawn_at_once_are_told_apart(store):
    ids = wait(store, "abc")
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET position = 5")
    before = order(store)

    store.move(ids[before[2]], "up")

    assert order(store) == before[0] + before[2] + before[1]


@pytest.mark.parametrize(
    "change", [lambda store, run: store.move(run, "up"), lambda store, run: store.set_priority(run, 1)]
)
def test_run_that_does_not_wait_has_no_place(store, change):
    run_id = store.create(CONFIG, submission="a")
    store.claim(run_id)

    with pytest.raises(ValueError, match="is starting: only a run that waits"):
        change(store, run_id)


def test_priority_has_limits(store):
    run_id = store.create(CONFIG, submission="a")

    with pytest.raises(ValueError, match=r"Priority: expected a whole number from -10 to 10, received 11\."):
        store.set_priority(run_id, 11)


def test_nobody_waits_for_ever(store):
    """With one submitter always coming back, the others still get their turn."""
    wait(store, "abc", submitter="busy")
    wait(store, "x", submitter="patient")
    names = {run.id: run.name for run in store.queue()}

    def turns(**served: float) -> str:
        return "".join(names[run.id] for run in fair_order(store.waiting(), served))

    assert turns(busy=2.0, patient=1.0) == "xabc"
    assert turns(busy=1.0, patient=2.0) == "axbc"
