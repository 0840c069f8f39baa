"""Recipes: each can be run as it is written, in both frameworks."""

import json
from typing import get_args

import numpy as np
import pytest

from core.cli.recipes import main
from core.config import Framework, configure
from core.engines import get_engine
from core.engines.initialisation import initial_weights
from core.engines.normalization import scaling_of
from core.networks.registry import get_architecture
from core.recipes import RECIPES, SIGN_LANGUAGE, Reported, describe, get_recipe
from core.training.schedules import learning_rates
from tests.sample_networks import draw_data

CLASSES = {"mnist": 10, SIGN_LANGUAGE: 24}

WRITE_UPS = {
    "000": ["pytorch-cnn", "keras-dense", "keras-cnn"],
    "001": ["ann-100", "cnn-64-32-32"],
    "002": ["cnn-32-64-dropout"],
    "003": ["cnn-32-64-64"],
    "004": ["mlp-512-512", "asl-mlp-512-512", "asl-cnn-75-50-25", "asl-cnn-augmented"],
}


@pytest.mark.parametrize("name", RECIPES)
class TestEveryRecipe:
    def test_is_found_by_its_name_and_explained(self, name):
        recipe = get_recipe(name)

        assert recipe.name == name
        assert recipe.description.endswith(".")
        assert recipe.source

    def test_says_what_its_result_depends_on(self, name):
        config = configure(**RECIPES[name].settings)

        assert config.dataset in CLASSES
        assert {"dataset", "architecture", "optimizer", "learning_rate", "batch_size", "epochs"} <= set(
            RECIPES[name].settings
        ), "a new default must not change a recipe"

    def test_reports_figures_that_a_run_measures(self, name):
        recipe = RECIPES[name]
        assert bool(recipe.reported) == (recipe.source != "Duet's own")
        for reported in recipe.reported:
            assert 0 < reported.value < 1
            if reported.epoch:
                assert reported.epoch <= recipe.settings["epochs"]
                assert reported.figure.startswith("val_") or recipe.settings["validation_part"] == "test", (
                    "only the validation images are looked at after each epoch"
                )

    @pytest.mark.slow
    @pytest.mark.parametrize("framework", get_args(Framework))
    def test_learns_in_either_framework(self, name, framework):
        config = configure(**{**RECIPES[name].settings, "framework": framework})
        architecture, classes = get_architecture(config.architecture), CLASSES[config.dataset]
        images, labels = draw_data((28, 28, 1), classes, 64)
        scaling = scaling_of(config, images, np.arange(64))
        engine = get_engine(framework).Engine(config, architecture, (28, 28, 1), classes, scaling)
        if config.initialisation == "shared":
            engine.load_weights(initial_weights(architecture, (28, 28, 1), classes, config.seed))
        engine.load_data(images, labels)
        before = engine.weights()

        rates = learning_rates(config, 100)[:8]  # a schedule begins carefully
        losses = engine.train(np.tile(np.arange(64), (8, 1)), rates).losses

        assert np.isfinite(losses).all()
        assert losses[-1] < losses[0]
        assert all(np.any(values != before[key]) for key, values in engine.weights().items() if "kernel" in key)


def test_every_published_experiment_is_there():
    for write_up, experiments in WRITE_UPS.items():
        for name in experiments:
            assert RECIPES[name].source.startswith(f"Write-up {write_up}, ")


@pytest.mark.parametrize(("name", "test_accuracy"), [("ann-100", 0.9758), ("cnn-64-32-32", 0.9896)])
def test_write_up_001_is_as_published(name, test_accuracy):
    recipe, config = RECIPES[name], configure(**RECIPES[name].settings)

    assert (config.framework, config.architecture, config.dataset) == ("keras", name, "mnist")
    assert (config.optimizer, config.learning_rate, config.momentum) == ("sgd", 0.01, 0.9)
    assert (config.batch_size, config.epochs, config.seed, config.normalization) == (64, 15, 42, "unit")
    assert (config.validation_share, config.validation_part, config.initialisation) == (0.1, "last", "framework")
    assert Reported("test_accuracy", test_accuracy) in recipe.reported


@pytest.mark.parametrize(
    ("name", "optimizer", "batch_size", "figures"),
    [
        ("cnn-32-64-dropout", "adam", 32, {("test_accuracy", 0.9913, 5)}),
        ("cnn-32-64-64", "rmsprop", 200, {("test_accuracy", 0.9927, 10), ("test_loss", 0.03166, 10)}),
        ("mlp-512-512", "sgd", 32, {("test_accuracy", 0.951, 5), ("test_accuracy", 0.971, 10)}),
        ("asl-mlp-512-512", "sgd", 4, {("test_accuracy", 0.4052, None)}),
        ("asl-mlp-512-512-batch-32", "sgd", 32, {("test_accuracy", 0.25, None)}),
        ("asl-mlp-512-512-keras", "sgd", 1, {("test_accuracy", 0.8480, None)}),
        ("asl-cnn-75-50-25", "sgd", 32, {("test_accuracy", 0.9632, None)}),
        ("asl-cnn-augmented", "sgd", 32, {("test_accuracy", 0.78, None)}),
    ],
)
def test_other_write_ups_are_as_published(name, optimizer, batch_size, figures):
    config = configure(**RECIPES[name].settings)

    assert (config.optimizer, config.batch_size) == (optimizer, batch_size)
    assert config.validation_part == "test"
    assert {tuple(reported) for reported in RECIPES[name].reported} == figures


def test_only_one_published_recipe_augments():
    augmented = {name for name, recipe in RECIPES.items() if "rotation" in recipe.settings and recipe.reported}

    assert augmented == {"asl-cnn-augmented"}
    assert configure(**RECIPES["asl-cnn-augmented"].settings).flip_horizontal


def test_they_are_listed_with_what_they_reported(capsys):
    main([])

    listed = capsys.readouterr().out
    assert all(f"{name}: {recipe.description}" in listed for name, recipe in RECIPES.items())
    assert "test accuracy 0.9510 after 5 epochs, test accuracy 0.9710 after 10 epochs" in listed


def test_they_are_listed_as_json(capsys):
    main(["--json"])

    listed = {recipe["name"]: recipe for recipe in json.loads(capsys.readouterr().out)}
    assert list(listed) == list(RECIPES)
    assert listed["ann-100"]["settings"]["batch_size"] == 64
    assert listed["ann-100"]["reported"][0] == ["test_accuracy", 0.9758, None]


def test_figure_is_put_in_words():
    assert describe(Reported("val_accuracy", 0.5)) == "validation accuracy 0.5000"


def test_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"^Recipe \(--recipe\): expected one of .*, received 'slow'\.$") as error:
        get_recipe("slow")
    assert all(name in str(error.value) for name in RECIPES)
