"""The compare page, without a browser: runs over one another, and the parity panel."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.config import configure
from core.engines.framework_defaults import FRAMEWORK_DEFAULTS
from core.runs import open_store
from core.studies.parity_background import Asked, Progress
from core.training.records import Epoch
from tests.page import page_at
from tests.runs.making import finished_results
from tests.studies.test_parity import MEASURED


def compare_page(**query: str) -> AppTest:
    return page_at("compare", **query).run()


def test_without_finished_runs_it_says_what_to_do() -> None:
    page = compare_page()

    assert not page.exception
    assert "Train page" in page.info[0].value


def test_finished_runs_are_laid_over_one_another(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    runs = open_store().find(states=("done",), order="oldest")

    page = compare_page()

    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 2
    differing, figures, apart = (table.value for table in page.dataframe)
    assert list(differing["Setting"]) == ["Framework"]
    assert sorted(figures["Test accuracy"]) == sorted(run.results.test_accuracy for run in runs)
    assert figures["95% interval"].str.contains(" to ").all()
    ones = apart["Only the first is right"][0] - apart["Only the other is right"][0]
    reading = [int(np.trace(run.results.confusion)) for run in runs]
    assert ones == reading[0] - reading[1]


def test_one_run_is_not_enough(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    page = compare_page()
    page.multiselect(key="compared").set_value(page.multiselect(key="compared").value[:1]).run()

    assert not page.exception
    assert "two finished runs" in page.info[0].value


def launched_together(seeds: int, done: int) -> str:
    """A group of pairs of which `done` have finished, Keras a little better each time; return its id."""
    store = open_store()
    for seed in range(seeds):
        for framework, better in (("pytorch", 0.0), ("keras", 0.01 + seed / 1000)):
            run_id = store.create(
                configure(framework=framework, seed=seed),
                submission=f"{framework}{seed}",
                group="0123456789ab",
                claimed=seed < done,
            )
            if seed < done:
                store.begin(run_id, 1, total_steps=10)
                store.add_epoch(run_id, 1, Epoch(1, 10, 0.5, 0.8, 0.4, 0.9 + better, 0.01, 1.0, None))
                store.finish(run_id, 1, "done", finished_results(test_accuracy=0.9 + better))
            else:
                store.request_stop(run_id)
    return "0123456789ab"


def test_seeds_are_shown_with_their_spread_and_the_difference() -> None:
    group = launched_together(seeds=4, done=3)

    page = compare_page(comparison="Seeds", group=group)

    figures = page.dataframe[0].value
    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 2
    assert list(figures["Seeds"]) == [3, 3]
    assert list(figures["Test accuracy"]) == ["90.00% ± 0.00%", "91.10% ± 0.10%"]
    captions = "\n".join(caption.value for caption in page.caption)
    assert "6 of 8 runs are done" in captions
    assert "From 3 seeds it is known only roughly" in captions
    assert "**+1.10 percentage points** on average over 3 seeds" in page.info[0].value
    assert "Significant at the 5% level" in page.info[0].value


def test_one_seed_is_told_to_have_no_spread() -> None:
    page = compare_page(comparison="Seeds", group=launched_together(seeds=2, done=1))

    assert not page.exception
    assert "One seed has no spread yet." in [caption.value for caption in page.caption]
    assert list(page.dataframe[0].value["Test accuracy"]) == ["90.00%", "91.00%"]
    assert "two seeds" in page.info[0].value


def test_without_seeds_it_says_how_to_get_them() -> None:
    page = compare_page(comparison="Seeds")

    assert not page.exception
    assert "Train page" in page.info[0].value


def test_a_measurement_is_begun_with_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Asked] = []
    monkeypatch.setattr("ui.compare.parity.start_parity", begun.append)
    page = compare_page(comparison="Parity")

    assert list(page.table[0].value.index) == [row.name for row in FRAMEWORK_DEFAULTS]
    page.selectbox(key="parity-architecture").set_value("cnn-quick").run()
    page.number_input(key="parity-steps").set_value(50).run()
    page.button(key="measure").click().run()

    assert not page.exception
    assert begun == [Asked("cnn-quick", "sgd", 50, "aligned")]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (Progress("running", 0.4, "cnn-quick, Adam"), "cnn-quick, Adam"),
        (Progress("failed", sentence="Killed"), "It could not be measured: Killed"),
        (Progress("done", 1.0, parities=(MEASURED,)), "No layer's weights part by 1e-09"),
    ],
)
def test_a_measurement_is_shown_as_far_as_it_is(monkeypatch: pytest.MonkeyPatch, found: Progress, shown: str) -> None:
    monkeypatch.setattr("ui.compare.parity.parity_progress", lambda _asked: found)

    page = compare_page(comparison="Parity")

    assert not page.exception
    texts = [text.value for text in (*page.markdown, *page.error)] + [bar.proto.text for bar in page.get("progress")]
    assert any(shown in text for text in texts)
    assert len(page.get("vega_lite_chart")) == (found.state == "done")


def test_group_of_the_address_that_has_gone_is_not_replaced_by_another() -> None:
    launched_together(seeds=2, done=2)

    page = compare_page(comparison="Seeds", group="ba9876543210")

    assert "not here" in page.warning[0].value
    assert page.selectbox(key="seed-group").value is None
