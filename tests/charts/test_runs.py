"""Figures of runs: what they show, and that drawing them anew changes only their data."""

import numpy as np
import pytest

from core.charts.runs import (
    FRAMEWORK_COLOURS,
    curve_frame,
    downsample,
    probability_bars,
    schedule_curve,
    step_curves,
)
from core.training.records import StepMetrics


def points(count: int, split: str = "train", loss=lambda i: 1 / (i + 1)) -> list[StepMetrics]:
    return [
        StepMetrics(i, i / 10, split, float(loss(i)), 0.5, float(i), learning_rate=0.1, gradient_norm=2.0)
        for i in range(count)
    ]


def specification(chart) -> dict:
    """Return what Vega-Lite is told, without the data and the name that they have been given."""

    def without_data(value):
        if isinstance(value, dict):
            return {key: without_data(part) for key, part in value.items() if key not in ("data", "datasets")}
        return [without_data(part) for part in value] if isinstance(value, list) else value

    return without_data(chart.to_dict())


def data(chart) -> list[dict]:
    (rows,) = chart.to_dict()["datasets"].values()
    return rows


class TestThinning:
    @pytest.mark.parametrize("count", [0, 1, 399, 400])
    def test_leaves_a_short_curve_as_it_is(self, count):
        assert list(downsample(points(count))) == points(count)

    @pytest.mark.parametrize("count", [401, 1000, 12_345])
    def test_keeps_both_ends_the_spike_and_the_best(self, count):
        noise = np.random.default_rng(count).uniform(1, 2, count)
        noise[count // 3], noise[count // 2] = 50, 0.01
        long = points(count, loss=lambda i: noise[i])

        kept = downsample(long)

        assert len(kept) <= 402
        assert {0, count // 3, count // 2, count - 1} <= {point.step for point in kept}
        assert [point.step for point in kept] == sorted({point.step for point in kept})
        assert set(kept) <= set(long)

    def test_keeps_every_stretch_of_the_curve(self):
        steps = [point.step for point in downsample(points(10_000, loss=lambda i: i % 7))]

        assert np.diff(steps).max() <= 100

    def test_goes_down_to_the_limit_that_is_asked_for(self):
        assert len(downsample(points(1000, loss=np.sin), limit=20)) <= 22


class TestCurveFrame:
    def test_has_a_row_for_each_measurement(self):
        measured = [*points(2), StepMetrics(9, 1.0, "validation", 0.25, 0.75, 3.0)]

        frame = curve_frame({"a": measured, "b": points(1)}, {"a": "pytorch", "b": "keras"})

        assert frame.astype(object).where(frame.notna(), None).to_dict("split")["data"] == [
            ["a", "PyTorch", "training", 0.0, 1.0, 0.5, 0.1, 2.0],
            ["a", "PyTorch", "training", 0.1, 0.5, 0.5, 0.1, 2.0],
            ["a", "PyTorch", "validation", 1.0, 0.25, 0.75, None, None],
            ["b", "Keras", "training", 0.0, 1.0, 0.5, 0.1, 2.0],
        ]
        measured = ["epoch", "loss", "accuracy", "learning_rate", "gradient_norm"]
        assert list(frame.columns) == ["run", "framework", "part", *measured]

    def test_thins_each_part_of_each_run(self):
        """A few validations among many training points are all kept."""
        measured = [*points(5000), *points(30, "validation")]

        frame = curve_frame({"a": measured, "b": points(5000)}, {"a": "pytorch", "b": "keras"})

        counts = frame.groupby(["run", "part"]).size()
        assert counts["a", "validation"] == 30
        assert max(counts["a", "training"], counts["b", "training"]) <= 402

    def test_of_nothing_has_the_same_columns(self):
        assert list(curve_frame({}, {}).columns) == list(curve_frame({"a": points(1)}, {"a": "pytorch"}).columns)


@pytest.mark.parametrize("metric", ["learning_rate", "gradient_norm"])
class TestStepCurves:
    def test_are_told_alike_at_every_tick(self, metric):
        frames = [curve_frame({"a": points(count)}, {"a": "pytorch"}) for count in (1, 7)]

        first, later = (specification(step_curves(frame, metric)) for frame in frames)
        assert first == later
        assert first["encoding"]["y"]["field"] == metric

    def test_leave_out_what_has_no_such_figure(self, metric):
        frame = curve_frame({"a": [StepMetrics(9, 1.0, "validation", 0.25, 0.75, 3.0)]}, {"a": "pytorch"})

        assert specification(step_curves(frame, metric))["transform"] == [{"filter": f"isValid(datum.{metric})"}]


class TestScheduleCurve:
    def test_is_the_rate_over_the_epochs(self):
        chart = schedule_curve(np.array([0.0, 0.5]), np.array([0.1, 0.2]))

        assert data(chart) == [{"epoch": 0.0, "rate": 0.1}, {"epoch": 0.5, "rate": 0.2}]


class TestProbabilityBars:
    def test_show_each_class_in_its_order(self):
        chart = probability_bars(np.array([0.125, 0.75, 0.125]), ("8", "3", "1"), "keras")

        assert data(chart) == [
            {"class": "8", "probability": 0.125},
            {"class": "3", "probability": 0.75},
            {"class": "1", "probability": 0.125},
        ]
        bars, _ = specification(chart)["layer"]
        assert bars["mark"]["color"] == FRAMEWORK_COLOURS["keras"]
        assert bars["encoding"]["y"]["sort"] is None

    def test_are_told_alike_for_every_image(self):
        first, second = (probability_bars(np.array(p), ("a", "b"), "pytorch") for p in ([0.1, 0.9], [1.0, 0.0]))

        assert specification(first) == specification(second)
