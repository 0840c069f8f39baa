"""The results page, without a browser: the list of runs, a finished one, a failed one, a wrong address."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from core.config import RunConfig, configure
from core.datasets import Split, load
from core.datasets.inspection.cache import write_cached
from core.export import FORMATS
from core.runs import Results, Run, Store, new_id, open_store
from core.runs.epoch_predictions import read_epoch_predictions, write_epoch_predictions
from core.runs.predictions import read_predictions
from core.studies.findings import find_findings
from core.system.paths import run_directory
from core.training.calibration import (
    apply_temperature,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from core.training.familiarity import read, written_at
from core.training.loop import split_of
from core.training.records import Epoch
from tests.page import given, page_at, plain
from tests.waiting import wait_for
from ui.results.views import VIEWS
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
    (row,) = page.dataframe[0].value[["PyTorch", "Keras"]].to_dict("records")
    assert all(row.values())  # a pair, in one row


def test_confidence_is_told_with_what_the_predictions_say(finished: Run) -> None:
    page = results_page(run=finished.id, view="Confidence")

    tested, validated = (read_predictions(finished.id, part) for part in ("test", "validation"))
    temperature = fit_temperature(validated.probabilities, validated.labels).temperature
    scores = next(table.value for table in page.dataframe if "As trained" in table.value.columns)
    for column, probabilities in (
        ("As trained", tested.probabilities),
        (f"With temperature {temperature:.2f}", apply_temperature(tested.probabilities, temperature)),
    ):
        error = expected_calibration_error(reliability(probabilities, tested.labels))
        assert scores[column]["Expected calibration error"] == f"{error:.2%}"
        assert scores[column]["Brier score, 0 to 2"] == f"{brier_score(probabilities, tested.labels):.4f}"
    selective = next(table.value for table in page.dataframe if "Answered" in table.value.columns)
    sure = np.sort(tested.probabilities.max(axis=1))
    assert selective["Accuracy"][0] == f"{finished.results.test_accuracy:.2%}"
    assert selective["Confidence from"].iloc[-1] == f"{sure[5000]:.2%}"
    assert len(page.get("plotly_chart")) == 2


def test_what_is_said_of_a_run_leads_to_its_evidence(finished: Run) -> None:
    findings = find_findings(open_store(), finished.finished())
    assert findings, "trained for five epochs on 500 images, it is not done learning"

    page = results_page(run=finished.id)

    said = [plain(markdown.value) for markdown in page.markdown]
    assert all(finding.sentence in said for finding in findings)
    assert len(findings) <= 5

    finding = findings[-1]
    page = page.button(key=f"finding-{finished.id}-{finding.name}").click().run()

    assert not page.exception
    assert page.session_state["view"] == finding.view


@pytest.mark.usefixtures("ends_processes")
def test_it_is_measured_what_is_familiar_where_nobody_has_asked(finished: Run) -> None:
    page = results_page(run=finished.id, view="Confidence")
    assert any("is being measured" in caption.value for caption in page.caption)

    wait_for(lambda: written_at(run_directory(finished.id)), 60, "It was not measured.")

    known = read(run_directory(finished.id))
    page = page.run()
    assert not page.exception
    (told,) = [caption.value for caption in page.caption if "made-up strangers" in caption.value]
    assert f"AUROC {known.measured[0]:.4f}" in told


def test_accuracy_is_told_without_the_test_images_that_leak(finished: Run) -> None:
    assert results_page(run=finished.id, view="Errors").button(key="look-for-near-duplicates")
    groups, learnt = np.arange(70_000), split_of(finished.config, load("mnist")).train
    groups[60_000:60_100] = learnt[0]  # as if the first hundred test images were variations of an image learnt from
    write_cached(load("mnist").fingerprint, "near-duplicates-1", {"groups": groups.astype(np.int32)})

    page = results_page(run=finished.id, view="Errors")

    tested = read_predictions(finished.id, "test")
    right = tested.probabilities.argmax(axis=1) == tested.labels
    tables = {tuple(table.value.columns): table.value for table in page.dataframe}
    (row,) = tables["Run", "Images", "Accuracy as given", "Grouped"].to_dict("records")
    assert not page.exception
    assert (row["Images"], row["Accuracy as given"]) == ("Test", f"{right.mean():.2%} of 10,000")
    assert row["Grouped"] == f"{right[100:].mean():.2%} of 9,900"


def test_a_finished_run_is_shown_with_its_figures(finished: Run) -> None:
    page = results_page(run=finished.id)

    metrics = {metric.label.split(",")[0]: metric.value for metric in page.metric}
    assert not page.exception
    assert metrics["Test accuracy"] == f"{finished.results.test_accuracy:.2%}"
    assert any(f"Test loss {finished.results.test_loss:.4f}" in caption.value for caption in page.caption)
    assert len(page.get("vega_lite_chart")) >= 2

    page = results_page(run=finished.id, view="Classes")
    tables = {tuple(table.value.columns): table.value for table in page.dataframe}
    scores = tables["Class", "Images", "Precision", "Recall", "F1"]
    assert scores["Images"].sum() == 10_000
    matrix = np.array(finished.results.confusion)
    np.testing.assert_allclose(scores["Recall"], matrix.diagonal() / matrix.sum(axis=1))


def test_classes_without_test_images_are_named(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist = load("mnist")
    scored = mnist.test.labels != 9
    dataset = replace(mnist, test=Split(mnist.test.images[scored], mnist.test.labels[scored]))
    monkeypatch.setattr("ui.shared.open_dataset.load", lambda _name: dataset)

    page = results_page(run=finished.id, view="Classes")

    assert [plain(warning.value) for warning in page.warning] == [
        "Without test images, so that they are not scored: 9."
    ]


def test_without_its_data_set_a_run_still_shows_its_figures(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_name: str) -> None:
        raise ValueError("It was removed.")

    monkeypatch.setattr("ui.shared.open_dataset.load", gone)
    page = results_page(run=finished.id, view="Errors")

    assert not page.exception
    assert [warning.value for warning in page.warning] == [r"What needs the images is not shown. It was removed\."]
    assert "Test accuracy" in [metric.label.split(",")[0] for metric in page.metric]
    page = results_page(run=finished.id, view="Export")
    assert list(page.get("download_button")), "the network can still be taken along"


def test_settings_are_shown_in_words(finished: Run) -> None:
    (table,) = results_page(run=finished.id, view="Settings").dataframe

    told = dict(table.value.itertuples(index=False))
    assert told["Epochs"] == str(finished.config.epochs)
    assert told["Training limit"] == f"{finished.config.train_limit:,}"
    assert ("Nesterov momentum" in told) == (finished.config.optimizer == "sgd")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_a_run_that_goes_on_can_be_opened(store: Store, view: str) -> None:
    run_id = store.create(RunConfig(), submission=new_id(), claimed=True)
    store.begin(run_id, 1, total_steps=90)

    page = results_page(run=run_id, view=view)

    assert not page.exception
    assert page.session_state["view"] == view


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

    first, second = (np.array(epoch.confusion) for epoch in epochs[:2])
    more = int(second.trace() - first.trace())
    assert more > 0
    gained = f"Against epoch 1: {more} more predicted correctly of 50 images."
    assert any(caption.value.startswith(gained) for caption in page.caption)
    page.segmented_control(key="results-epoch-cells").set_value("Change").run()
    assert not page.exception
    changed = given(page, f"results-epoch-matrix-{finished.id}")["texts"]
    assert changed == [[f"{more:+,}" if more else "·" for more in row] for row in (second - first).tolist()]
    page.select_slider(key="results-epoch").set_value(1).run()
    assert not page.exception
    assert not any(caption.value.startswith("Against epoch") for caption in page.caption), "none was before"


def test_a_cell_shows_its_images_at_any_epoch(finished: Run) -> None:
    dataset, epochs = load("mnist"), open_store().epochs(finished.id)
    rows = split_of(finished.config, dataset).validation
    labels = dataset.train.labels[rows]
    after = {epoch.epoch: read_epoch_predictions(finished.id, epoch.epoch).predicted for epoch in epochs}
    wrong = {epoch: np.flatnonzero(predicted != labels) for epoch, predicted in after.items()}
    grid = f"results-epoch-images-{finished.id}"
    page = results_page(run=finished.id)
    page.session_state["results-epochs"] = True
    page.run()

    for epoch in (len(epochs), 1, 2):
        page.select_slider(key="results-epoch").set_value(epoch).run()
        told = [f"{labels[each]}, predicted {after[epoch][each]}" for each in wrong[epoch]]
        assert given(page, grid)["names"] == told[:40]
    new, gone = (len(np.setdiff1d(*pair)) for pair in ((wrong[2], wrong[1]), (wrong[1], wrong[2])))
    said = f"**All errors**: {len(wrong[2])} validation images, {new} of them new since epoch 1, {gone} gone."
    assert said in [text.value for text in page.markdown]

    first = wrong[1][0]
    page.session_state["results-epoch-cell"] = (str(labels[first]), str(after[1][first]))
    page.session_state["results-epoch-image"] = int(rows[first])
    page.select_slider(key="results-epoch").set_value(1).run()
    cell = np.flatnonzero((labels == labels[first]) & (after[1] == after[1][first]))
    assert given(page, grid)["names"] == [f"{labels[first]}, predicted {after[1][first]}"] * len(cell)
    assert given(page, grid)["picked"] == cell.tolist().index(first)
    assert any(text.value.endswith(f"epoch 1: {after[1][first]}") for text in page.markdown)
    page.button(key=f"results-epoch-clear-{finished.id}").click().run()
    assert len(given(page, grid)["names"]) == min(40, len(wrong[1]))


@pytest.mark.parametrize("damage", ["gone", "cut", "of other data"])
def test_images_of_an_epoch_that_cannot_be_told_say_why(finished: Run, damage: str) -> None:
    file = run_directory(finished.id) / "epochs" / "5.safetensors"
    whole = file.read_bytes()
    reasons = {"gone": "were not kept", "cut": "is damaged", "of other data": "another one than it was then"}
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(whole[:-1])
    else:
        write_epoch_predictions(file.parents[1], 5, np.zeros(3), classes=10, fingerprint="other")
    st.cache_data.clear()

    page = results_page(run=finished.id)
    page.session_state["results-epochs"] = True
    page.run()

    file.write_bytes(whole)
    st.cache_data.clear()
    assert not page.exception
    assert any(reasons[damage] in plain(each.value) for each in (*page.caption, *page.warning))


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

    assert "In use: PyTorch 1.2 GB of memory, CPU 187 %." in [caption.value for caption in page.caption]


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
    assert len(before) == 4  # loss and accuracy, and below each by how much the pair differs
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
    page = results_page(run=finished.id, view="Export")

    assert not page.exception
    buttons = [element for element in page.get("download_button") if element.key.startswith("export-")]
    assert "Report" in [button.label for button in page.get("download_button")]
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
