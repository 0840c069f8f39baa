"""The reliability diagram shows what its bins say."""

import pytest

from core.charts.confidence import reliability_diagram
from core.charts.runs import FRAMEWORK_COLOURS
from core.config import FRAMEWORK_TITLES
from core.studies.calibration import ReliabilityBin

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
