"""Finding runs: pages, filters, orders, counts."""

from typing import get_args

import pytest

from core.runs import Results, State, Store
from tests.runs.making import CONFIG, running


@pytest.fixture
def varied(store: Store) -> dict[str, str]:
    """Runs that differ in what they can be found by, by name, the oldest first."""
    made = {}

    def make(name: str, state: str = "queued", accuracy: float | None = None, **changes: str) -> None:
        config = CONFIG.model_copy(update=changes)
        if state == "queued":
            made[name] = store.create(config, submission=name, group="aaaaaaaaaaaa", submitter="somebody")
        else:
            made[name], attempt = running(store, name, config)
            store.finish(made[name], attempt, state, Results(test_accuracy=accuracy))
        store.rename(made[name], name)

    make("Baseline", "done", 0.97)
    make("LeNet 100%", "done", 0.99, architecture="lenet-5", framework="keras")
    make("wide_net", "stopped", dataset="birds")
    make("next")
    store.tag(made["Baseline"], add=["thesis", "good ones"])
    store.tag(made["next"], add=["thesis"])
    store.annotate(made["wide_net"], "Too WIDE by half.")
    return made


@pytest.mark.usefixtures("varied")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["next", "wide_net", "LeNet 100%", "Baseline"]),
        ({"states": ("done",)}, ["LeNet 100%", "Baseline"]),
        ({"states": ()}, []),
        ({"framework": "keras"}, ["LeNet 100%"]),
        ({"architecture": "ann-100", "dataset": "mnist"}, ["next", "Baseline"]),
        ({"dataset": "birds"}, ["wide_net"]),
        ({"group": "aaaaaaaaaaaa"}, ["next"]),
        ({"submitter": "somebody"}, ["next"]),
        ({"tag": "thesis"}, ["next", "Baseline"]),
        ({"tag": "thesis", "states": ("done",)}, ["Baseline"]),
        ({"tag": "the"}, []),
        ({"search": "BASE"}, ["Baseline"]),
        ({"search": "lenet"}, ["LeNet 100%"]),
        ({"search": "100%"}, ["LeNet 100%"]),
        ({"search": "e_n"}, ["wide_net"]),  # % and _ stand for themselves
        ({"search": "wide by"}, ["wide_net"]),
        ({"search": "good"}, ["Baseline"]),
        ({"search": "birds"}, ["wide_net"]),
        ({"search": "'; DROP TABLE runs; --"}, []),
        ({"search": "", "tag": "", "framework": None}, ["next", "wide_net", "LeNet 100%", "Baseline"]),
    ],
)
def test_runs_are_found_and_counted(store, filters, found):
    assert [run.name for run in store.find(**filters)] == found
    assert store.count(**filters) == len(found)


def test_run_is_found_by_its_id(store, varied):
    assert [run.name for run in store.find(search=varied["next"][2:9])] == ["next"]


@pytest.mark.usefixtures("varied")
def test_runs_are_sorted(store):
    def names(order: str) -> list[str]:
        return [run.name for run in store.find(order=order)]

    assert names("oldest") == ["Baseline", "LeNet 100%", "wide_net", "next"]
    assert names("most accurate")[:2] == ["LeNet 100%", "Baseline"]
    assert set(names("most accurate")[2:]) == {"wide_net", "next"}
    assert names("name")[0] == "Baseline"


@pytest.mark.usefixtures("varied")
def test_runs_are_counted_by_state(store):
    counted = {state: store.count(states=[state]) for state in get_args(State)}

    assert {state: count for state, count in counted.items() if count} == {"queued": 1, "done": 2, "stopped": 1}
    assert store.count(framework="keras", states=["done"]) == 1


def test_what_goes_on_is_told_briefly(store):
    attempts = {store.create(CONFIG, submission=name): name for name in ("waits", "starts", "trains", "gone", "ended")}
    ids = {name: run_id for run_id, name in attempts.items()}
    for name in ("starts", "trains", "ended"):
        store.claim(ids[name])
    store.begin(ids["trains"], 1, total_steps=8)
    store.finish(ids["ended"], 1, "done", Results())
    store.request_stop(ids["gone"])
    store.delete(ids["gone"])

    assert {run.id: (run.state, run.attempt, run.device, run.architecture) for run in store.pending()} == {
        ids["waits"]: ("queued", 0, "cpu", CONFIG.architecture),
        ids["starts"]: ("starting", 1, "cpu", CONFIG.architecture),
        ids["trains"]: ("running", 1, "cpu", CONFIG.architecture),
    }


@pytest.mark.usefixtures("varied")
def test_what_can_be_filtered_by_is_told(store):
    assert store.values("architecture") == ["ann-100", "lenet-5"]
    assert store.values("framework") == ["keras", "pytorch"]
    assert store.values("dataset") == ["birds", "mnist"]
    assert store.tags() == {"good ones": 1, "thesis": 2}


@pytest.mark.usefixtures("varied")
def test_listed_runs_bear_their_tags(store):
    assert {run.name: run.tags for run in store.find()} == {
        "next": ("thesis",),
        "wide_net": (),
        "LeNet 100%": (),
        "Baseline": ("good ones", "thesis"),
    }


def test_filter_that_does_not_exist_is_an_error(store):
    with pytest.raises(TypeError, match="There is no filter optimizer"):
        store.find(optimizer="sgd")
