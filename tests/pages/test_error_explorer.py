"""The error explorer without a browser: cells and the images behind them, on Results and on Compare."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.config import configure
from core.datasets import Split, load
from core.runs import FinishedRun, finished, new_id, open_store
from core.system.paths import run_directory
from core.training.checkpoints import read_arrays, write_arrays
from core.training.metrics import confusion
from tests.page import given, page_at
from tests.runs.making import finished_results
from ui.shared.matrix_grid import _read_place


def shown_images(page: AppTest, key: str = "errors-images") -> list[int]:
    """Return the indices of the test images in the grid."""
    return [int(name.rpartition(" ")[2].replace(",", "")) for name in given(page, key)["names"]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> FinishedRun:
    """A really trained run."""
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    return finished(open_store().find(states=("done",)))[0]


def test_the_matrix_is_that_of_the_run(run: FinishedRun) -> None:
    matrix = given(page_at("results", run=run.id, view="Errors").run(), "errors-matrix")

    counts = [[int(text.replace(",", "").replace("·", "0")) for text in line] for line in matrix["texts"]]
    assert counts == run.results.confusion
    assert matrix["rows"] == list("0123456789")
    assert matrix["tones"][3][3] == "right"


def test_a_cell_of_the_address_shows_exactly_the_images_that_the_predictions_say(run: FinishedRun) -> None:
    arrays = read_arrays(run_directory(run.id) / "test.safetensors")
    predicted, labels = arrays["probabilities"].argmax(axis=1), arrays["labels"]

    page = page_at("results", run=run.id, cell="4-9").run()

    expected = np.flatnonzero((labels == 4) & (predicted == 9))
    assert not page.exception
    assert len(expected) > 0
    confidence = arrays["probabilities"][expected].max(axis=1)
    shown = shown_images(page)
    assert shown == expected[np.argsort(-confidence, kind="stable")][:40].tolist()
    assert any(f"**4 → 9**: {len(expected)} test image" in text.value for text in page.markdown)
    assert given(page, "errors-matrix")["picked"] == [4, 9]

    page.segmented_control(key="errors-sorted").set_value("Least confident first").run()
    assert shown_images(page) == expected[np.argsort(confidence, kind="stable")][:40].tolist()


@pytest.mark.parametrize(("cell", "row", "column"), [("7-", 7, None), ("-1", None, 1)])
def test_a_head_shows_a_whole_class(run: FinishedRun, cell: str, row: int | None, column: int | None) -> None:
    matrix = np.array(run.results.confusion)

    page = page_at("results", run=run.id, cell=cell).run()

    count = matrix[row].sum() if row is not None else matrix[:, column].sum()
    assert any(f": {count:,} test images" in text.value for text in page.markdown)


@pytest.mark.parametrize("cell", ["10-3", "<b>-1", "4", "", "99999999-1"])
def test_an_address_that_names_no_cell_shows_all_errors(run: FinishedRun, cell: str) -> None:
    page = page_at("results", run=run.id, cell=cell).run()

    matrix = np.array(run.results.confusion)
    errors = matrix.sum() - np.trace(matrix)
    assert not page.exception
    assert any(f"**All errors**: {errors:,} test images" in text.value for text in page.markdown)


def test_the_most_confused_classes_are_one_click_away(run: FinishedRun) -> None:
    matrix = np.array(run.results.confusion)
    np.fill_diagonal(matrix, 0)
    label, predicted = (int(i) for i in np.unravel_index(matrix.argmax(), matrix.shape))

    page = page_at("results", run=run.id, view="Errors").run()
    page.button(key=f"errors-worst-{label}-{predicted}").click().run()

    assert page.query_params["cell"] == f"{label}-{predicted}"
    assert len(shown_images(page)) == min(40, matrix.max())
    page.button(key="errors-clear").click().run()
    assert "cell" not in page.query_params


def test_rates_are_of_rows_or_of_columns(run: FinishedRun) -> None:
    matrix = np.array(run.results.confusion)
    page = page_at("results", run=run.id, view="Errors").run()

    page.segmented_control(key="errors-cells").set_value("By true class").run()
    assert given(page, "errors-matrix")["texts"][4][4] == f"{matrix[4, 4] / matrix[4].sum():.1%}"
    page.segmented_control(key="errors-cells").set_value("By prediction").run()
    assert given(page, "errors-matrix")["texts"][4][4] == f"{matrix[4, 4] / matrix[:, 4].sum():.1%}"


def test_an_image_is_shown_with_its_pixels_and_neighbours_when_asked_for(run: FinishedRun) -> None:
    page = page_at("results", run=run.id, view="Errors").run()
    before = len(page.dataframe)
    page.session_state["errors-numbers"] = page.session_state["errors-neighbours"] = True
    page.run()

    assert not page.exception
    assert len(page.dataframe) == before + 1
    assert all("raining image" in name for name in given(page, "errors-neighbour-grid")["names"])


@pytest.mark.usefixtures("run")
def test_two_runs_are_held_against_each_other() -> None:
    runs = finished(open_store().find(states=("done",), order="oldest"))
    arrays = [read_arrays(run_directory(each.id) / "test.safetensors") for each in runs]
    ones, others = (each["probabilities"].argmax(axis=1) for each in arrays)
    labels = arrays[0]["labels"]

    page = page_at("compare").run()

    agreement = given(page, "differences-agreement-grid")
    only_first = ((ones == labels) & (others != labels)).sum()
    assert not page.exception
    assert agreement["texts"][0][1] == f"{only_first:,}"
    assert sum(int(text.replace(",", "")) for line in agreement["texts"] for text in line) == len(labels)
    page.session_state["differences-agreement"] = (1, 1)
    page.run()
    wrong = shown_images(page, "differences-images")
    assert wrong
    assert all(ones[index] != labels[index] != others[index] for index in wrong)

    page.segmented_control(key="differences-what").set_value("Difference of errors").run()
    difference = given(page, "differences-difference-grid")
    expected = confusion(labels, others, 10) - confusion(labels, ones, 10)
    assert difference["texts"][4][9] == (f"{expected[4, 9]:+,}" if expected[4, 9] else "·")


def many_classes(monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run on 200 classes in which 7 and 150 are confused; return its id."""
    labels = np.repeat(np.arange(200), 5)
    predicted = labels.copy()
    predicted[(labels == 7) | (labels == 150)] = [150, 150, 150, 7, 7, 7, 7, 150, 150, 150]
    probabilities = np.eye(200, dtype=np.float32)[predicted]
    mnist = load("mnist")
    specification = replace(mnist.specification, class_names=tuple(f"c{i}" for i in range(200)))
    test = Split(mnist.test.images[: len(labels)], labels)
    dataset = replace(mnist, specification=specification, test=test)
    for module in ("ui.shared.open_dataset", "core.studies.findings.evidence"):
        monkeypatch.setattr(f"{module}.load", lambda _name: dataset)
    store = open_store()
    run_id = store.create(configure(), submission=new_id(), claimed=True)
    store.begin(run_id, 1, total_steps=10)
    matrix = confusion(labels, predicted, 200).tolist()
    store.finish(run_id, 1, "done", finished_results(confusion=matrix, fingerprint=dataset.fingerprint))
    run_directory(run_id).mkdir(parents=True, exist_ok=True)
    write_arrays(run_directory(run_id) / "test.safetensors", {"probabilities": probabilities, "labels": labels})
    return run_id


def heads(page: AppTest) -> Sequence[str]:
    return given(page, "errors-matrix")["rows"]


def test_of_many_classes_the_worst_block_is_shown_first(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_at("results", run=many_classes(monkeypatch), view="Errors").run()

    assert not page.exception
    assert {"c7", "c150", "rest"} <= set(heads(page))
    assert len(heads(page)) == 27
    matrix = given(page, "errors-matrix")
    assert matrix["texts"][matrix["rows"].index("c7")][matrix["rows"].index("c150")] == "3"


def test_a_class_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_at("results", run=many_classes(monkeypatch), view="Errors").run()

    page.selectbox(key="errors-class").set_value(150).run()

    assert heads(page)[:2] == ["c150", "c7"]


def test_images_of_classes_that_are_not_shown_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_at("results", run=many_classes(monkeypatch), cell="7-others").run()
    page.segmented_control(key="errors-order").set_value("As given").run()
    page.query_params["cell"] = "7-others"
    page.run()

    assert any("**c7 → another class**: 3 test images" in text.value for text in page.markdown)


@pytest.mark.parametrize("sent", [None, "4-9", [4], [4, 9, 1], [10, 0], [0, -2], [True, 1], [1.0, 2]])
def test_what_a_browser_sends_is_a_place_or_nothing(sent: object) -> None:
    assert _read_place(sent, 10, 10) is None
    assert _read_place([-1, 9], 10, 10) == (None, 9)
