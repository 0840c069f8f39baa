"""What tells runs apart, and the figures of it."""

from dataclasses import replace

import numpy as np
import pytest

from core.charts.comparison import parity_curves, parity_frame, run_curves, seed_bands, seed_frame
from core.charts.runs import curve_frame
from core.config import configure
from core.engines.framework_defaults import pair_terms
from core.runs import Run, Store, open_store
from core.studies.comparison import MeanStd, differing_settings, mean_std, paired_difference, run_labels, seed_groups
from core.training.records import Epoch, StepMetrics
from tests.studies.test_parity import MEASURED


def queued(store: Store, **settings: object) -> Run:
    run_id = store.create(configure(**settings), submission=str(settings))
    return store.get(run_id)


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


def test_difference_is_students_paired_interval():
    """By hand: differences 1, 2, 3 have mean 2 and deviation 1; t of 2 degrees of freedom at 97.5% is 4.3027."""
    found = paired_difference([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])

    assert found.mean_std == MeanStd(2.0, 1.0, 3)
    assert (found.low, found.high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)
    assert not found.significant
    assert paired_difference([1.0, 2.0, 3.0], [2.0, 3.1, 4.0]).significant


def test_one_seed_tells_no_difference():
    assert paired_difference([1.0], [2.0]) is None


def test_bands_are_a_deviation_around_the_mean_of_what_every_seed_has_validated():
    def epoch(number: int, loss: float | None) -> Epoch:
        return Epoch(number, number, 0.5, 0.8, loss, None if loss is None else 1 - loss, 0.01, 1.0, None)

    epochs = {
        "a": [epoch(1, 0.2), epoch(2, None), epoch(3, 0.1)],
        "b": [epoch(1, 0.4), epoch(2, 0.3)],
        "c": [epoch(1, 0.5)],
    }
    frame = seed_frame(epochs, {"a": "pytorch", "b": "pytorch", "c": "keras"})

    deviation = 0.2 / 2**0.5
    assert frame[["framework", "epoch", "seeds"]].to_numpy().tolist() == [["PyTorch", 1, 2], ["Keras", 1, 1]]
    assert frame[["loss_mean", "loss_low", "loss_high"]].to_numpy() == pytest.approx(
        np.array([[0.3, 0.3 - deviation, 0.3 + deviation], [0.5, 0.5, 0.5]])
    )
    assert frame["accuracy_mean"].tolist() == pytest.approx([0.7, 0.5])
    for metric in ("loss", "accuracy"):
        band, line = seed_bands(frame, metric).to_dict()["layer"]
        assert [band["encoding"][axis]["field"] for axis in ("y", "y2")] == [f"{metric}_low", f"{metric}_high"]
        assert line["encoding"]["y"]["field"] == f"{metric}_mean"


def test_groups_are_what_was_launched_together():
    store = open_store()
    config = configure()
    grouped = [store.create(config, submission=f"{i}", group="0123456789ab") for i in range(2)]
    store.create(config, submission="alone")

    groups = seed_groups(store.find(order="oldest"))

    assert {group: [run.id for run in runs] for group, runs in groups.items()} == {"0123456789ab": grouped}


def test_runs_that_are_alike_are_told_apart_by_their_seeds_and_then_by_their_ids():
    store = open_store()
    first, second, other = (
        queued(store, seed=1, epochs=2),
        queued(store, seed=1, epochs=3),
        queued(store, framework="keras"),
    )
    seeded = queued(store, seed=2)

    labels = run_labels([first, second, other, seeded])

    assert labels[other.id] == "cnn-64-32-32 · Keras"
    assert labels[first.id] == f"cnn-64-32-32 · PyTorch · seed 1 · {first.id[:4]}"
    assert labels[seeded.id] == "cnn-64-32-32 · PyTorch · seed 2"
    assert len(set(labels.values())) == 4


def test_curves_have_a_colour_a_run():
    points = [StepMetrics(1, 0.5, "train", 0.7, 0.8, 1.0), StepMetrics(2, 1.0, "validation", 0.6, 0.9, 1.0)]
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
        ({"initialisation": "he"}, "the same split, batches and initial weights."),
        ({"initialisation": "framework", "initial_weights": "0123456789ab"}, "batches and initial weights."),
        ({"initialisation": "framework"}, "the same split and batches. Each framework keeps its own initial weights"),
    ],
)
def test_the_terms_of_a_pair_are_said(settings, sentence):
    assert sentence in pair_terms(configure(**settings))
