"""The home page, without a browser: one button, what is running, the last runs."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs import Results, Store, open_store
from tests.page import page_at


def home_page() -> AppTest:
    return page_at().run()


def test_an_empty_store_says_what_to_do(store: Store) -> None:  # noqa: ARG001 (it is empty)
    page = home_page()

    assert not page.exception
    assert [button.label for button in page.button] == ["Train both now"]
    assert "Train both now" in page.info[0].value


def test_one_click_queues_a_pair_on_the_same_terms(store: Store) -> None:
    page = home_page()
    page.button[0].click().run()
    page.button[0].click().run()  # the second half of a double click

    runs = store.find()
    assert not page.exception
    assert sorted(run.config.framework for run in runs) == ["keras", "pytorch"]
    assert runs[0].pair == runs[1].pair is not None
    first, second = (run.config.model_dump(exclude={"framework"}) for run in runs)
    assert first == second
    assert [button.label for button in page.button].count("Stop") == 2


def test_second_press_asks_before_it_queues_another_pair(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.shared.launching._DOUBLE_CLICK_S", 0.0)
    page = home_page()
    page.button[0].click().run()
    for run in store.find():
        store.claim(run.id)  # it does not wait any more
    page.button[0].click().run()

    assert not page.exception
    assert store.count() == 2
    page.button(key="again").click().run()
    assert not page.exception
    assert store.count() == 4
    assert "again" not in {button.key for button in page.button}


def test_a_reload_shows_the_pair_again_and_a_press_in_any_tab_asks_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.shared.launching._DOUBLE_CLICK_S", 0.0)
    page = home_page()
    page.button[0].click().run()
    (pair,) = {run.pair for run in store.find()}
    assert "".join(page.query_params["pair"]) == pair

    another_tab = home_page()
    another_tab.button[0].click().run()
    assert "again" in {button.key for button in another_tab.button}
    assert store.count() == 2

    for run in store.find():
        store.claim(run.id, device="cpu")
        store.finish(run.id, 1, "stopped", Results())
    reloaded = page_at(pair=pair).run()
    assert not reloaded.exception
    assert "Just trained" in [heading.value for heading in reloaded.subheader]
    reloaded.button[0].click().run()
    assert store.count() == 4, "the pair before has ended"


def test_the_stop_button_stops_a_waiting_run(store: Store) -> None:
    page = home_page()
    page.button[0].click().run()
    stops = [button for button in page.button if button.label == "Stop"]
    stops[0].click().run()

    assert sorted(run.state for run in store.find()) == ["queued", "stopped"]


def test_the_last_runs_are_listed(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    page = home_page()

    table = page.dataframe[0].value
    runs = {run.config.framework: run.results.test_accuracy for run in open_store().find()}
    (row,) = table.to_dict("records")  # a row a pair
    assert (row["PyTorch"], row["Keras"]) == (f"{runs['pytorch']:.2%}", f"{runs['keras']:.2%}")
    assert row["State"] == "2 done"


def test_damaged_images_of_its_own_are_there_again(store: Store, duet_home: Path) -> None:  # noqa: ARG001 (it is empty)
    (duet_home / "datasets" / "mnist" / "test_labels.npy").unlink()

    page = home_page()

    assert not page.exception
    assert not page.warning
