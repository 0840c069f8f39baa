"""A setting against its effect: which runs share the rest, what is drawn of them, and what none beats."""

from typing import Any

import pytest

from core.charts.effects import effect_chart, effect_frame, pareto_chart, pareto_frame
from core.config import configure
from core.runs.folding import settings_key
from core.runs.table import METRICS, Measured
from core.studies.effects import pareto_front, varied_settings


def measured(accuracy: float, **settings: Any) -> Measured:
    figures: dict[str, float | None] = dict.fromkeys(METRICS, None)
    config = configure(**settings).model_dump()
    return Measured(f"{accuracy}", settings_key(config), config, figures | {"test_accuracy": accuracy})


def test_families_share_all_but_one_setting():
    runs = [measured(0.9, batch_size=size, seed=seed) for size in (64, 8) for seed in (1, 2)]
    runs += [
        measured(0.9, batch_size=8, framework="keras"),
        measured(0.9, epochs=9),
        measured(0.9, epochs=9, batch_size=8),
    ]
    runs += [measured(0.9, optimizer="adam", beta_1=0.5, learning_rate=0.5)]

    found = varied_settings(runs)

    assert list(found) == ["batch_size", "epochs"]
    assert [len(family.runs) for family in found["batch_size"]] == [5, 2]
    assert found["batch_size"][0].values == (8, 64)
    assert [family.shared["batch_size"] for family in found["epochs"]] == [8, 64]


def test_settings_that_do_nothing_part_no_family():
    runs = [measured(0.9, batch_size=8, beta_1=0.5), measured(0.9, batch_size=64, beta_1=0.9)]

    assert list(varied_settings(runs)) == ["batch_size"]


def test_effect_is_mean_and_deviation_over_the_seeds_of_each_framework():
    runs = [measured(0.8 + seed / 10, batch_size=8, seed=seed) for seed in (0, 1)]
    runs += [measured(0.7, batch_size=64), measured(0.6, batch_size=64, framework="keras")]
    (family,) = varied_settings(runs)["batch_size"]

    frame = effect_frame(family, "batch_size", "test_accuracy")

    deviation = 0.1 / 2**0.5
    assert frame[["framework", "value", "seeds"]].to_numpy().tolist() == [
        ["PyTorch", 8, 2],
        ["PyTorch", 64, 1],
        ["Keras", 64, 1],
    ]
    assert frame["mean"].tolist() == pytest.approx([0.85, 0.7, 0.6])
    assert frame["low"].tolist() == pytest.approx([0.85 - deviation, 0.7, 0.6])
    assert effect_frame(family, "batch_size", "test_loss").empty
    x = effect_chart(frame, "Batch size", "accuracy", form=".2%").to_dict()["layer"][0]["encoding"]["x"]
    assert (x["scale"]["type"], x["axis"]["values"]) == ("log", [8, 64])


def test_settings_that_are_no_numbers_are_said_in_words():
    (family,) = varied_settings([measured(0.8, schedule="cosine"), measured(0.7)])["schedule"]

    frame = effect_frame(family, "schedule", "test_accuracy")

    assert sorted(frame["words"]) == ["constant schedule", "cosine schedule"]
    x = effect_chart(frame, "Schedule", "accuracy", form=".2%").to_dict()["layer"][0]["encoding"]["x"]
    assert x["type"] == "nominal"


def test_front_is_what_none_beats_in_both():
    points = [(3.0, 0.9), (1.0, 0.5), (2.0, 0.4), (2.0, 0.7), (4.0, 0.9), (1.0, 0.5), (9.0, 0.95)]

    front = pareto_front(points)

    assert front == [1, 3, 0, 6]
    for place, (cost, gain) in enumerate(points):
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        assert beaten != (place in front or points.index((cost, gain)) in front)
    assert pareto_front([]) == []


def test_front_is_marked():
    frame = pareto_frame([("a", "PyTorch", 1.0, 0.5, 3), ("b", "Keras", 2.0, 0.4, 1), ("c", "Keras", 20.0, 0.9, 1)])

    assert frame["front"].tolist() == [True, False, True]
    chart = pareto_chart(frame, "seconds").to_dict()
    assert chart["layer"][2]["encoding"]["x"]["scale"]["type"] == "log"
