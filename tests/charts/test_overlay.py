"""Curves over one another: what they are of, and that only frameworks have the frameworks' colours."""

import numpy as np
import pytest

from core.charts.overlay import colours_of, overlay, overlay_frame
from core.charts.runs import FRAMEWORK_COLOURS
from core.runs import FinishedRun, Store
from core.studies.groups import SeedGroup, fold_seeds
from core.training.records import StepMetrics
from tests.studies.test_groups import done


def validated(*losses: float) -> list[StepMetrics]:
    return [
        StepMetrics(number, float(number), "validation", loss, 1 - loss, 1.0)
        for number, loss in enumerate(losses, start=1)
    ]


def groups(store: Store, *settings: dict) -> list[SeedGroup]:
    runs: list[FinishedRun] = [done(store, **each) for each in settings]
    return fold_seeds(runs)


def test_seeds_are_a_band_of_one_deviation_as_far_as_all_have_come():
    points = {"two": [validated(0.2, 0.1, 0.1), validated(0.4, 0.3)], "one": [validated(0.5)]}

    frame = overlay_frame(points, "loss", "validation")

    two, one = (frame[frame["label"] == label] for label in ("two", "one"))
    deviation = 0.2 / 2**0.5
    assert two[["epoch", "mean", "low", "high", "seeds"]].to_numpy() == pytest.approx(
        np.array([[1, 0.3, 0.3 - deviation, 0.3 + deviation, 2], [2, 0.2, 0.2 - deviation, 0.2 + deviation, 2]])
    )
    assert one[["epoch", "mean", "low", "high", "seeds"]].to_numpy().tolist() == [[1, 0.5, 0.5, 0.5, 1]]


def test_training_is_a_running_mean_that_every_seed_has():
    runs = [
        [StepMetrics(step, step / 100, "train", 1.0 + seed, 0.5, 1.0) for step in range(1, length)]
        for seed, length in ((0, 301), (1, 201))
    ]

    frame = overlay_frame({"a": runs}, "loss", "train")

    assert (frame["epoch"].min(), frame["epoch"].max()) == (0.01, 2.0)
    assert frame["mean"].to_numpy() == pytest.approx(1.5)


def test_frameworks_have_their_colours_and_nothing_else_has(store: Store):
    pair = groups(store, {"framework": "keras"}, {"framework": "pytorch"})
    assert dict(colours_of(pair, None).values()) == {
        "Keras": FRAMEWORK_COLOURS["keras"],
        "PyTorch": FRAMEWORK_COLOURS["pytorch"],
    }
    sizes = groups(
        store, *({"batch_size": size, "framework": name} for size in (16, 32, 256) for name in FRAMEWORK_COLOURS)
    )
    by_framework = colours_of(sizes, "framework")
    assert by_framework["Keras · batch 16"] == ("Keras", FRAMEWORK_COLOURS["keras"])
    for setting, count in ((None, 6), ("batch_size", 3)):
        colours = colours_of(sizes, setting)
        assert not {colour for _, colour in colours.values()} & set(FRAMEWORK_COLOURS.values())
        assert len({colour for _, colour in colours.values()}) == count
    assert colours_of(sizes, "batch_size")["Keras · batch 16"][0] == "16"


def test_two_runs_of_one_framework_do_not_pass_for_the_two_frameworks(store: Store):
    colours = colours_of(groups(store, {"epochs": 2}, {"epochs": 3}), None)

    assert [name for name, _ in colours.values()] == ["2 epochs", "3 epochs"]
    assert not {colour for _, colour in colours.values()} & set(FRAMEWORK_COLOURS.values())


def test_more_lines_than_colours_are_told_apart_by_dashes(store: Store):
    many = groups(store, *({"batch_size": 2**number} for number in range(13)))
    frame = overlay_frame({group.label: [validated(0.5, 0.4)] for group in many}, "loss", "validation")

    _, line = overlay(frame, "loss", "full", colours_of(many, None), epochs=2).to_dict()["layer"]

    colours = line["encoding"]["color"]["scale"]["range"]
    dashes = line["encoding"]["strokeDash"]["scale"]["range"]
    assert len({(colour, tuple(dash)) for colour, dash in zip(colours, dashes, strict=True)}) == 13


def test_axis_follows_the_last_80_percent_and_ends_at_the_epochs_asked_for():
    frame = overlay_frame({"a": [validated(9.0, *[0.2] * 9, 0.1)]}, "loss", "validation")

    _, line, _ = overlay(frame, "loss", "last 80 %", {"a": ("a", "#009e73")}, epochs=20).to_dict()["layer"]

    low, high = line["encoding"]["y"]["scale"]["domain"]
    assert 0.09 < low < 0.1
    assert 0.2 < high < 0.21
    assert line["encoding"]["x"]["scale"]["domain"] == [0, 20]


@pytest.mark.parametrize("scale", ["last 80 %", "full", "log"])
def test_names_at_the_ends_of_lines_have_room(scale):
    ends = {"a": 0.1, "b": 0.1001, "c": 0.5, "d": 0.1002}
    frame = overlay_frame({name: [validated(0.9, 0.6, end)] for name, end in ends.items()}, "loss", "validation")
    colours = {name: (name, f"#00000{number}") for number, name in enumerate(ends)}

    drawn = overlay(frame, "loss", scale, colours, epochs=3).to_dict()

    _, line, *names = drawn["layer"]
    assert line["encoding"]["color"]["legend"] is None
    pixels = {each["transform"][0]["filter"].split("'")[1]: each["mark"]["dy"] for each in names}
    assert set(pixels) == set(ends)
    # Three end on one another: their names stand one below the other, in the order of the lines, close to them.
    assert np.diff([pixels["d"], pixels["b"], pixels["a"]]) == pytest.approx(15, abs=1)
    assert all(abs(dy) < 20 for dy in pixels.values())


def test_of_many_lines_or_of_several_of_a_name_there_is_a_legend():
    for labels in ("abcdefgh", "ab"):
        frame = overlay_frame({label: [validated(0.9, 0.5)] for label in labels}, "loss", "validation")
        colours = {label: (label if len(labels) > 2 else "same", "#000000") for label in labels}

        layers = overlay(frame, "loss", "full", colours, epochs=2).to_dict()["layer"]

        assert len(layers) == 2
        assert layers[1]["encoding"]["color"]["legend"]["orient"] == "top"


def test_logarithm_of_the_accuracy_is_that_of_the_error_rate():
    frame = overlay_frame({"a": [validated(0.5, 0.01)]}, "accuracy", "validation")

    drawn = overlay(frame, "accuracy", "log", {"a": ("a", "#009e73")}, epochs=2).to_dict()

    (rows,) = drawn["datasets"].values()
    assert [row["mean"] for row in rows] == pytest.approx([0.5, 0.01])
    assert drawn["layer"][1]["encoding"]["y"]["scale"]["type"] == "log"
