"""The plots, tables and sentences of the data page."""

import json

import altair as alt
import numpy as np
import pandas as pd
import pytest

from core.charts.datasets import (
    class_distribution,
    describe_balance,
    describe_differences,
    map_chart,
    pixel_table,
    value_histogram,
)
from core.datasets.inspection.health import ShareDifference
from core.datasets.inspection.image_map import ImageMap
from tests.sample_data import make_dataset, noise

COUNTS = {"train": np.array([30, 10]), "validation": np.array([3, 1]), "test": np.array([5, 15])}
NAMES = ("7", "B")


def drawn(chart: alt.LayerChart) -> pd.DataFrame:
    """Return the data of the bars."""
    return chart.layer[0].data


def test_bars_show_images_of_each_split_and_their_sum() -> None:
    chart = class_distribution(COUNTS, NAMES, shares=False)
    frame = drawn(chart)
    assert frame["split"].unique().tolist() == ["Training", "Validation", "Test"]
    assert frame["length"].tolist() == [30, 10, 3, 1, 5, 15]
    assert frame["class"].tolist()[:2] == ["7", "B"]
    assert chart.layer[1].data["images"].tolist() == [38, 26]
    assert json.loads(chart.to_json())["layer"][0]["encoding"]["y"]["type"] == "nominal", "7 is a name, no number"


def test_bars_show_shares_that_sum_to_one() -> None:
    assert drawn(class_distribution(COUNTS, NAMES, shares=True))["length"].tolist() == [0.75, 0.25] * 2 + [0.25, 0.75]


def test_an_empty_split_has_no_bars_and_no_error() -> None:
    chart = class_distribution({"test": np.array([0, 0])}, NAMES, shares=True)
    assert drawn(chart)["length"].tolist() == [0, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_histogram_has_a_line_for_each_split_and_channel(channels: int) -> None:
    counts = np.zeros((channels, 256), np.int64)
    counts[:, [0, 255]] = 3, 1
    frame = value_histogram({"train": counts, "test": counts}, {"train": "Training", "test": "Test"}).data
    assert len(frame.groupby(["split", "channel"])) == 2 * channels
    of_one = frame[(frame["split"] == "Test") & (frame["channel"] == frame["channel"].iloc[0])]
    assert of_one[["value", "share"]].to_numpy().tolist() == [[0, 0.75], [252, 0.25], [256, 0.25]]


def test_the_map_has_a_mark_for_each_image_and_rings_the_picked() -> None:
    dataset = make_dataset(noise(6), [0, 1] * 3, noise(2, seed=1), [0, 1], class_names=NAMES)
    points = np.array([[0, 0], [9, 9], [1, 0], [9, 8], [0, 1]], np.float32)
    found = ImageMap(np.array([0, 1, 2, 3, 6]), points, np.array([0.5, 0.25]))
    chart = map_chart(dataset, found, picked=3)
    frame = chart.layer[0].data
    assert frame["class"].tolist() == ["7", "B", "7", "B", "7"]
    assert frame["place"].tolist()[3:] == ["training image 3", "test image 0"]
    assert frame[frame["ring"] == "picked"]["position"].tolist() == [3]
    written = chart.layer[1].data.set_index("class")
    assert written.loc["B", ["x", "y"]].tolist() in ([9, 9], [9, 8])
    assert written.loc["7", "x"] <= 1
    assert "50.0% of the variance" in chart.to_json()


def test_the_first_five_differences_are_told() -> None:
    differences = [ShareDifference(label, 0.1, 0.2) for label in range(7)]
    sentence = describe_differences(differences, list("ABCDEFGH"))
    assert "7 of 8 classes" in sentence
    assert "A (10.0% of training, 20.0% of test)" in sentence
    assert "and 2 more" in sentence


@pytest.mark.parametrize(
    ("train", "verdict"), [([10, 11], "nearly balanced"), ([10, 20], "somewhat"), ([1, 9], "strongly"), ([0, 9], "")]
)
def test_the_sentence_weighs_the_extremes(train: list[int], verdict: str) -> None:
    sentence = describe_balance({"train": np.array(train)}, NAMES)
    assert verdict in sentence
    assert f"B, has {train[1]} images" in sentence
    assert f"7, has {train[0]}." in sentence


def test_the_table_has_the_values_and_readable_cells() -> None:
    pixels = np.array([[0, 116], [117, 255]], np.uint8)
    table = pixel_table(pixels)
    np.testing.assert_array_equal(table.data, pixels)
    html = table.to_html()
    assert "background-color: rgb(116,116,116)" in html
    for grey, text in ((0, 0x7D), (116, 255), (117, 0), (255, 0)):
        assert contrast(grey, text) >= 4.5


def contrast(first: int, second: int) -> float:
    """Return the contrast of two greys, as WCAG 2.2 defines it."""

    def luminance(grey: int) -> float:
        value = grey / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)
