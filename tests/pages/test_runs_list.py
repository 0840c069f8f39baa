"""The list of runs on the Results page, without a browser: filters, pages, many runs at once, deleting and undoing."""

import pytest
from streamlit.testing.v1 import AppTest

from core.config import RunConfig, configure
from core.jobs.scheduler import cpu_slots
from core.runs import Results, Store, new_id
from tests.page import page_at
from tests.runs.making import finished_results
from ui.results import exports
from ui.results.runs_list import PAGE

CONFIG = configure(architecture="ann-100")


def results_page(**query: str) -> AppTest:
    return page_at("results", **query).run()


def ended(store: Store, name: str, config: RunConfig = CONFIG, state: str = "done") -> str:
    run_id = store.create(config, submission=new_id(), name=name, claimed=True)
    if state == "failed":
        store.fail(run_id, 1, failure="Out of memory.", advice="Use less.", cause="out_of_memory")
    else:
        store.finish(run_id, 1, state, Results(test_accuracy=0.9, train_seconds=3.0))
    return run_id


def tick(page: AppTest, *rows: int) -> AppTest:
    """Tick rows of the table."""
    selection = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    page.session_state[page.dataframe[0].key] = selection
    return page.run()


def button(page: AppTest, label: str):
    return next(button for button in page.button if button.label == label)


def names(page: AppTest) -> list[str]:
    return list(page.dataframe[0].value["Name"])


def test_an_empty_store_says_what_to_do(store: Store) -> None:  # noqa: ARG001 (it is empty)
    page = results_page()

    assert not page.exception
    assert "Train both now" in page.info[0].value


def test_runs_are_listed_newest_first_with_their_states(store: Store) -> None:
    ended(store, "first")
    ended(store, "second", state="failed")
    store.create(CONFIG, submission=new_id(), name="third")

    page = results_page()

    assert not page.exception
    assert names(page) == ["third", "second", "first"]
    assert list(page.dataframe[0].value["State"]) == ["queued", "failed: out of memory", "done"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["b", "c", "a"]),
        ({"reversed": "true"}, ["a", "c", "b"]),
        ({"sort": "Test accuracy"}, ["c", "b", "a"]),
        ({"sort": "Test accuracy", "reversed": "true"}, ["a", "b", "c"]),
        ({"sort": "Name"}, ["a", "b", "c"]),
    ],
)
def test_runs_are_listed_in_the_order_that_is_asked_for(store: Store, query: dict, expected: list[str]) -> None:
    for name, accuracy in {"a": 0.1, "c": 0.9, "b": 0.5}.items():
        run_id = store.create(CONFIG, submission=new_id(), name=name)
        store.finish(run_id, store.claim(run_id), "done", Results(test_accuracy=accuracy))

    assert names(results_page(**query)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "fir"}, ["first"]),
        ({"search": "THESIS"}, ["second"]),
        ({"search": "lenet"}, []),
        ({"framework": "Keras"}, ["second"]),
        ({"framework": "JAX"}, []),
        ({"tag": "thesis"}, ["second"]),
        ({"tag": "never there"}, []),
        ({"state": "failed"}, ["second"]),
        ({"deleted": "true"}, ["gone"]),
        ({"dataset": "mnist", "search": "first"}, ["first"]),
    ],
)
def test_the_address_filters(store: Store, query: dict[str, str], expected: list[str]) -> None:
    ended(store, "first")
    store.tag(ended(store, "second", CONFIG.model_copy(update={"framework": "keras"}), "failed"), add=["thesis"])
    store.delete(ended(store, "gone"))

    page = results_page(**query)

    assert not page.exception
    if expected:
        assert names(page) == expected
    else:
        assert len(page.dataframe) == 0
        assert "No run fits" in page.info[0].value


def test_a_filter_is_kept_in_the_address_and_begins_at_the_first_page(store: Store) -> None:
    for number in range(PAGE + 2):
        ended(store, f"run {number}")

    page = results_page(page="2")
    assert names(page) == ["run 1", "run 0"]

    page.text_input(key="search").set_value("run 1").run()
    assert page.text_input(key="search").proto.query_param_key == "search"
    assert names(page)[-1] == "run 1"
    assert len(names(page)) == 11


def test_many_are_stopped_and_resumed_at_once(store: Store) -> None:
    done = ended(store, "done")
    waiting = [store.create(CONFIG, submission=new_id(), name=name) for name in "ab"]

    page = tick(results_page(), 0, 1, 2)
    button(page, "Pause").click().run()
    assert [store.get(run_id).state for run_id in (done, *waiting)] == ["done", "paused", "paused"]

    page = tick(results_page(), 0, 1)
    button(page, "Resume").click().run()
    assert {store.get(run_id).state for run_id in waiting} == {"queued"}

    page = tick(results_page(), 0, 1, 2)
    page.button(key="selected-stop").click().run()
    assert [store.get(run_id).state for run_id in (done, *waiting)] == ["done", "stopped", "stopped"]
    assert not page.exception


def test_many_are_cloned_once_by_a_double_click(store: Store) -> None:
    ended(store, "first")
    ended(store, "second", CONFIG.model_copy(update={"seed": 7}))
    page = tick(results_page(), 0, 1)

    page.button(key="selected-clone").click().run()
    clone = page.session_state["cloned"]
    assert sorted(run.config.seed for run in store.find(states=("queued",))) == [7, 42]
    assert len(clone[0]) == 2
    assert not page.exception


def test_many_are_tagged(store: Store) -> None:
    run_ids = [ended(store, "first"), ended(store, "second")]
    page = tick(results_page(), 0, 1)

    page.text_input(key="selected-new-tags").set_value("<b>thesis</b>")
    button(page, "Add").click().run()

    assert {store.get(run_id).tags for run_id in run_ids} == {("<b>thesis</b>",)}
    assert not page.exception


def test_deleting_asks_first_and_can_be_undone(store: Store) -> None:
    ended(store, "first")
    second = ended(store, "second")
    page = tick(results_page(), 0)

    page.button(key="selected-delete").click().run()
    assert store.count() == 2
    page.button(key="delete-confirmed").click().run()
    assert store.get(second).deleted_at is not None
    assert names(page) == ["first"]
    assert "1 run deleted." in [text.value for text in page.info]

    page.button(key="undo-runs").click().run()
    assert names(page) == ["second", "first"]
    assert not page.exception


def test_deleting_can_be_undone_after_a_reload(store: Store) -> None:
    run_id = ended(store, "first")
    store.delete(run_id)

    page = results_page()
    assert "No runs yet" in page.info[0].value
    page.toggle(key="deleted").set_value(True).run()
    tick(page, 0)
    button(page, "Restore").click().run()

    assert store.get(run_id).deleted_at is None
    assert not page.exception


def test_deleted_runs_are_removed_for_good_only_when_asked_twice(store: Store) -> None:
    kept, doomed = ended(store, "kept"), ended(store, "doomed")
    store.delete(doomed)
    page = results_page(deleted="true")

    page.button(key="remove").click().run()
    assert store.count(deleted=True) == 1
    page.button(key="removal-confirmed").click().run()

    assert [run.id for run in store.find(deleted=None)] == [kept]
    assert not page.exception


def test_what_waits_is_shown_in_order_and_moved(store: Store) -> None:
    ids = {name: store.create(CONFIG, submission=new_id(), name=name) for name in "abc"}
    page = results_page()
    assert "Waiting: 3 runs" in [heading.value for heading in page.subheader]

    page.button(key=f"queue-front-{ids['c']}").click().run()
    page.button(key=f"queue-down-{ids['a']}").click().run()

    assert [run.name for run in store.queue()] == ["c", "b", "a"]
    assert page.button(key=f"queue-up-{ids['c']}").disabled
    assert page.button(key=f"queue-down-{ids['a']}").disabled
    page.button(key=f"queue-stop-{ids['b']}").click().run()
    assert [run.name for run in store.queue()] == ["c", "a"]
    assert not page.exception


def test_slots_are_set_where_runs_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create(CONFIG, submission=new_id())
    page = results_page()

    page.number_input(key="cpu-slots").set_value(3).run()

    assert cpu_slots(store) == 3
    assert page.number_input(key="cpu-slots").value == 3
    monkeypatch.setenv("DUET_CPU_SLOTS", "2")
    page.run()
    assert (page.number_input(key="cpu-slots").value, page.number_input(key="cpu-slots").disabled) == (2, True)
    assert not page.exception


def test_a_run_that_began_meanwhile_is_not_moved(store: Store) -> None:
    ids = [store.create(CONFIG, submission=new_id(), name=name) for name in "ab"]
    page = results_page()
    move = page.button(key=f"queue-front-{ids[1]}")
    store.claim(ids[1])

    move.click().run()

    assert not page.exception
    assert "is starting" in page.toast[0].value
    assert "Training now" in [heading.value for heading in page.subheader]


def pairs(store: Store, seeds: int, **settings: object) -> list[str]:
    """Finished pairs of several seeds, Keras a point better."""
    run_ids = []
    for seed in range(seeds):
        for framework, accuracy in (("pytorch", 0.9 + seed / 1000), ("keras", 0.91 + seed / 1000)):
            config = configure(architecture="ann-100", framework=framework, seed=seed, **settings)
            run_ids.append(store.create(config, submission=new_id(), claimed=True))
            store.finish(run_ids[-1], 1, "done", finished_results(test_accuracy=accuracy, val_accuracy=accuracy))
    return run_ids


def test_pairs_and_seeds_are_one_row(store: Store) -> None:
    pairs(store, 3)
    pairs(store, 1, batch_size=256)

    frame = results_page().dataframe[0].value

    assert list(frame["PyTorch"]) == ["90.00%", "90.10% ± 0.10% (3)"]
    assert list(frame["Keras"]) == ["91.00%", "91.10% ± 0.10% (3)"]
    assert frame["Δ points"].tolist() == pytest.approx([1.0, 1.0])
    assert list(frame["State"]) == ["2 done", "6 done"]
    assert list(frame["Batch size"]) == [256, 64]
    assert list(frame["Best"]) == ["", "★"]
    assert not {"Progress", "Name", "Tags", "Data", "Optimizer"} & set(frame.columns)


def test_each_run_has_a_row_where_that_is_chosen(store: Store) -> None:
    pairs(store, 3)

    page = results_page(together="false", sort="Test accuracy")

    assert not page.exception
    assert len(page.dataframe[0].value) == 6
    assert list(page.dataframe[0].value["Keras"][:3]) == ["91.20%", "91.10%", "91.00%"]


def test_columns_are_those_that_are_chosen(store: Store) -> None:
    pairs(store, 2)
    page = results_page(columns="Test loss")
    page.multiselect(key="columns").set_value(["Test loss", "Optimizer", "Momentum"]).run()

    frame = page.dataframe[0].value
    assert not page.exception
    assert frame[["Test loss", "Optimizer", "Momentum"]].to_numpy().tolist() == [
        ["0.3000 ± 0.0000 (2)", "SGD with momentum", 0.9]
    ]
    assert "Batch size" not in frame


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("Learning rate", [0.001, 0.01, 0.1]), ("Batch size", [0.01, 0.1, 0.001]), ("Optimizer", [0.001, 0.1, 0.01])],
)
def test_rows_are_sorted_by_any_setting(store: Store, sort: str, expected: list[float]) -> None:
    for rate, size, optimizer in ((0.1, 64, "rmsprop"), (0.001, 256, "adam"), (0.01, 8, "sgd")):
        pairs(store, 1, learning_rate=rate, batch_size=size, optimizer=optimizer)

    assert list(results_page(sort=sort).dataframe[0].value["Learning rate"]) == expected


def test_what_is_selected_is_compared_tagged_and_reported_with_all_its_runs(store: Store) -> None:
    run_ids = pairs(store, 2)
    pairs(store, 1, batch_size=256)

    page = tick(results_page(), 1)

    assert not page.exception
    assert "**4 runs selected**" in [text.value for text in page.markdown]
    (compare,) = (link.proto for link in page.get("page_link") if link.proto.label == "Compare")
    assert set(compare.query_string.removeprefix("runs=").replace("%2C", ",").split(",")) == set(run_ids)
    assert page.get("download_button")[0].proto.label == "Report"
    page.text_input(key="selected-new-tags").set_value("thesis")
    button(page, "Add").click().run()
    assert store.count(tag="thesis") == 4


def test_no_more_runs_go_into_a_report_than_it_takes() -> None:
    from core.export.report import MOST, MOST_RUNS

    assert (exports._MOST_SETTINGS, exports._MOST_RUNS) == (MOST, MOST_RUNS)
