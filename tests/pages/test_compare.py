"""The compare page, without a browser: runs over one another, and the parity panel."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.config import configure
from core.engines.framework_defaults import FRAMEWORK_DEFAULTS
from core.runs import Store, new_id, open_store
from core.runs.schema import runs
from core.studies.parity_background import Asked, Progress
from tests.page import page_at, plain
from tests.runs.making import finished_results, point
from tests.studies.test_parity import MEASURED


def compare_page(**query: str) -> AppTest:
    return page_at("compare", **query).run()


def test_without_finished_runs_it_says_what_to_do() -> None:
    page = compare_page()

    assert not page.exception
    assert "Train page" in page.info[0].value


def test_runs_called_as_columns_are_columns_beside_those(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    store = open_store()
    runs = sorted(store.find(states=("done",)), key=lambda run: run.config.framework, reverse=True)  # as the page does
    for run, name in zip(runs, ("Setting", "Class"), strict=True):
        store.rename(run.id, name)

    page = compare_page()

    for run in runs:
        store.rename(run.id, run.name or "")
    assert not page.exception
    tables = {next(iter(table.value.columns)): table.value for table in page.dataframe}
    assert [name.replace("\u2060", "") for name in tables["Setting"].columns] == ["Setting", "Setting", "Class"]
    assert list(tables["Setting"]["Setting"]) == ["Framework"]
    assert set(tables["Class"]["Class"]) == {str(digit) for digit in range(10)}
    assert [name.replace("\u2060", "") for name in tables["Class"].columns][:4] == [
        *("Class", "Test images"),
        *("Setting", "Class"),
    ]


def test_a_pair_is_set_against_each_other(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    runs = open_store().find(states=("done",), order="oldest")

    page = compare_page()

    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 3
    tables = {next(iter(table.value.columns)): table.value for table in page.dataframe}
    assert list(tables["Setting"]["Setting"]) == ["Framework"]
    assert list(tables["Setting"].columns) == ["Setting", "PyTorch", "Keras"]
    assert sorted(tables["Run"]["Test accuracy"]) == sorted(f"{run.results.test_accuracy:.2%}" for run in runs)
    assert tables["Run"]["95% interval"].str.contains(" to ").all()
    metrics = {metric.label: metric.value for metric in page.metric}
    right = {run.config.framework: int(np.trace(run.results.confusion)) for run in runs}
    assert metrics["Difference, Keras − PyTorch"] == f"{(right['keras'] - right['pytorch']) / 100:+.2f} points"
    classes = tables["Class"]
    per_class = (classes["Test images"] * classes["Difference, points"].astype(float) / 100).round()
    assert per_class.sum() == right["keras"] - right["pytorch"]


def test_what_does_not_matter_can_be_set_and_is_in_the_address(
    monkeypatch: pytest.MonkeyPatch, trained_home: Path
) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    page = compare_page(margin="100")

    assert page.number_input(key="margin").value == 100
    assert "**No difference beyond 100\\.00 points\\.**" in [text.value for text in page.markdown]
    page.number_input(key="margin").set_value(0.0).run()
    assert not page.exception
    assert not any("beyond 100" in text.value for text in page.markdown)


def test_one_run_is_not_enough(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> None:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    page = compare_page()
    chosen = page.multiselect(key="compared").value[:1]
    page.multiselect(key="compared").set_value(chosen).run()

    assert not page.exception
    assert "two finished runs" in page.info[0].value
    assert len(page.metric) == 1


def launched_together(seeds: int, done: int, **settings: object) -> list[str]:
    """A group of pairs of which `done` have finished, Keras a little better each time; return the runs' ids."""
    store = open_store()
    run_ids = []
    for seed in range(seeds):
        for framework, better in (("pytorch", 0.0), ("keras", 0.01 + seed / 1000)):
            run_id = store.create(
                configure(framework=framework, seed=seed, **settings),
                submission=new_id(),
                group="0123456789ab",
                claimed=seed < done,
            )
            if seed < done:
                store.begin(run_id, 1, total_steps=10)
                store.add_metrics(run_id, 1, 1, [point(9, accuracy=0.8), point(10, "validation", accuracy=0.9)])
                store.finish(run_id, 1, "done", finished_results(test_accuracy=0.9 + better))
            run_ids.append(run_id)
    return run_ids


def test_seeds_are_shown_with_their_spread_and_the_difference(store: Store) -> None:
    launched_together(seeds=4, done=3)

    page = compare_page(group="0123456789ab")

    metrics = {metric.label: metric.value for metric in page.metric}
    assert not page.exception
    assert metrics["Test accuracy, PyTorch"] == "90.00% ± 0.00%"
    assert metrics["Test accuracy, Keras"] == "91.10% ± 0.10%"
    assert metrics["Difference, Keras − PyTorch"] == "+1.10 points"
    captions = "\n".join(caption.value for caption in page.caption)
    assert "95% interval +0.85 to +1.35 points, seed by seed." in captions
    assert "From 3 seeds it is known only roughly" in captions
    assert page.get("progress")[0].proto.text.startswith("2 runs still to come")
    assert store.count(states=("queued",)) == 2


def test_each_run_stands_alone_where_that_is_chosen(store: Store) -> None:  # noqa: ARG001 (nobody trains its queue)
    launched_together(seeds=2, done=2)

    page = compare_page(group="0123456789ab", **{"seeds-together": "false"})

    assert not page.exception
    assert set(page.multiselect(key="compared").value) == {run.id for run in open_store().find()}
    tables = {next(iter(table.value.columns)): table.value for table in page.dataframe}
    assert sorted(tables["Run"]["Run"]) == [
        f"{framework} · seed {seed}" for framework in ("Keras", "PyTorch") for seed in (0, 1)
    ]


def test_what_is_picked_is_in_the_address(store: Store) -> None:  # noqa: ARG001 (as above)
    run_ids = launched_together(seeds=2, done=2)
    others = launched_together(seeds=2, done=2, batch_size=256)
    page = compare_page(runs=",".join(run_ids))
    assert len(page.multiselect(key="compared").value) == 2

    page.multiselect(key="compared").select("Keras · batch 256 · 2 seeds").run()

    assert not page.exception
    assert page.query_params["runs"].split(",") == [*run_ids[::2], *run_ids[1::2], *others[1::2]]
    tables = {next(iter(table.value.columns)): table.value for table in page.dataframe}
    assert set(tables["Run"]["Run"]) == {"PyTorch · batch 64", "Keras · batch 64", "Keras · batch 256"}
    assert page.selectbox(key="coloured-by").options == ["Each its own", "Framework", "Batch size"]
    assert len(page.selectbox(key="two-of-them").options) == 3


def test_as_many_seeds_as_would_tell_are_launched_as_pairs(store: Store) -> None:
    launched_together(seeds=3, done=3, epochs=5)
    runs = store.find(limit=6)
    for run, accuracy in zip(runs, (0.90, 0.90, 0.93, 0.91, 0.96, 0.92), strict=True):
        _set_accuracy(store, run.id, accuracy)
    page = compare_page(runs=",".join(run.id for run in runs), margin="0")
    button = page.button(key="more-seeds")
    assert f"Cannot be told yet: about {button.label.split()[1]} more" in plain(" ".join(_texts(page)))
    more = int(button.label.split()[1])

    button.click().run()

    assert not page.exception
    queued = store.find(states=("queued",), order="oldest", limit=100)
    assert [(run.config.framework, run.config.seed) for run in queued] == [
        (framework, seed) for seed in range(3, 3 + more) for framework in ("pytorch", "keras")
    ]
    assert all(run.pair and run.config.epochs == 5 for run in queued)
    assert set(page.query_params["runs"].split(",")) == {run.id for run in (*runs, *queued)}


def _texts(page: AppTest) -> list[str]:
    return [text.value for text in page.markdown]


def _set_accuracy(store: Store, run_id: str, accuracy: float) -> None:
    with store._engine.begin() as connection:
        results = finished_results(test_accuracy=accuracy).as_json()
        connection.execute(runs.update().where(runs.c.id == run_id).values(results=results, test_accuracy=accuracy))


def test_without_seeds_it_says_how_to_get_them() -> None:
    page = compare_page()

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
    assert any(shown in plain(text) for text in texts)
    assert len(page.get("vega_lite_chart")) == (found.state == "done")


def test_a_setting_is_shown_against_its_effect(store: Store) -> None:  # noqa: ARG001 (nobody trains its queue)
    launched_together(seeds=2, done=2)
    launched_together(seeds=2, done=2, batch_size=256)
    launched_together(seeds=1, done=1, optimizer="adam", learning_rate=0.5)

    page = compare_page(comparison="Settings")

    assert not page.exception
    assert page.selectbox(key="effect-setting").options == ["Batch size"]
    assert len(page.get("vega_lite_chart")) == 2
    assert any(caption.value.startswith("8 runs with") for caption in page.caption)
    page.selectbox(key="effect-metric").set_value("Images per second").run()
    page.segmented_control(key="cost").set_value("Parameters").run()
    assert not page.exception


def test_without_varied_settings_it_says_how_to_get_some() -> None:
    page = compare_page(comparison="Settings")

    assert not page.exception
    assert "batch size" in page.info[0].value


@pytest.mark.parametrize("query", [{"group": "ba9876543210"}, {"runs": "ba9876543210,nonsense"}, {"runs": "<b>"}])
def test_runs_of_the_address_that_have_gone_are_not_replaced_by_others(store: Store, query: dict[str, str]) -> None:  # noqa: ARG001
    launched_together(seeds=2, done=2)

    page = compare_page(**query)

    assert not page.exception
    assert "not here" in page.warning[0].value
    assert page.multiselect(key="compared").value == []
