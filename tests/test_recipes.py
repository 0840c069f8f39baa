"""Recipes: each can be run as it is written, in both frameworks."""

from typing import get_args

import numpy as np
import pytest

from core import datasets
from core.architectures import get_architecture
from core.backends import get_backend
from core.config import Framework, configure
from core.initialisation import draw
from core.recipes import RECIPES, get_recipe
from core.training import count_steps

FIGURES = {"val_accuracy", "val_loss", "test_accuracy", "test_loss"}


@pytest.mark.parametrize("name", RECIPES)
class TestEveryRecipe:
    def test_is_found_by_its_name_and_explained(self, name):
        recipe = get_recipe(name)

        assert recipe.name == name
        assert recipe.description.endswith(".")
        assert recipe.source

    def test_is_a_run_of_a_data_set_there_is(self, name):
        config = configure(**RECIPES[name].settings)

        assert count_steps(config, datasets.load(config.dataset)) >= 1
        assert {"dataset", "architecture", "optimizer", "learning_rate", "batch_size", "epochs"} <= set(
            RECIPES[name].settings
        ), "what a result depends on is said, so that a new default does not change a recipe"

    def test_reports_figures_that_a_run_measures(self, name):
        for figure, value in RECIPES[name].reported.items():
            assert figure in FIGURES
            assert 0 < value < 1

    @pytest.mark.parametrize("framework", get_args(Framework))
    def test_learns_in_either_framework(self, name, framework):
        config = configure(**{**RECIPES[name].settings, "framework": framework})
        dataset = datasets.load(config.dataset)
        architecture, classes = get_architecture(config.architecture), len(dataset.class_names)
        engine = get_backend(framework).Engine(config, architecture, dataset.image_shape, classes)
        if config.initialisation == "shared":
            engine.load_weights(draw(architecture, dataset.image_shape, classes, config.seed))
        engine.load_data(dataset.train.images[:64], dataset.train.labels[:64])
        before = engine.weights()

        losses = [engine.train(np.arange(64)[np.newaxis])[0] / 64 for _ in range(8)]

        assert np.isfinite(losses).all()
        assert losses[-1] < losses[0]
        assert all(np.any(values != before[key]) for key, values in engine.weights().items() if "kernel" in key)


@pytest.mark.parametrize(("name", "test_accuracy"), [("ann-100", 0.9758), ("cnn-64-32-32", 0.9896)])
def test_write_up_001_is_as_published(name, test_accuracy):
    recipe, config = RECIPES[name], configure(**RECIPES[name].settings)

    assert (config.framework, config.architecture, config.dataset) == ("tensorflow", name, "mnist")
    assert (config.optimizer, config.learning_rate, config.momentum) == ("sgd", 0.01, 0.9)
    assert (config.batch_size, config.epochs, config.seed, config.normalization) == (64, 15, 42, "unit")
    assert (config.validation_share, config.validation_part, config.initialisation) == (0.1, "last", "framework")
    assert recipe.reported["test_accuracy"] == test_accuracy


def test_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"^Recipe \(--recipe\): expected one of .*, received 'slow'\.$") as error:
        get_recipe("slow")
    assert all(name in str(error.value) for name in RECIPES)
