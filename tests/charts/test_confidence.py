"""The figures of confidence show what was counted."""

import numpy as np
import pytest

from core.charts.confidence import coverage_curve, reliability_diagram
from core.charts.runs import FRAMEWORK_COLOURS
from core.config import FRAMEWORK_TITLES
from core.training.calibration import ReliabilityBin, coverage
from core.training.metrics import wilson_interval

BINS = [
    ReliabilityBin(low=0.0, high=0.5, count=0, confidence=None, accuracy=None),
    ReliabilityBin(low=0.5, high=1.0, count=4, confidence=0.8, accuracy=0.75),
]


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
def test_a_bar_stands_for_each_bin_that_has_predictions(framework):
    bars, diagonal = reliability_diagram(BINS, framework).data

    assert (list(bars.x), list(bars.y), list(bars.width)) == ([0.75], [0.75], [0.5])
    assert list(bars.customdata[0]) == [4, 0.8]
    assert bars.marker.color == FRAMEWORK_COLOURS[framework]
    assert list(diagonal.x) == list(diagonal.y) == [0, 1]


def test_coverage_is_drawn_with_its_interval():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])
    curve = coverage(probabilities, np.array([0, 0, 0, 1]))

    low, high, line = coverage_curve(curve, images=4, framework="keras").data

    assert list(line.x) == [0.25, 0.75, 1.0]
    assert list(line.y) == list(curve.accuracy)
    assert line.line.color == FRAMEWORK_COLOURS["keras"]
    assert (low.y[2], high.y[2]) == wilson_interval(0.75, 4)
