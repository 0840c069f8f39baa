"""The label check on the data page: suspects are decided on one by one, each decision can be undone, a set is made."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.datasets.decisions import Notebook
from core.datasets.deriving import derivation_of
from core.studies.label_check import Check, check_progress
from core.system.background import Journal
from tests.page import page_at, plain
from tests.sample_data import make_dataset, noise, store, store_checked


@pytest.fixture
def dataset() -> datasets.Dataset:
    return store_checked()


@pytest.fixture
def page(dataset: datasets.Dataset) -> AppTest:  # noqa: ARG001, it is what the page shows
    return page_at("data", dataset="tiny", view="Labels").run()


def suspects(page: AppTest) -> list[str]:
    given = (json.loads(component.proto.json) for component in page.get("bidi_component"))
    return next((values["names"] for values in given if values.get("title") == "Suspects"), [])


def actions(dataset: datasets.Dataset) -> list[tuple[int, str, int | None]]:
    return [(each.index, each.action, each.new_label) for each in Notebook(dataset).read()]


def test_suspects_are_shown_the_most_suspicious_first(page: AppTest) -> None:
    assert not page.exception
    assert suspects(page) == [
        "Training image 3, class dog, suggested cat, score 0.1250",
        "Training image 1, class dog, suggested cat, score 0.2500",
    ]
    assert any("Suggested: **cat** (75.0%)" in text.value for text in page.markdown)
    assert any(text.value.startswith("**Most similar training images**: ") for text in page.markdown)


def test_each_decision_is_kept_with_who_made_it_and_the_next_suspect_comes(page: AppTest, dataset) -> None:
    page.button(key="relabel").click().run()
    assert suspects(page) == ["Training image 1, class dog, suggested cat, score 0.2500"]
    page.text_input(key="decided-by").set_value("Ada").run()
    page.button(key="leave-out").click().run()

    assert not page.exception
    assert actions(dataset) == [(3, "relabel", 0), (1, "leave out", None)]
    assert [decision.by for decision in Notebook(dataset).read()] == ["dashboard", "Ada"]
    assert Notebook(dataset).contents()["check"] == {"folds": 5}
    assert "All suspects are decided on." in [text.value for text in page.info]


def test_a_suspect_can_be_given_another_class_than_the_suggested_one(dataset) -> None:
    page = page_at("data", dataset="tiny", view="Labels", suspect="1").run()
    page.selectbox(key="other-label-1").select_index(0).run()

    assert actions(dataset) == [(1, "relabel", 0)]


def test_a_decision_can_be_undone_and_taken_back(page: AppTest, dataset) -> None:
    page.button(key="keep").click().run()
    page.button(key="undo-decision").click().run()
    assert actions(dataset) == []
    page.button(key="keep").click().run()
    page.segmented_control(key="suspects-shown").set_value("Decided").run()
    assert suspects(page) == ["Training image 3, class dog, suggested cat, score 0.1250, right as it is"]
    page.button(key="take-back").click().run()

    assert not page.exception
    assert actions(dataset) == []


def test_a_data_set_is_made_and_says_what_of(page: AppTest, dataset) -> None:
    page.button(key="relabel").click().run()
    next(button for button in page.button if button.label == "Make data set").click().run()
    assert not page.exception
    assert any("Tiny, corrected is here" in plain(text.value) for text in page.success)
    assert datasets.load("tiny-corrected").train.labels.tolist() == [0, 1, 0, 0, 0, 1]
    assert datasets.load("tiny").fingerprint == dataset.fingerprint
    assert derivation_of("tiny-corrected").check == {"folds": 5}

    page.button(key="see-made").click().run()
    assert page.selectbox(key="dataset").value == "tiny-corrected"
    assert any("Made of **Tiny** by dashboard" in text.value for text in page.markdown)


def test_one_that_changes_nothing_is_refused_with_a_sentence(page: AppTest) -> None:
    page.button(key="keep").click().run()
    next(button for button in page.button if button.label == "Make data set").click().run()

    assert "expected at least one that relabels an image" in page.error[0].value
    assert datasets.names() == ["mnist", "tiny"]


def test_a_check_is_offered_started_and_stopped() -> None:
    store(make_dataset(noise(40, (28, 28, 1)), [0, 1] * 20, noise(2, (28, 28, 1)), [0, 1]))
    page = page_at("data", dataset="tiny", view="Labels").run()
    page.button[0].click().run()
    assert check_progress(Check("tiny")).state == "running"
    next(button for button in page.button if button.label == "Stop").click().run()

    assert check_progress(Check("tiny")).state == "cancelled"
    assert page.button[0].label == "Check the labels"
    assert not page.exception


def test_a_check_that_has_failed_says_why() -> None:
    dataset = store(make_dataset(noise(4), [0, 1] * 2, noise(2), [0, 1]))
    folder = datasets.storage.data_dir() / "insights" / dataset.fingerprint / "labels-1-pytorch-42"
    folder.mkdir(parents=True)
    Journal(folder).end("failed", "The loss became nan at step 3.")

    page = page_at("data", dataset="tiny", view="Labels").run()

    assert "The loss became nan at step 3." in plain(page.error[0].value)


def test_damaged_decisions_say_where_they_lie(dataset) -> None:
    notebook = Notebook(dataset)
    notebook.path.parent.mkdir()
    notebook.path.write_text("[{")

    page = page_at("data", dataset="tiny", view="Labels").run()

    assert not page.exception
    assert "cannot be read" in page.error[0].value


def test_the_least_typical_images_are_shown_when_asked_for(page: AppTest) -> None:
    page.session_state["outliers"] = True
    page.run()

    assert not page.exception
    assert any("The least typical come first." in caption.value for caption in page.caption)
    assert any(text.value.startswith("**Class cat**, training image 4") for text in page.markdown)
