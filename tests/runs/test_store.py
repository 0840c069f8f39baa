"""The life of a run: who may change its state, and when."""

from types import SimpleNamespace

import pytest
from sqlalchemy.exc import IntegrityError

from core.runs import Results, Store, SupersededError, changes, open_store
from core.runs import store as lifecycle
from tests.runs.making import CONFIG, epoch, outputs, point, running, start_together


def test_run_goes_from_queued_to_done(store):
    run_id = store.create(CONFIG, submission="a")
    assert (store.get(run_id).state, store.get(run_id).attempt) == ("queued", 0)

    attempt = store.claim(run_id)
    claimed = store.get(run_id)
    assert (claimed.state, claimed.attempt, attempt) == ("starting", 1, 1)
    assert claimed.started_at == claimed.heartbeat_at

    store.enter(run_id, attempt, pid=123, process_started_at=4.5)
    store.begin(run_id, attempt, total_steps=50)
    assert (store.get(run_id).state, store.get(run_id).total_steps, store.get(run_id).pid) == ("running", 50, 123)

    store.finish(run_id, attempt, "done", Results(test_accuracy=0.9))
    finished = store.get(run_id)
    assert (finished.state, finished.results, finished.config) == ("done", Results(test_accuracy=0.9), CONFIG)
    assert finished.created_at <= finished.started_at <= finished.training_at <= finished.ended_at


def test_run_trained_by_its_maker_never_waits_in_the_queue(store):
    run = store.get(store.create(CONFIG, submission="a", claimed=True))

    assert (run.state, run.attempt, run.stop_requested) == ("starting", 1, False)
    assert run.heartbeat_at == run.started_at
    assert store.claim(run.id) is None


def test_claimed_run_is_not_claimed_again(store):
    run_id = store.create(CONFIG, submission="a")

    assert [store.claim(run_id), store.claim(run_id), store.claim("0" * 12)] == [1, None, None]


CHANGES = {
    "enter": lambda store, run_id, attempt: store.enter(run_id, attempt, pid=9, process_started_at=9.0),
    "begin": lambda store, run_id, attempt: store.begin(run_id, attempt, total_steps=9),
    "beat": lambda store, run_id, attempt: store.heartbeat(run_id, attempt),
    "add_metrics": lambda store, run_id, attempt: store.add_metrics(run_id, attempt, 1, [point(9)]),
    "finish": lambda store, run_id, attempt: store.finish(run_id, attempt, "done", Results(late=True)),
    "fail": lambda store, run_id, attempt: store.fail(run_id, attempt, failure="late", advice="late"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("ending", ["done", "stopped", "failed"])
def test_ended_run_cannot_be_changed(store, change, ending):
    run_id, attempt = running(store)
    if ending == "failed":
        store.fail(run_id, attempt, failure="Out of memory.", advice="Use less.")
    else:
        store.finish(run_id, attempt, ending, Results())
    before = store.get(run_id)

    with pytest.raises(SupersededError):
        CHANGES[change](store, run_id, attempt)

    assert store.get(run_id) == before
    assert store.metrics(run_id) == []


@pytest.mark.parametrize("state", ["starting", "running"])
@pytest.mark.parametrize("change", CHANGES)
def test_late_attempt_publishes_nothing(store, change, state):
    run_id = store.create(CONFIG, submission="a")
    late = store.claim(run_id)
    store.fail(run_id, late, failure="It was given up.", advice="None.")
    store.retry(run_id)
    attempt = store.claim(run_id)
    if state == "running":
        store.begin(run_id, attempt, total_steps=50)
    before = store.get(run_id)

    with pytest.raises(SupersededError):
        CHANGES[change](store, run_id, late)

    assert attempt == late + 1
    assert store.get(run_id) == before
    assert store.metrics(run_id) == []


@pytest.mark.parametrize("change", ["begin", "beat", "add_metrics", "finish", "fail"])
def test_queued_run_belongs_to_nobody(store, change):
    run_id = store.create(CONFIG, submission="a")

    with pytest.raises(SupersededError):
        CHANGES[change](store, run_id, 0)

    assert store.get(run_id).state == "queued"


def test_attempt_has_one_process(store):
    run_id = store.create(CONFIG, submission="a")
    attempt = store.claim(run_id)
    store.enter(run_id, attempt, pid=123, process_started_at=4.5)

    with pytest.raises(SupersededError, match="run by process 123"):
        store.enter(run_id, attempt, pid=124, process_started_at=5.5)

    assert store.get(run_id).pid == 123


def test_submission_seen_before_gives_its_run(store):
    first = store.create(CONFIG, submission="a")

    assert store.create(CONFIG.model_copy(update={"epochs": 9}), submission="a") == first
    assert store.create(CONFIG, submission="b") != first
    assert len(store.find()) == 2


def test_queued_run_is_stopped_at_once(store):
    run_id = store.create(CONFIG, submission="a")

    store.request_stop(run_id)

    run = store.get(run_id)
    assert run.state == "stopped"
    assert run.ended_at is not None
    assert store.claim(run_id) is None


SIGNS = {
    "a beat": lambda store, run_id, attempt, load=None: store.heartbeat(run_id, attempt, load),
    "measurements": lambda store, run_id, attempt, load=None: store.add_metrics(run_id, attempt, 1, [point(9)], load),
}


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
@pytest.mark.parametrize(("ask", "asked"), [(Store.request_stop, "stop"), (Store.request_pause, "pause")])
def test_what_it_is_asked_comes_back_from_every_sign_of_life(store, sign, ask, asked):
    run_id, attempt = running(store)
    ask(store, run_id)

    assert sign(store, run_id, attempt) == asked


def test_active_run_is_asked_to_stop(store):
    run_id, attempt = running(store)
    assert store.heartbeat(run_id, attempt) is None

    store.request_stop(run_id)
    store.request_stop(run_id)

    assert store.heartbeat(run_id, attempt) == "stop"
    assert (store.get(run_id).state, store.get(run_id).stop_requested) == ("running", True)


@pytest.mark.parametrize("ask", [Store.request_stop, Store.request_pause])
@pytest.mark.parametrize("state", ["done", "stopped", "failed", "deleted"])
def test_ended_run_is_not_asked_for_anything(store, ask, state):
    run_id, attempt = running(store)
    if state == "failed":
        store.fail(run_id, attempt, failure="It failed.", advice="")
    else:
        store.finish(run_id, attempt, "done" if state == "deleted" else state, Results())
    if state == "deleted":
        store.delete(run_id)
    before = store.get(run_id)

    with pytest.raises(ValueError, match=f"is {state}: only one that waits"):
        ask(store, run_id)

    assert store.get(run_id) == before


def test_paused_run_is_not_paused_again(store):
    run_id = store.create(CONFIG, submission="a")
    store.request_pause(run_id)

    with pytest.raises(ValueError, match="is paused: only one that waits or trains can be paused"):
        store.request_pause(run_id)


def test_metrics_come_in_order_and_only_once(store):
    run_id, attempt = running(store)
    store.add_metrics(run_id, attempt, 1, [point(3, images_per_second=100.0), point(5)])
    seen = store.metrics(run_id)
    store.add_metrics(run_id, attempt, 3, [point(10, "validation", accuracy=0.7)])

    assert seen == [(1, point(3, images_per_second=100.0)), (2, point(5))]
    assert store.metrics(run_id, after=2) == [(3, point(10, "validation", accuracy=0.7))]
    assert store.metrics(run_id, after=3) == []
    assert [number for number, _ in store.metrics(run_id, limit=2)] == [1, 2]
    assert (store.get(run_id).step, store.get(run_id).images_per_second) == (10, 100.0)
    assert store.get(run_id).progress == 0.1


def test_points_that_cannot_all_be_written_are_not_written_at_all(store):
    run_id, attempt = running(store)
    store.add_metrics(run_id, attempt, 1, [point(1)])

    with pytest.raises(IntegrityError):
        store.add_metrics(run_id, attempt, 1, [point(2), point(3)])

    assert (len(store.metrics(run_id)), store.get(run_id).step) == (1, 1)


def test_time_left_comes_from_the_time_so_far(store, monkeypatch):
    clock = SimpleNamespace(time=lambda: clock.now, monotonic=lambda: 0.0, now=1000.0)
    for module in (lifecycle, changes):
        monkeypatch.setattr(module, "time", clock)
    run_id, attempt = running(store)
    assert store.get(run_id).seconds_left is None

    clock.now = 1020.0
    store.add_metrics(run_id, attempt, 1, [point(40)])
    assert store.get(run_id).seconds_left == 30.0

    clock.now = 500.0  # somebody sets it back
    store.heartbeat(run_id, attempt)
    assert store.get(run_id).seconds_left == 0.0

    store.finish(run_id, attempt, "done", Results())
    assert store.get(run_id).seconds_left is None


def test_runs_are_listed_by_page_state_and_pair(store):
    made = [store.create(CONFIG, submission=f"{i}", pair="p" if i in (3, 4) else None) for i in range(7)]
    store.request_stop(made[2])

    def ids(**options) -> list[str]:
        return [run.id for run in store.find(**options)]

    assert ids() == made[::-1]
    assert ids(limit=3) + ids(limit=3, offset=3) + ids(limit=3, offset=6) == made[::-1]
    assert ids(order="oldest", limit=2) == made[:2]
    assert ids(pair="p", order="oldest") == made[3:5]
    assert ids(states=("stopped", "done")) == [made[2]]
    assert ids(states=()) == []


def test_speeds_are_those_of_runs_like_it_newest_first(store):
    def finish(submission: str, speed: float, **changes) -> None:
        config = CONFIG.model_copy(update=changes)
        store.finish(*running(store, submission, config), "done", Results(images_per_second=speed))

    finish("a", 100.0)
    finish("b", 200.0, epochs=9)
    finish("c", 300.0, batch_size=128)
    finish("d", 400.0, threads=1)
    finish("e", 500.0, framework="keras")
    finish("f", 600.0, device="gpu:0")
    store.finish(*running(store, "g"), "stopped", Results(images_per_second=700.0))

    assert store.speeds(CONFIG) == {64: 200.0, 128: 300.0}
    assert store.speeds(CONFIG.model_copy(update={"threads": 1})) == {64: 400.0}
    assert store.speeds(CONFIG.model_copy(update={"architecture": "cnn-64-32-32"})) == {}


def test_run_that_is_not_there_is_named(store):
    with pytest.raises(ValueError, match="There is no run '3f9c0a1b2c3d' here"):
        store.get("3f9c0a1b2c3d")


def test_each_home_has_its_own_store(tmp_path, monkeypatch):
    first = open_store()
    assert open_store() is first

    monkeypatch.setenv("DUET_HOME", str(tmp_path / "other"))

    assert open_store() is not first
    assert open_store().find() == []


def test_submission_seen_by_several_processes_at_once_gives_one_run(store):
    script = "store = Store(url)\nprint([store.create(config, submission=f'{i}') for i in range(30)])"

    made = outputs(start_together(script, ["", "", ""]))

    assert len(set(made)) == 1
    assert len(store.find()) == 30


@pytest.mark.parametrize("ending", ["failed", "stopped", "paused"])
def test_run_at_rest_goes_on_as_a_next_attempt(store, ending):
    run_id, attempt = running(store)
    store.add_metrics(run_id, attempt, 1, [point(10), point(20), point(30)])
    if ending == "failed":
        store.fail(run_id, attempt, failure="Out of memory.", advice="Use less.", traceback="Traceback")
    else:
        store.finish(run_id, attempt, ending, Results(best_epoch=2))

    store.resume(run_id)
    waiting = store.get(run_id)
    assert (waiting.state, waiting.resumes, waiting.failure, waiting.traceback) == ("queued", True, None, None)

    second = store.claim(run_id)
    store.enter(run_id, second, pid=2, process_started_at=1.0)
    assert store.begin(run_id, second, total_steps=100, step=20) == 2
    store.add_metrics(run_id, second, 3, [point(30), point(40)])

    assert [each.step for _, each in store.metrics(run_id)] == [10, 20, 30, 40]
    assert [number for number, _ in store.metrics(run_id)] == [1, 2, 3, 4]
    told = [(each.attempt, each.state, each.resumed_step, each.failure) for each in store.attempts(run_id)]
    assert told == [(1, ending, 0, "Out of memory." if ending == "failed" else None), (2, "running", 20, None)]


def test_run_tried_again_begins_anew(store):
    run_id, attempt = running(store)
    store.add_metrics(run_id, attempt, 1, [point(10)])
    store.add_epoch(run_id, attempt, epoch(1, step=10))
    store.request_stop(run_id)
    store.finish(run_id, attempt, "stopped", Results())

    store.retry(run_id)
    second = store.claim(run_id)
    assert store.begin(run_id, second, total_steps=100) == 0

    run = store.get(run_id)
    assert (run.resumes, run.stop_requested, run.step) == (False, False, 0)
    assert (store.metrics(run_id), store.epochs(run_id)) == ([], [])


@pytest.mark.parametrize("again", ["resume", "retry"])
@pytest.mark.parametrize("state", ["queued", "starting", "running", "done"])
def test_run_that_is_not_at_rest_is_not_queued_again(store, again, state):
    run_id = store.create(CONFIG, submission="a")
    if state != "queued":
        store.claim(run_id)
    if state in ("running", "done"):
        store.begin(run_id, 1, total_steps=9)
    if state == "done":
        store.finish(run_id, 1, "done", Results())

    with pytest.raises(ValueError, match=f"Run {run_id} is {state}: only one that has failed, or was stopped"):
        getattr(store, again)(run_id)

    assert store.get(run_id).state == state


def test_pause_of_a_waiting_run_holds_it(store):
    run_id = store.create(CONFIG, submission="a")

    store.request_pause(run_id)
    assert (store.get(run_id).state, store.claim(run_id)) == ("paused", None)

    store.resume(run_id)
    assert store.claim(run_id) == 1


def test_active_run_is_asked_to_pause(store):
    run_id, attempt = running(store)

    store.request_pause(run_id)
    assert store.heartbeat(run_id, attempt) == "pause"

    store.finish(run_id, attempt, "paused", Results(best_epoch=1))
    paused = store.get(run_id)
    assert (paused.state, paused.results) == ("paused", Results(best_epoch=1))
    store.resume(run_id)
    assert not store.get(run_id).pause_requested


def test_stop_wins_over_a_pause(store):
    run_id, attempt = running(store)
    store.request_pause(run_id)
    store.request_stop(run_id)
    assert store.heartbeat(run_id, attempt) == "stop"

    store.finish(run_id, attempt, "paused", Results())  # it has not heard of the stop yet

    assert store.get(run_id).state == "stopped"
    assert store.attempts(run_id)[-1].state == "stopped"


def test_stop_of_a_paused_run_ends_it(store):
    run_id = store.create(CONFIG, submission="a")
    store.request_pause(run_id)

    store.request_stop(run_id)

    assert store.get(run_id).state == "stopped"


@pytest.mark.slow
def test_stops_that_race_the_end_leave_one_final_state(store):
    """200 races: each run is finished by one process and stopped by another, at once."""
    made = [running(store, f"{i}")[0] for i in range(200)]
    script = f"""
store = Store(url)
for run_id in {made}:
    if arguments[0] == "stop":
        with suppress(ValueError):  # it has ended
            store.request_stop(run_id)
    else:
        store.finish(run_id, 1, "done", Results())
"""

    outputs(start_together(script, ["stop", "finish"]))

    assert store.count() == store.count(states=["done"]) == 200
    assert {attempt.state for run_id in made for attempt in store.attempts(run_id)} == {"done"}


def test_clone_has_the_same_settings_but_those_that_are_changed(store):
    source = store.create(CONFIG, submission="a", submitter="somebody")
    store.rename(source, "Baseline")

    clone = store.get(store.clone(source, submission="b", batch_size="32"))

    assert clone.config == CONFIG.model_copy(update={"batch_size": 32})
    assert (clone.name, clone.state, clone.submitter) == ("Baseline (copy)", "queued", "somebody")
    assert store.clone(source, submission="b", batch_size=16) == clone.id  # a double click


@pytest.mark.parametrize(("changes", "told"), [({"batch_size": 0}, "Batch size"), ({"batch": 1}, "batch")])
def test_clone_with_a_wrong_setting_is_refused(store, changes, told):
    source = store.create(CONFIG, submission="a")

    with pytest.raises(ValueError, match=told):
        store.clone(source, submission="b", **changes)

    assert store.count() == 1


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_silence_ends_with_the_next_sign_of_life(store, sign):
    run_id, attempt = running(store)
    store.mark_unresponsive(run_id, attempt)
    assert store.get(run_id).unresponsive

    sign(store, run_id, attempt, {"memory_bytes": 1e6, "cpu_percent": 150.0})

    run = store.get(run_id)
    assert (run.unresponsive, run.process_load) == (False, {"memory_bytes": 1e6, "cpu_percent": 150.0})


def test_setting_is_kept(store):
    assert store.setting("cpu_slots") is None

    store.set_setting("cpu_slots", 2)
    store.set_setting("cpu_slots", 3)

    assert store.setting("cpu_slots") == 3


def test_cause_of_a_failure_is_kept_until_the_next_attempt(store):
    run_id, attempt = running(store)
    store.fail(run_id, attempt, failure="Out of memory.", advice="Use less.", cause="out_of_memory")
    assert store.get(run_id).cause == "out_of_memory"

    store.retry(run_id)
    assert store.get(run_id).cause is None


@pytest.mark.parametrize("value", [3, 0.5, "words", [1, 2], {"a": None}, True])
def test_settings_are_kept_whatever_they_are(store, value):
    store.set_setting("one", value)

    assert store.setting("one") == value
