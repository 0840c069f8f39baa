"""The results page, without a browser: the list of runs, a finished one, a failed one, a wrong address."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from core.config import RunConfig, configure
from core.export import FORMATS
from core.runs import Results, Run, Store, new_id, open_store
from core.runs.predictions import read_predictions
from core.studies.calibration import brier_score, expected_calibration_error, reliability
from core.training.records import Epoch
from tests.page import page_at
from ui.shared.formatting import kept_epoch


def results_page(**query: str) -> AppTest:
    return page_at("results", **query).run()


def places(block: Block, kind: str, at: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Return the position in the page of each element of a kind."""
    found = []
    for index, child in block.children.items():
        if child.type == kind:
            found.append((*at, index))
        if isinstance(child, Block):
            found += places(child, kind, (*at, index))
    return found


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> Run:
    """A really trained run."""
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    return open_store().find(states=("done",))[0]


def test_without_a_run_in_the_address_all_are_listed(finished: Run) -> None:  # noqa: ARG001 (there is one)
    page = results_page()

    assert not page.exception
    assert len(page.dataframe[0].value) == 2


def test_confidence_is_told_with_what_the_predictions_say(finished: Run) -> None:
    page = results_page(run=finished.id)

    metrics = {metric.label: metric.value for metric in page.metric}
    tested = read_predictions(finished.id, "test")
    bins = reliability(tested.probabilities, tested.labels)
    assert metrics["Expected calibration error"] == f"{expected_calibration_error(bins):.2%}"
    assert metrics["Brier score"] == f"{brier_score(tested.probabilities, tested.labels):.4f}"
    assert len(page.get("plotly_chart")) == 1
    assert any("temperature of" in caption.value for caption in page.caption)


def test_a_finished_run_is_shown_with_its_figures(finished: Run) -> None:
    page = results_page(run=finished.id)

    metrics = {metric.label.split(",")[0]: metric.value for metric in page.metric}
    assert not page.exception
    assert metrics["Test accuracy"] == f"{finished.results.test_accuracy:.2%}"
    assert metrics["Test loss"] == f"{finished.results.test_loss:.4f}"
    assert len(page.get("vega_lite_chart")) >= 2
    tables = {tuple(table.value.columns): table.value for table in page.dataframe}
    scores = tables["Class", "Images", "Precision", "Recall", "F1"]
    assert scores["Images"].sum() == 10_000
    matrix = np.array(finished.results.confusion)
    np.testing.assert_allclose(scores["Recall"], matrix.diagonal() / matrix.sum(axis=1))


def test_without_its_data_set_a_run_still_shows_its_figures(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_name: str) -> None:
        raise ValueError("It was removed.")

    monkeypatch.setattr("ui.shared.open_dataset.load", gone)
    page = results_page(run=finished.id)

    assert not page.exception
    assert [warning.value for warning in page.warning] == [r"What needs the images is not shown. It was removed\."]
    assert "Test accuracy" in [metric.label.split(",")[0] for metric in page.metric]
    assert list(page.get("download_button")), "the network can still be taken along"


def test_learning_rate_and_gradient_are_shown_when_asked_for(finished: Run) -> None:
    page = results_page(run=finished.id)
    before = len(page.get("vega_lite_chart"))

    page.session_state["results-steps"] = True
    page.run()

    assert not page.exception
    assert len(page.get("vega_lite_chart")) == before + 2


def test_errors_of_any_epoch_are_shown_when_asked_for(finished: Run) -> None:
    page = results_page(run=finished.id)
    page.session_state["results-epochs"] = True
    page.run()

    epochs = open_store().epochs(finished.id)
    assert not page.exception
    assert page.select_slider(key="results-epoch").value == len(epochs)
    page.select_slider(key="results-epoch").set_value(2).run()
    assert any(f"epoch 2: {epochs[1].val_accuracy:.2%} predicted correctly" in text.value for text in page.markdown)


def test_the_newest_epoch_is_shown_until_another_is_chosen(store: Store) -> None:
    run_id = store.create(RunConfig(epochs=9), submission=new_id(), claimed=True)
    store.begin(run_id, 1, total_steps=90)

    def validate(*epochs: int) -> None:
        for epoch in epochs:
            matrix = np.eye(10, dtype=int).tolist()
            store.add_epoch(run_id, 1, Epoch(epoch, epoch * 10, 0.5, 0.8, 0.4, 0.9, 0.01, 1.0, matrix))

    def shown() -> str:
        return next(text.value for text in page.markdown if "predicted correctly" in text.value)

    page = results_page(run=run_id)
    page.session_state["results-epochs"] = True
    page.run()
    assert any("first epoch has been validated" in caption.value for caption in page.caption)
    validate(1, 2)
    page.run()
    assert "epoch 2" in shown()
    validate(3)
    page.run()
    assert "epoch 3" in shown()
    page.select_slider(key="results-epoch").set_value(1).run()
    validate(4)
    page.run()
    assert "epoch 1" in shown()
    page.select_slider(key="results-epoch").set_value(4).run()
    validate(5)
    page.run()
    assert "epoch 5" in shown()


def test_what_a_training_uses_is_told_while_it_trains(store: Store) -> None:
    run_id = store.create(RunConfig(), submission=new_id(), claimed=True)
    store.begin(run_id, 1, total_steps=90)
    store.heartbeat(run_id, 1, {"memory_bytes": 1_230_000_000, "cpu_percent": 187.0})

    page = results_page(run=run_id)

    assert "In use: PyTorch 1.2 GB of memory, 1.9 processors." in [caption.value for caption in page.caption]


def test_what_appears_above_the_curves_does_not_move_them(store: Store) -> None:
    """The browser would build a chart anew at another place, and forget its zoom."""
    pair = new_id()
    first, second = (
        store.create(RunConfig(framework=framework), pair=pair, submission=new_id(), claimed=True)
        for framework in ("pytorch", "keras")
    )
    for run_id in (first, second):
        store.begin(run_id, 1, total_steps=90)
    page = results_page(run=first)
    before = places(page.main, "vega_lite_chart")

    store.heartbeat(first, 1, {"memory_bytes": 1_230_000_000, "cpu_percent": 187.0})
    page.run()
    assert places(page.main, "vega_lite_chart") == before
    store.fail(second, 1, failure="It diverged.", advice="Lower the rate.", cause="diverged")
    page.run()

    assert "Keras failed: diverged" in "".join(error.value for error in page.error)
    assert len(before) == 2
    assert places(page.main, "vega_lite_chart") == before


@pytest.mark.parametrize(
    ("settings", "results", "sentence"),
    [
        ({"epochs": 7}, {"epochs": 7, "best_epoch": 4}, "Epoch 4 of 7 epochs kept."),
        (
            {"epochs": 20, "patience": 3},
            {"epochs": 7, "best_epoch": 4, "stopped_early": True},
            "Epoch 4 kept. Stopped early after 7 epochs: 3 epochs had brought nothing better.",
        ),
        ({"epochs": 3}, {"best_epoch": 3}, "Epoch 3 of 3 epochs kept."),
    ],
)
def test_the_epoch_that_was_kept_is_told(settings: dict, results: dict, sentence: str) -> None:
    assert kept_epoch(SimpleNamespace(config=configure(**settings), results=Results(**results))) == sentence


def test_every_export_is_offered_and_explained(finished: Run) -> None:
    page = results_page(run=finished.id)

    assert not page.exception
    buttons = [element for element in page.get("download_button") if element.key.startswith("export-")]
    assert [button.label for button in buttons] == [entry.title for entry in FORMATS.values()]
    captions = {caption.value for caption in page.caption}
    assert captions >= {entry.description for entry in FORMATS.values()}


def test_a_failed_run_says_what_happened_and_what_to_do() -> None:
    store = open_store()
    run_id = store.create(RunConfig(), submission=new_id(), claimed=True)
    store.fail(run_id, 1, failure="Diverged: <b>nan</b>", advice="Lower the learning rate.", traceback="Traceback …")

    page = results_page(run=run_id)

    assert not page.exception
    assert "Diverged" in page.error[0].value
    assert "Lower the learning rate" in page.error[0].value
    assert page.code[0].value == "Traceback …"


@pytest.mark.parametrize("address", ["000000000000", "../../etc", "<script>"])
def test_a_wrong_address_leads_back(address: str) -> None:
    page = results_page(run=address)

    assert not page.exception
    assert "not here" in page.error[0].value


def test_settings_are_filled_in_for_a_clone(finished: Run) -> None:
    page = results_page(run=finished.id)
    page.button(key="again").click().run()

    assert not page.exception
    assert page.session_state["settings"]["train_limit"] == finished.config.train_limit
