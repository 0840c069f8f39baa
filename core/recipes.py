"""Published experiments, and presets of our own, as named settings with the figures they reported.

    recipe = RECIPES["cnn-64-32-32"]
    config = configure(**recipe.settings)

A new recipe is one entry in `RECIPES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Settings of a run, where they come from, and what was `reported` for them, by figure."""

    name: str
    description: str
    settings: Mapping[str, Any]
    source: str
    reported: Mapping[str, float] = field(default_factory=dict)
    assumed: str = ""


_WRITE_UP_001 = {
    "dataset": "mnist",
    "framework": "tensorflow",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "batch_size": 64,
    "epochs": 15,
    "validation_share": 0.1,
    "validation_part": "last",
    "normalization": "unit",
    "initialisation": "framework",
    "seed": 42,
}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="quick",
            description="The quickest sensible network: one pass over MNIST.",
            settings={
                "dataset": "mnist",
                "architecture": "cnn-quick",
                "optimizer": "adam",
                "learning_rate": 0.002,
                "batch_size": 64,
                "epochs": 1,
            },
            source="Duet's own",
        ),
        Recipe(
            name="ann-100",
            description="One dense layer of 100 units, trained as in write-up 001.",
            settings={**_WRITE_UP_001, "architecture": "ann-100"},
            source="Write-up 001, Keras on MNIST",
            reported={"val_accuracy": 0.9783, "test_accuracy": 0.9758, "test_loss": 0.0800},
        ),
        Recipe(
            name="cnn-64-32-32",
            description="Three convolutions with pooling, trained as in write-up 001.",
            settings={**_WRITE_UP_001, "architecture": "cnn-64-32-32"},
            source="Write-up 001, Keras on MNIST",
            reported={"val_accuracy": 0.9907, "test_accuracy": 0.9896, "test_loss": 0.0412},
        ),
    )
}


def get_recipe(name: str) -> Recipe:
    """Return the recipe called `name`.

    Raises:
        ValueError: if there is none; the message lists those there are.
    """
    if name not in RECIPES:
        raise ValueError(f"Recipe (--recipe): expected one of {', '.join(RECIPES)}, received {name!r}.")
    return RECIPES[name]
