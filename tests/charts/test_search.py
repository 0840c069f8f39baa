"""The figures of a search."""

import pandas as pd
import pytest

from core.charts.runs import FRAMEWORK_COLOURS
from core.charts.search import history, importance_bars, parallel_coordinates, slices
from core.studies.search.space import parse_dimension

SPACE = [
    parse_dimension("learning-rate", "0.001..0.1:log"),
    parse_dimension("optimizer", "sgd,adam,adamw"),
    parse_dimension("batch-size", "32"),
]


@pytest.fixture
def frame() -> pd.DataFrame:
    """Three trials that are done, and one that was pruned."""
    return pd.DataFrame(
        {
            "trial": [1, 2, 3, 4],
            "state": ["done", "done", "done", "pruned"],
            "accuracy": [0.5, 0.6, 0.9, 0.99],
            "best": [0.5, 0.6, 0.9, 0.9],
            "learning_rate": [0.001, 0.01, 0.1, 0.1],
            "optimizer": ["sgd", "adam", "adamw", "sgd"],
            "batch_size": [32, 32, 32, 32],
        }
    )


def test_parallel_coordinates_lead_each_trial_through_its_settings(frame: pd.DataFrame) -> None:
    lines, labels = parallel_coordinates(frame, SPACE).layer

    places = lines.data.pivot_table(index="trial", columns="axis", values="place")
    assert list(places.index) == [1, 2, 3], "what was pruned has no accuracy to be held against the others"
    assert places["Learning rate"].tolist() == pytest.approx([0, 0.5, 1]), "a logarithm is divided by ratios"
    assert places["Optimizer"].tolist() == [0, 0.5, 1]
    assert places["Batch size"].tolist() == [0, 0, 0]
    assert places["validation accuracy"].tolist() == pytest.approx([0, 0.25, 1])
    written = labels.data.groupby("axis")["text"].apply(list)
    assert written["Optimizer"] == ["sgd", "adam", "adamw"]
    assert written["Learning rate"] == ["0.001", "0.1"]


def test_parallel_coordinates_of_equal_accuracies_lie_on_one_place(frame: pd.DataFrame) -> None:
    lines, _ = parallel_coordinates(frame.assign(accuracy=0.7), SPACE).layer

    assert set(lines.data[lines.data["axis"] == "validation accuracy"]["place"]) == {0}


def test_slices_call_settings_by_their_titles(frame: pd.DataFrame) -> None:
    for dimension in SPACE:
        drawn = slices(frame, dimension).to_dict()["encoding"]
        assert drawn["x"]["title"] == dimension.title
        assert dimension.title in {each.get("title") for each in drawn["tooltip"]}


def test_no_figure_has_the_colour_of_a_framework(frame: pd.DataFrame) -> None:
    figures = [
        history(frame),
        parallel_coordinates(frame, SPACE),
        importance_bars({"Optimizer": 1.0}),
        *(slices(frame, dimension) for dimension in SPACE),
    ]

    for figure in figures:
        told = figure.to_json().lower()
        assert not [colour for colour in FRAMEWORK_COLOURS.values() if colour in told]
