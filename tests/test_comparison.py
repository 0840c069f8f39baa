"""What tells runs apart, and the figures of it."""

from dataclasses import replace

import pytest

from core.charts import curve_frame
from core.comparison import differing_settings, run_labels
from core.comparison_charts import parity_curves, parity_frame, run_curves
from core.config import configure
from core.framework_defaults import pair_terms
from core.runs import Run, Store, open_store
from core.training import Point
from tests.test_parity import MEASURED


def queued(store: Store, **settings: object) -> Run:
    run_id = store.create(configure(**settings), submission=str(settings))
    return store.get(run_id)


def test_only_settings_that_differ_are_told():
    configs = [configure(framework="pytorch", epochs=3), configure(framework="tensorflow", epochs=3)]

    assert differing_settings(configs) == {"Framework": ["pytorch", "tensorflow"]}
    assert differing_settings(configs[:1] * 2) == {}


def test_runs_that_are_alike_are_told_apart_by_their_ids():
    store = open_store()
    first, second, other = (queued(store, seed=1), queued(store, seed=2), queued(store, framework="tensorflow"))

    labels = run_labels([first, second, other])

    assert labels[other.id] == "cnn-64-32-32 · Keras"
    assert labels[first.id] == f"cnn-64-32-32 · PyTorch · {first.id[:4]}"
    assert len(set(labels.values())) == 3


def test_curves_have_a_colour_a_run():
    points = [Point(1, 0.5, "train", 0.7, 0.8, 1.0), Point(2, 1.0, "validation", 0.6, 0.9, 1.0)]
    frame = curve_frame({"a": points, "b": points}, {"a": "pytorch", "b": "pytorch"})

    drawn = run_curves(frame, {"a": "one", "b": "two"}, "loss").to_dict()

    assert drawn["encoding"]["color"]["scale"]["domain"] == ["one", "two"]
    assert len(set(drawn["encoding"]["color"]["scale"]["range"])) == 2


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
        ({"initialisation": "framework"}, "the same split and batches. Each framework keeps its own initial weights"),
    ],
)
def test_the_terms_of_a_pair_are_said(settings, sentence):
    assert sentence in pair_terms(configure(**settings))
