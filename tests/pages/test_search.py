"""The search page, without a browser, and the form on Train that begins a search."""

from unittest.mock import patch

import pytest
from streamlit.testing.v1 import AppTest

from core.config import RunConfig, configure
from core.runs import Store
from core.studies.search import control
from core.studies.search.control import start_search
from core.studies.search.specification import specify
from tests.page import page_at, plain
from tests.runs.making import finished_results

CONFIG = configure(architecture="ann-100", train_limit=200)


@pytest.fixture(autouse=True)
def nobody_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pages begin is not worked on."""
    monkeypatch.setattr(control, "ensure_driving", lambda: None)
    monkeypatch.setattr("ui.search.progress.ensure_driving", lambda: None)


def searched(store: Store, trials: int, state: str = "done") -> str:
    """A search with so many finished trials, the later the better, and a pruned one."""
    specification = specify(CONFIG, ["learning-rate=0.001..1:log", "batch-size=16,32,64"], trials=trials + 1, seeds=2)
    search_id = start_search(store, specification, submission="a search")
    for number in range(trials + 1):
        settings = {"learning_rate": 0.001 * 1.5**number, "batch_size": (16, 32, 64)[number % 3]}
        store.add_trial(search_id, number, settings)
        run_id = store.create(CONFIG, submission=f"{number}")
        attempt = store.claim(run_id)
        store.finish(run_id, attempt, "done", finished_results())
        store.add_trial_runs(search_id, number, [run_id])
        store.change_trial(search_id, number, state="done", val_accuracy=0.8 + number / 100, spread=0.002)
    store.change_trial(search_id, trials, state="pruned", reason="Pruned after epoch 1.", val_accuracy=0.99)
    store.change_search(search_id, ("running",), state=state, reason="All 9 trials were made.")
    return search_id


def search_page(**query: str) -> AppTest:
    return page_at("search", **query).run()


def estimated(page: AppTest) -> str:
    """What the plan says of the time."""
    return next(each.value for each in page.markdown if each.value.startswith("**About"))


def launch(page: AppTest) -> tuple[str, dict[str, str]]:
    """Press *Launch*, and return the page that it leads to and what its address says."""
    with patch("streamlit.switch_page") as switched:  # in a callback, AppTest knows no pages
        page.button(key="launch").click().run()
    (call,) = switched.call_args_list
    return call.args[0], call.kwargs["query_params"]


@pytest.mark.usefixtures("store")
def test_without_a_search_it_says_how_to_begin_one():
    page = search_page()

    assert not page.exception
    assert "Train page" in page.info[0].value
    assert "names a search that is not here" in search_page(search="0123456789ab").error[0].value


def test_searches_are_listed_with_a_way_to_open_each(store):
    search_id = searched(store, 3)

    (table,) = search_page().dataframe

    assert list(table.value["Search"]) == [f"/search?search={search_id}"]
    assert list(table.value["Trials"]) == [4]


def test_the_best_is_a_finished_trial_with_its_spread(store):
    page = search_page(search=searched(store, 8))

    assert not page.exception
    assert page.metric[0].value == "87.00% ± 0.20"
    assert any("Trial 8" in plain(each.value) for each in page.markdown)
    (table,) = page.dataframe
    assert list(table.value["State"]) == ["pruned", *["done"] * 8]
    assert [button.label for button in page.button if button.label in ("Pause", "Resume", "Stop")] == []


@pytest.mark.parametrize("view", ["Parallel coordinates", "Importance", "Slices", "Contour"])
def test_each_view_is_drawn(store, view):
    page = search_page(search=searched(store, 8), view=view)

    assert not page.exception
    charts = len(page.get("vega_lite_chart")) - 1, len(page.get("plotly_chart"))  # the history is always there
    assert charts == {"Slices": (2, 0), "Contour": (0, 1)}.get(view, (1, 0))


def test_a_search_is_paused_resumed_stopped_and_extended(store):
    search_id = searched(store, 5, state="running")
    page = search_page(search=search_id)

    page.button(key="search-Pause").click().run()
    assert store.search(search_id).state == "paused"
    page.button(key="search-Resume").click().run()
    assert store.search(search_id).state == "running"
    page.button(key="search-Stop").click().run()
    assert store.search(search_id).state == "stopped"
    page.button(key="search-10 trials more").click().run()

    assert not page.exception
    assert (store.search(search_id).state, store.search(search_id).specification["trials"]) == ("running", 16)


def test_the_best_is_trained_again_with_several_seeds_on_all_data(store):
    page = search_page(search=searched(store, 5))

    page.button(key="search-best").click().run()

    queued = store.queue()
    assert [run.config.seed for run in queued] == [42, 43, 44, 45, 46]
    assert {run.config.train_limit for run in queued} == {None}
    assert {run.config.batch_size for run in queued} == {32}


def test_a_search_that_gets_no_better_says_so(store):
    search_id = searched(store, 5)
    for number in range(6, 20):
        store.add_trial(search_id, number, {"learning_rate": 0.5, "batch_size": 16})
        store.change_trial(search_id, number, state="done", val_accuracy=0.5)

    page = search_page(search=search_id)

    assert "None of the last 15 trials was better" in page.info[0].value


def test_train_begins_a_search(store):
    page = page_at("train").run()
    page.multiselect(key="vary").set_value(["learning_rate", "batch_size"]).run()
    page.text_input(key="values-learning_rate").set_value("1..0.1").run()
    assert "the range is empty" in plain(page.error[0].value)
    page.text_input(key="values-learning_rate").set_value("0.001..0.1:log").run()
    page.text_input(key="values-batch_size").set_value("32, 64").run()

    destination = launch(page)

    assert not page.exception
    (search,) = store.find_searches()
    assert search.specification["sampler"] == "tpe"
    assert [each["name"] for each in search.specification["space"]] == ["learning_rate", "batch_size"]
    assert destination == ("../pages/search.py", {"search": search.id})


def test_what_limits_a_search_is_told_and_kept(store):
    page = page_at(
        "train", vary="Batch size", **{"values-batch_size": "32, 64", "minutes": "5", "sampler": "TPE"}
    ).run()
    assert any("TPE search. At most 2 trials, 5 minutes of work; 1 seed" in each.value for each in page.caption)

    page.number_input(key="images").set_value(0).run()
    assert "received 0" in plain(page.error[0].value)
    page.number_input(key="images").set_value(4000).run()
    launch(page)

    assert not page.exception
    (search,) = store.find_searches()
    assert [search.specification[name] for name in ("trials", "minutes", "images")] == [None, 5, 4000]


def test_a_comma_list_on_train_is_a_grid_at_once(store):
    page = page_at("train", architecture="ann-100", frameworks="PyTorch").run()
    page.multiselect(key="vary").set_value(["batch_size", "momentum"]).run()
    assert {"setting-batch_size", "setting-momentum"}.isdisjoint(each.key for each in page.number_input)
    assert page.text_input(key="values-batch_size").value == f"{RunConfig().batch_size}"
    assert page.button(key="launch").label == "Launch 1 trial"
    before = estimated(page)
    page.number_input(key="seeds").set_value(2).run()
    page.text_input(key="values-batch_size").set_value("32, 64, 128").run()
    page.text_input(key="values-momentum").set_value("0, 0.9").run()

    assert page.button(key="launch").label == "Launch 6 trials"
    assert any("Grid search. At most 6 trials; 2 seeds for each trial." in each.value for each in page.caption)
    assert estimated(page) != before
    destination = launch(page)

    assert not page.exception
    (search,) = store.find_searches()
    assert destination == ("../pages/search.py", {"search": search.id})
    assert store.find() == []
    specification = control.specification_of(search)
    assert (specification.sampler, specification.seeds, specification.pairs) == ("grid", 2, False)
    assert {each.name: each.values for each in specification.space} == {
        "batch_size": (32, 64, 128),
        "momentum": (0, 0.9),
    }


def test_a_second_click_begins_no_second_search(store):
    page = page_at("train", vary="Batch size", **{"values-batch_size": "32, 64"}).run()

    assert launch(page) == launch(page)

    assert len(store.find_searches()) == 1


@pytest.mark.usefixtures("store")
def test_a_setting_that_no_longer_varies_is_set_as_before():
    page = page_at("train", batch_size="48", vary="Batch size", **{"values-batch_size": "32, 64"}).run()
    assert page.button(key="launch").label == "Launch 2 trials"

    page.multiselect(key="vary").set_value([]).run()

    assert page.number_input(key="setting-batch_size").value == 48
    assert page.button(key="launch").label == "Launch"
    assert "Search options" not in {each.label for each in page.expander}


def test_values_that_are_refused_are_told_and_not_launched(store):
    page = page_at("train", vary="Batch size", **{"values-batch_size": "32, many"}).run()
    assert "Batch size (--batch-size): expected a whole number" in plain(page.error[0].value)

    page.button(key="launch").click().run()

    assert not page.exception
    assert "Batch size (--batch-size)" in plain(page.toast[0].value)
    assert store.find_searches() == []


@pytest.mark.parametrize(
    "specification",
    [
        specify(CONFIG, ["learning-rate=0.001..1:log", "batch-size=16,32"], trials=7, minutes=5, pruner="median"),
        specify(
            configure(architecture="cnn-quick", framework="keras", momentum=0.5),
            ["convolution_1.filters=4,8", "optimizer=sgd,adam"],
            sampler="random",
            images=9000,
            seeds=3,
        ),
        specify(CONFIG, ["units=16..64"], pairs=True),
    ],
)
def test_a_clone_is_the_same_search(store, specification):
    search_id = start_search(store, specification, submission="a search")
    page = search_page(search=search_id)

    page.button(key="search-clone").click().run()
    assert not page.exception
    page = page_at("train", **page.query_params).run()
    launch(page)

    assert not page.exception
    newest, oldest = store.find_searches()
    assert oldest.id == search_id
    assert newest.specification == oldest.specification


def test_a_pruned_run_says_so_and_leads_to_its_search(store):
    search_id = searched(store, 5)
    run_id = store.create(CONFIG, submission="pruned")
    store.finish(run_id, store.claim(run_id), "stopped", finished_results())
    store.add_trial(search_id, 9, {"learning_rate": 0.1, "batch_size": 16})
    store.add_trial_runs(search_id, 9, [run_id])
    store.change_trial(search_id, 9, state="pruned", reason="Pruned after epoch 2, at a validation accuracy of 30%.")

    page = page_at("results", run=run_id).run()

    assert not page.exception
    assert any("Pruned after epoch 2" in plain(each.value) for each in page.info)
