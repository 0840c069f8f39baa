"""What tells runs apart, and the figures of it."""

from dataclasses import replace

import pytest

from core.charts.parity import parity_curves, parity_frame
from core.config import configure
from core.engines.framework_defaults import pair_terms
from core.studies.comparison import MeanStd, differing_settings, mean_std
from tests.studies.test_parity import MEASURED


def test_only_settings_that_differ_are_told():
    configs = [configure(framework="pytorch", epochs=3), configure(framework="keras", epochs=3)]

    assert differing_settings(configs) == {"Framework": ["PyTorch", "Keras"]}
    assert differing_settings(configs[:1] * 2) == {}


def test_settings_that_do_nothing_are_no_difference():
    configs = [configure(optimizer="adam", momentum=momentum) for momentum in (0.5, 0.9)]
    other = configure(optimizer="sgd", learning_rate=0.01)

    assert differing_settings(configs) == {}
    assert differing_settings([configs[0], other])["Beta 1"] == [0.9, None]


def test_spread_is_mean_and_standard_deviation():
    assert mean_std([1.0, 2.0, 3.0]) == MeanStd(2.0, 1.0, 3)
    assert mean_std([1.0, 2.0, 3.0]).in_words(".1f") == "2.0 ± 1.0"


def test_one_figure_has_no_spread():
    assert mean_std([0.5]) == MeanStd(0.5, None, 1)
    assert mean_std([0.5]).in_words(".2%") == "50.00%"


def test_no_difference_has_a_place_on_the_logarithmic_scale():
    exact = replace(MEASURED, steps=(MEASURED.steps[0]._replace(loss=0.0), MEASURED.steps[1]))

    frame = parity_frame([exact])

    assert len(frame) == 5  # the gradients were measured at one of the two steps
    assert frame["difference"].min() > 0
    assert parity_curves(frame).to_dict()["encoding"]["y"]["scale"]["type"] == "log"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "the same split, batches and initial weights. Each framework keeps its own defaults, and"),
        ({"rotation": 10}, "the same split, batches, augmentation and initial weights."),
        ({"defaults": "aligned"}, "Its defaults are aligned"),
        ({"initialisation": "he"}, "the same split, batches and initial weights."),
        ({"initialisation": "framework", "initial_weights": "0123456789ab"}, "batches and initial weights."),
        ({"initialisation": "framework"}, "the same split and batches. Each framework keeps its own initial weights"),
    ],
)
def test_the_terms_of_a_pair_are_said(settings, sentence):
    assert sentence in pair_terms(configure(**settings))
