"""The curves of loss and accuracy: what they show, and that drawing them anew changes only their data."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from core.charts.curves import (
    Scale,
    curves,
    difference_frame,
    difference_strip,
    merge_short,
    metric_frame,
    running_mean,
)
from core.charts.runs import FRAMEWORK_COLOURS, METRICS
from core.config import FRAMEWORK_TITLES
from core.training.records import StepMetrics

FRAMEWORKS = {"a": "pytorch", "b": "keras"}


def training(epochs, losses, accuracies=None) -> list[StepMetrics]:
    accuracies = np.full(len(losses), 0.5) if accuracies is None else accuracies
    return [
        StepMetrics(i, float(epoch), "train", float(loss), float(accuracy), float(i))
        for i, (epoch, loss, accuracy) in enumerate(zip(epochs, losses, accuracies, strict=True))
    ]


def validations(*figures: float) -> list[StepMetrics]:
    return [StepMetrics(i, float(i + 1), "validation", loss, 1 - loss, 1.0) for i, loss in enumerate(figures)]


def frame_of(measured, metric="loss", scale: Scale = "full", epochs=4) -> pd.DataFrame:
    return metric_frame(measured, FRAMEWORKS, metric, scale, epochs=epochs)


def test_the_running_mean_is_over_images() -> None:
    # 100 images of loss 1, then 900 of loss 2, then 1000 of loss 4: an epoch has 1000.
    points = training([0.1, 1.0, 2.0], [1, 2, 4])

    np.testing.assert_allclose(running_mean(points, "loss", 10).values, [1, 1.9, 2.95])
    np.testing.assert_allclose(running_mean(points, "loss", 1.0).values, [1, 1.9, 4])
    assert running_mean([], "loss", 1).values.size == 0


def test_the_running_mean_is_that_of_each_image() -> None:
    generator = np.random.default_rng(5)
    images = generator.integers(1, 50, 200)
    losses = generator.uniform(0, 3, 200)
    epochs = np.cumsum(images) / 1000
    window = 0.5

    means = running_mean(training(epochs, losses), "loss", window).values

    for i in (0, 17, 120, 199):
        of = (epochs > epochs[i] - window) & (np.arange(200) <= i)
        assert means[i] == pytest.approx(np.repeat(losses[of], images[of]).mean())


def test_the_short_last_batch_of_an_epoch_makes_no_spike() -> None:
    points = training([0.3, 0.6, 0.9, 0.91, 1.21], [1.0, 1.0, 1.0, 9.0, 1.0])

    merged = merge_short(points)

    assert [point.epoch for point in merged] == [0.3, 0.6, 0.91, 1.21]
    assert merged[2].loss == pytest.approx((0.3 * 1 + 0.01 * 9) / 0.31)
    assert merge_short(points[:2]) == points[:2]


def test_a_frame_has_the_measured_the_mean_and_the_validations() -> None:
    frame = frame_of({"a": [*training([0.5, 1.0], [3, 1]), *validations(0.5)]})

    assert frame.groupby("kind").size().to_dict() == {"measured": 2, "training": 2, "validation": 1}
    assert frame[frame["end"] > 0]["epoch"].tolist() == [1.0]


def test_only_the_last_80_percent_set_the_scale() -> None:
    epochs = np.linspace(0.1, 4, 40)
    losses = np.where(epochs < 0.75, 10 - 12 * epochs, 0.5 - 0.05 * epochs)

    frame = frame_of({"a": training(epochs, losses)}, scale="last 80 %")
    means = frame[frame["kind"] == "training"]

    assert frame_of({"a": training(epochs, losses)})["value"].max() > 8
    assert means["value"].max() < 2
    assert means["value"].iloc[0] == means["value"].max(), "the line comes in at the edge"
    assert means["epoch"].iloc[0] > 0.1


def test_a_line_that_leaves_the_scale_is_interrupted() -> None:
    epochs = np.linspace(0.1, 4, 40)
    losses = np.where(np.arange(40) == 25, 40.0, 1.0 + 0.01 * epochs)

    measured = frame_of({"a": training(epochs, losses)}, scale="last 80 %")

    raw = measured[measured["kind"] == "measured"]
    assert raw["value"].isna().sum() == 1
    assert raw["value"].max() < 40


def test_no_validation_is_made_up_at_the_edge_of_the_scale() -> None:
    measured = [*training(np.linspace(0.1, 4, 40), np.full(40, 0.3)), *validations(9.0, 0.2, 0.25, 0.3)]
    measured.append(StepMetrics(9, 0.5, "validation", 30.0, 0.0, 1.0))

    frame = frame_of({"a": sorted(measured, key=lambda point: point.epoch)}, scale="last 80 %", epochs=5)

    shown = frame[(frame["kind"] == "validation") & frame["value"].notna()]
    assert set(shown["value"]) <= {9.0, 0.2, 0.25, 0.3}


def test_a_logarithm_shows_error_rates_and_leaves_out_zeros() -> None:
    frame = frame_of({"a": training([0.5, 1.0], [1, 1], [0.75, 1.0])}, "accuracy", "log")

    raw = frame[frame["kind"] == "measured"]
    assert raw["value"].iloc[0] == 0.25
    assert not (frame["value"] == 0).any()


def test_names_at_the_ends_do_not_cover_one_another() -> None:
    frame = frame_of({"a": training([0.5, 1.0], [1, 1]), "b": training([0.5, 1.0], [1, 1.5])})

    ends = frame[frame["end"] > 0].set_index("run")["end"]
    assert ends.to_dict() == {"b": 1, "a": 2}  # the higher one's stands above it


def test_the_difference_is_keras_minus_pytorch_where_both_have_come() -> None:
    frame = frame_of({"a": training([1, 2, 3], [3, 3, 3]), "b": training([1, 2], [4, 5])})

    difference = difference_frame(frame)

    assert difference["epoch"].tolist() == [1, 2]
    np.testing.assert_allclose(difference["difference"], [1, 2])
    assert difference_frame(frame[frame["run"] == "a"]).empty


@pytest.mark.parametrize("scale", get_args(Scale))
@pytest.mark.parametrize("metric", METRICS)
def test_a_frame_has_what_the_chart_draws_at_every_tick(metric, scale) -> None:
    """From the first, empty one on: a column that came later would not be drawn."""
    measured = [
        {},
        {"a": training([0.1], [1])},
        {"a": [*training(np.linspace(0.001, 3, 3000), np.linspace(5, 1, 3000)), *validations(1, 2, 3)], "b": []},
    ]
    frames = [frame_of(each, metric, scale) for each in measured]

    for told, drawn in (
        (curves(metric, scale, epochs=4), frames),
        (difference_strip(metric, epochs=4), [difference_frame(frame) for frame in frames]),
    ):
        assert "data" not in told
        assert not any("data" in layer for layer in told["layer"])
        for frame in drawn:
            assert fields(told) <= set(frame.columns)
            assert dict(frame.dtypes) == dict(drawn[0].dtypes)


def fields(told: dict) -> set[str]:
    """The columns that a specification draws."""
    return {
        encoding["field"]
        for layer in told["layer"]
        for channel in layer["encoding"].values()
        for encoding in (channel if isinstance(channel, list) else [channel])
        if "field" in encoding
    }


def test_the_axis_is_that_of_the_epochs_asked_for() -> None:
    told = curves("loss", "full", epochs=12)

    for layer in told["layer"]:
        axis = layer["encoding"]["x"]
        assert axis["scale"]["domain"] == [0, 12]
        assert (axis["axis"]["values"][0], axis["axis"]["values"][-1]) == (0, 12)


def test_frameworks_have_their_colours_and_are_both_seen_where_they_coincide() -> None:
    told = curves("loss", "full", epochs=3)

    means = next(layer for layer in told["layer"] if layer.get("name") == "lines")
    scale = means["encoding"]["color"]["scale"]
    expected = {FRAMEWORK_TITLES[framework]: colour for framework, colour in FRAMEWORK_COLOURS.items()}
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == expected
    solid, dashed = means["encoding"]["strokeDash"]["scale"]["range"]
    assert solid != dashed


def test_can_be_zoomed() -> None:
    (zoom,) = curves("loss", "full", epochs=3)["params"]

    assert (zoom["name"], zoom["bind"]) == ("zoom", "scales")
