"""The description of a run: what it takes, and the sentence for each thing that it does not."""

import math
import re

import pytest
from pydantic import ValidationError

from core.config import (
    CHOICE_TITLES,
    GROUPS,
    LEARNING_RATES,
    OPTIMIZER_FIELDS,
    SCHEDULE_FIELDS,
    RunConfig,
    choices_of,
    configure,
    expected,
    is_used,
    option,
    with_seeds,
)
from core.config.optimizers import OPTIMIZERS
from core.networks.zoo import ARCHITECTURES

BOUNDS = {
    "epochs": ([1, 1000], [0, -1, 1001, 2.5, "many", None, math.inf]),
    "batch_size": ([1, 8192], [0, 8193, "64 images", [64]]),
    "learning_rate": ([1e-9, 10], [0, -0.1, 10.01, math.nan, math.inf, "fast"]),
    "momentum": ([0, 0.999], [1, -0.1, math.nan]),
    "validation_share": ([0.001, 0.5], [0, 0.51, -1, math.nan]),
    "seed": ([0, 2**31 - 1], [-1, 2**31, 0.5]),
    "train_limit": ([20, 60_000, None], [19, 0, "all"]),
    "threads": ([0, 256], [-1, 257]),
    "device": (["auto", "cpu", "mps", "gpu:0", "gpu:11"], ["cuda", "gpu", "gpu:", "gpu:100", "cpu ", "", "CPU", 0]),
    "framework": (["pytorch", "keras"], ["jax", "PyTorch", "", None]),
    "optimizer": (list(OPTIMIZERS), ["lion", "SGD"]),
    "nesterov": ([True, False], ["maybe", None]),
    "beta_1": ([0, 0.9], [1, -0.1]),
    "beta_2": ([0, 0.999], [1, -0.1]),
    "rho": ([None, 0, 0.9], [1, -0.1, "some"]),
    "epsilon": ([None, 1e-8, 1], [0, 1.1]),
    "weight_decay": ([0, 1], [-0.1, 1.1]),
    "clip_norm": ([0, 1000], [-1, 1001, math.nan]),
    "schedule": (["constant", "step", "exponential", "cosine", "one_cycle"], ["linear", None]),
    "decay_factor": ([0.1, 1], [0, 1.1]),
    "decay_epochs": ([0.5, 1000], [0, 1001]),
    "warmup_epochs": ([0, 2.5], [-1, 1001]),
    "label_smoothing": ([0, 0.1], [-0.1, 1]),
    "class_weights": (["none", "balanced"], ["even", None]),
    "ema_decay": ([0, 0.999], [1, -0.1]),
    "validation_every": ([1, 1000], [0, 1001, 1.5]),
    "monitor": (["val_loss", "val_accuracy"], ["loss"]),
    "patience": ([0, 1000], [-1, 1001]),
    "checkpoint_policy": (["best", "last"], ["first"]),
    "normalization": (["unit", "symmetric", "standard"], ["none"]),
    "fine_tuning": (["head", "last", "all"], ["none", 3]),
    "initialisation": (["shared", "he", "framework"], ["random"]),
    "erasing": ([0, 1], [-0.1, 1.1]),
    "initial_weights": ([None, "3f9c0a1b2c3d"], ["", "3f9c", "../../etc/pwd", "3F9C0A1B2C3D", 5]),
    "defaults": (["framework", "aligned"], ["keras", None]),
    "precision": (["float32", "bfloat16", "float64"], ["float16", 32]),
    "rotation": ([0, 180], [-1, 181, math.nan]),
    "zoom": ([0, 0.5], [-0.1, 0.51]),
    "shift_x": ([0, 0.5], [-0.1, 0.51]),
    "shift_y": ([0, 0.5], [-0.1, 0.51]),
    "flip_horizontal": ([True, False], ["maybe", None]),
    "flip_vertical": ([True, False], ["maybe", None]),
    "validation_part": (["stratified", "grouped", "last", "given", "test"], ["first"]),
    "architecture": (list(ARCHITECTURES), [5, None]),
    "dataset": (["mnist"], [5, None]),
}
"""For each field: values it takes, and values it refuses."""

TAKEN = [(name, value) for name, (values, _) in BOUNDS.items() for value in values]
REFUSED = [(name, value) for name, (_, values) in BOUNDS.items() for value in values]


def test_every_field_is_tried():
    assert set(BOUNDS) == set(RunConfig.model_fields)


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_value_is_taken_and_survives_json(name, value):
    config = configure(**{name: value})

    assert getattr(config, name) == value
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"nesterov": True, "momentum": 0},
            "Nesterov momentum (--nesterov): expected a momentum above 0 with it, received 0.",
        ),
        (
            {"warmup_epochs": 5, "epochs": 5},
            "Warm-up epochs (--warmup-epochs): expected fewer than the 5 epochs of the run, received 5.",
        ),
    ],
)
def test_settings_that_do_not_fit_together_have_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        configure(**settings)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_wrong_value_has_its_sentence(name, value):
    title = RunConfig.model_fields[name].title
    sentence = f"{title} ({option(name)}): expected {expected(name)}, received {value!r}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        configure(**{name: value})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("epochs", "a whole number from 1 to 1,000"),
        ("learning_rate", "a number above 0, at most 10"),
        ("momentum", "a number from 0 to below 1"),
        ("validation_share", "a number above 0, at most 0.5"),
        ("seed", "a whole number from 0 to 2,147,483,647"),
        ("train_limit", "a whole number, at least 20"),
        ("device", "auto, cpu, mps or gpu:0, gpu:1, …"),
        ("optimizer", f"one of {', '.join(OPTIMIZERS)}"),
        ("flip_vertical", "true or false"),
        ("dataset", "a name"),
    ],
)
def test_expectation_is_said_in_words(name, words):
    assert expected(name) == words


def test_unknown_setting_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"^Unknown setting 'epoch': expected one of dataset, architecture, "):
        configure(epoch=3)


def test_first_wrong_value_of_several_is_named():
    with pytest.raises(ValueError, match=r"^Epochs \(--epochs\): "):
        configure(epochs=0, batch_size=0)


def test_configuration_cannot_be_changed():
    with pytest.raises(ValidationError):
        configure().epochs = 5


@pytest.mark.parametrize("name", RunConfig.model_fields)
def test_every_field_is_explained(name):
    field = RunConfig.model_fields[name]

    assert field.title
    assert field.description.endswith(".")
    assert option(name) == "--" + name.replace("_", "-")


@pytest.mark.parametrize("name", [name for name in RunConfig.model_fields if choices_of(name)])
def test_every_choice_has_a_title(name):
    assert tuple(CHOICE_TITLES[name]) == choices_of(name)
    assert len(set(CHOICE_TITLES[name].values())) == len(CHOICE_TITLES[name])


def test_every_group_is_in_the_order_of_groups():
    given = {field.json_schema_extra["group"] for field in RunConfig.model_fields.values() if field.json_schema_extra}

    assert given == set(GROUPS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_offered_and_explained(name):
    entry, help_text = OPTIMIZERS[name], RunConfig.model_fields["optimizer"].description

    assert entry.name == name
    assert name in choices_of("optimizer")
    assert entry.description.endswith(".")
    assert f"{entry.title} {entry.description} Its usual rate is {LEARNING_RATES[name]:g}." in help_text
    assert set(OPTIMIZER_FIELDS[name]) <= set(RunConfig.model_fields)
    settings = configure(optimizer=name).model_dump()
    assert all(is_used(setting, settings) for setting in OPTIMIZER_FIELDS[name])


def test_familiar_optimizers_come_first():
    assert choices_of("optimizer")[:5] == ("sgd", "adam", "adamw", "rmsprop", "adadelta")


def test_every_schedule_has_its_fields():
    assert set(SCHEDULE_FIELDS) == set(choices_of("schedule"))


@pytest.mark.parametrize(
    ("name", "used", "unused"),
    [
        ("beta_1", {"optimizer": "adam"}, {"optimizer": "sgd"}),
        ("momentum", {"optimizer": "sgd"}, {"optimizer": "adamw"}),
        ("rho", {"optimizer": "adadelta"}, {"optimizer": "adam"}),
        ("epsilon", {"optimizer": "rmsprop"}, {"optimizer": "sgd"}),
        ("decay_factor", {"schedule": "exponential"}, {"schedule": "cosine"}),
        ("decay_epochs", {"schedule": "step"}, {"schedule": "constant"}),
        ("monitor", {"checkpoint_policy": "last", "patience": 2}, {"checkpoint_policy": "last"}),
        ("validation_share", {"validation_part": "last"}, {"validation_part": "test"}),
        ("validation_share", {"validation_part": "grouped"}, {"validation_part": "given"}),
        ("initialisation", {}, {"initial_weights": "3f9c0a1b2c3d"}),
        ("threads", {}, {"device": "gpu:0"}),
    ],
)
def test_setting_is_used_only_beside_what_needs_it(name, used, unused):
    assert is_used(name, configure(**used).model_dump())
    assert not is_used(name, configure(**unused).model_dump())


def test_seeds_follow_one_another_and_nothing_else_differs():
    config = configure(seed=7, epochs=2)

    assert with_seeds(config, 3) == [configure(seed=seed, epochs=2) for seed in (7, 8, 9)]


@pytest.mark.parametrize("count", [0, 21, -1, None])
def test_a_wrong_number_of_seeds_has_its_sentence(count):
    sentence = rf"^Seeds \(--seeds\): expected a whole number from 1 to 20, received {count}\.$"
    with pytest.raises(ValueError, match=sentence):
        with_seeds(configure(), count)


def test_seeds_end_where_the_seed_does():
    with pytest.raises(ValueError, match=r"^Seed \(--seed\): expected .* received 2147483648\.$"):
        with_seeds(configure(seed=2**31 - 1), 2)


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_recommended_learning_rate_is_allowed(optimizer):
    assert configure(optimizer=optimizer, learning_rate=LEARNING_RATES[optimizer]).optimizer == optimizer
