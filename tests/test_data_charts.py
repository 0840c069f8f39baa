"""The plots, tables and sentences of the data page."""

import numpy as np
import pytest

from core.data_charts import class_distribution, describe_balance, pixel_table

COUNTS = {"train": np.array([30, 10]), "validation": np.array([3, 1]), "test": np.array([5, 15])}
NAMES = ("7", "B")


def test_bars_show_images_of_each_split() -> None:
    figure = class_distribution(COUNTS, NAMES, shares=False)
    assert [bar.name for bar in figure.data] == ["Training", "Validation", "Test"]
    assert [list(bar.y) for bar in figure.data] == [[30, 10], [3, 1], [5, 15]]
    assert list(figure.data[0].x) == ["7", "B"]
    assert figure.layout.xaxis.type == "category", "a class called 7 is a name, not a number"


def test_bars_show_shares_that_sum_to_one() -> None:
    figure = class_distribution(COUNTS, NAMES, shares=True)
    assert [list(bar.y) for bar in figure.data] == [[0.75, 0.25], [0.75, 0.25], [0.25, 0.75]]


def test_an_empty_split_has_no_bars_and_no_error() -> None:
    figure = class_distribution({"test": np.array([0, 0])}, NAMES, shares=True)
    assert list(figure.data[0].y) == [0, 0]


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
