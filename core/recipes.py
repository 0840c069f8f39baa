"""Published experiments, and presets of our own, as named settings with the figures they reported.

    recipe = RECIPES["cnn-64-32-32"]
    config = configure(**recipe.settings)

On the command line `python -m core recipes [--json]` lists them; `core.studies.replication` puts what they
reported beside what is measured here. A new recipe is one entry in `RECIPES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from core.system.text import quoted

SIGN_LANGUAGE = "sign-language-mnist"
"""The name that Kaggle's Sign Language MNIST gets when it is imported."""


class Reported(NamedTuple):
    """A figure of a publication, named as in the results of a run.

    With `epoch` it is the one on the validation images after so many epochs, whichever epoch is kept.
    """

    figure: Literal["val_accuracy", "val_loss", "test_accuracy", "test_loss"]
    value: float
    epoch: int | None = None


@dataclass(frozen=True)
class Recipe:
    """Settings of a run, where they come from, what was `assumed` where that is silent, and what it reported."""

    name: str
    description: str
    settings: Mapping[str, Any]
    source: str
    reported: tuple[Reported, ...] = ()
    assumed: str = ""


_UNTUNED = {"normalization": "unit", "initialisation": "framework", "seed": 42}

# Aligned, as Keras would otherwise decay weights by another rule. Few images validate, since nothing is chosen by them.
_FAST = {
    "dataset": "mnist",
    "architecture": "cnn-fast",
    "optimizer": "sgd",
    "momentum": 0.9,
    "nesterov": True,
    "learning_rate": 0.2,
    "schedule": "one_cycle",
    "weight_decay": 5e-4,
    "label_smoothing": 0.1,
    "batch_size": 128,
    "normalization": "standard",
    "defaults": "aligned",
    "validation_share": 0.02,
    "checkpoint_policy": "last",
}

_WRITE_UP_000 = {
    **_UNTUNED,
    "dataset": "mnist",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "batch_size": 128,
    "validation_part": "test",
}

_WRITE_UP_001 = {
    **_UNTUNED,
    "dataset": "mnist",
    "framework": "keras",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "batch_size": 64,
    "epochs": 15,
    "validation_share": 0.1,
    "validation_part": "last",
}

_WRITE_UP_004 = {
    **_UNTUNED,
    "framework": "pytorch",
    "optimizer": "sgd",
    "learning_rate": 0.001,
    "momentum": 0.9,
    "batch_size": 32,
    "validation_part": "test",
    "normalization": "symmetric",
}

_SIGNS = {**_WRITE_UP_004, "dataset": SIGN_LANGUAGE, "epochs": 20}

_KEPT = (
    "The weights of the epoch with the lowest validation loss are tested; the write-up tests those of the last epoch."
)
_SEED = "The seed, which is not given, is 42."
_TEST_VALIDATES = "All training images are learnt from, and the test images are looked at after each epoch."
_BETWEEN = (
    "A relu follows each batch norm, dropout follows the relu, and batch norm has PyTorch's defaults. "
    "Nothing is padded, as the 100 flattened values tell."
)

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
            name="fast-99",
            description="The quickest to read 99% of the test images: one pass over MNIST.",
            settings={**_FAST, "epochs": 1, "warmup_epochs": 0.25},
            source="Duet's own",
        ),
        Recipe(
            name="fast-99.5",
            description="The quickest to read 99.5%: six passes over images that are moved about.",
            settings={
                **_FAST,
                "rotation": 10,
                "zoom": 0.1,
                "shift_x": 0.07,
                "shift_y": 0.07,
                "architecture": "cnn-balanced",
                "label_smoothing": 0.0,
                "epochs": 6,
                "warmup_epochs": 1.5,
            },
            source="Duet's own",
        ),
        Recipe(
            name="best",
            description="For accuracy: five convolutions, sixteen passes over images moved about, averaged weights.",
            settings={
                **_FAST,
                "rotation": 15,
                "zoom": 0.15,
                "shift_x": 0.1,
                "shift_y": 0.1,
                "architecture": "cnn-accurate",
                "learning_rate": 0.15,
                "label_smoothing": 0.0,
                "ema_decay": 0.998,
                "epochs": 16,
                "warmup_epochs": 4,
            },
            source="Duet's own",
        ),
        Recipe(
            name="pytorch-cnn",
            description="A small convolutional network in PyTorch, as compared with Keras in write-up 000.",
            settings={**_WRITE_UP_000, "framework": "pytorch", "architecture": "lenet-5", "epochs": 4},
            source="Write-up 000, PyTorch on MNIST",
            reported=(Reported("test_accuracy", 0.975, epoch=4),),
            assumed="Only the 4 epochs are given. LeNet-5 stands for the small network, the same as in keras-cnn; "
            f"Adam at its default rate, batches of 128. {_TEST_VALIDATES} {_SEED}",
        ),
        Recipe(
            name="keras-dense",
            description="A dense network in Keras, from write-up 000.",
            settings={**_WRITE_UP_000, "framework": "keras", "architecture": "mlp-512-512", "epochs": 5},
            source="Write-up 000, Keras on MNIST",
            reported=(Reported("test_accuracy", 0.979, epoch=5),),
            assumed="Neither layers nor training are given. The dense network of write-up 004, Adam at its default "
            f"rate, batches of 128, 5 epochs. {_TEST_VALIDATES} {_SEED}",
        ),
        Recipe(
            name="keras-cnn",
            description="A small convolutional network in Keras, as compared with PyTorch in write-up 000.",
            settings={**_WRITE_UP_000, "framework": "keras", "architecture": "lenet-5", "epochs": 4},
            source="Write-up 000, Keras on MNIST",
            reported=(Reported("test_accuracy", 0.9869, epoch=4),),
            assumed="Neither layers nor training are given. LeNet-5 stands for the small network, the same as in "
            f"pytorch-cnn; Adam at its default rate, batches of 128, 4 epochs. {_TEST_VALIDATES} {_SEED}",
        ),
        Recipe(
            name="ann-100",
            description="One dense layer of 100 units, trained as in write-up 001.",
            settings={**_WRITE_UP_001, "architecture": "ann-100"},
            source="Write-up 001, Keras on MNIST",
            reported=(
                Reported("test_accuracy", 0.9758),
                Reported("test_loss", 0.0800),
                Reported("val_accuracy", 0.9783),
            ),
            assumed=_KEPT,
        ),
        Recipe(
            name="cnn-64-32-32",
            description="Three convolutions with pooling, trained as in write-up 001.",
            settings={**_WRITE_UP_001, "architecture": "cnn-64-32-32"},
            source="Write-up 001, Keras on MNIST",
            reported=(
                Reported("test_accuracy", 0.9896),
                Reported("test_loss", 0.0412),
                Reported("val_accuracy", 0.9907),
            ),
            assumed=_KEPT,
        ),
        Recipe(
            name="cnn-32-64-dropout",
            description="Two convolutions, dropout and a large dense layer, trained as in write-up 002.",
            settings={
                **_UNTUNED,
                "dataset": "mnist",
                "architecture": "cnn-32-64-dropout",
                "framework": "keras",
                "optimizer": "adam",
                "learning_rate": 0.001,
                "batch_size": 32,
                "epochs": 5,
                "validation_part": "test",
            },
            source="Write-up 002, Keras on MNIST",
            reported=(Reported("test_accuracy", 0.9913, epoch=5),),
            assumed=f"Adam has Keras's default rate. {_TEST_VALIDATES} {_SEED}",
        ),
        Recipe(
            name="cnn-32-64-64",
            description="Three convolutions and two dense layers, trained as in write-up 003.",
            settings={
                **_UNTUNED,
                "dataset": "mnist",
                "architecture": "cnn-32-64-64",
                "framework": "keras",
                "optimizer": "rmsprop",
                "learning_rate": 0.001,
                "batch_size": 200,
                "epochs": 10,
                "validation_part": "test",
            },
            source="Write-up 003, Keras on MNIST",
            reported=(Reported("test_accuracy", 0.9927, epoch=10), Reported("test_loss", 0.03166, epoch=10)),
            assumed=f"{_TEST_VALIDATES} {_SEED}",
        ),
        Recipe(
            name="mlp-512-512",
            description="Two dense layers of 512 units, trained as in write-up 004.",
            settings={**_WRITE_UP_004, "dataset": "mnist", "architecture": "mlp-512-512", "epochs": 10},
            source="Write-up 004, PyTorch on MNIST",
            reported=(
                Reported("test_accuracy", 0.951, epoch=5),
                Reported("test_accuracy", 0.971, epoch=10),
            ),
            assumed=f"One training gives both figures. {_SEED}",
        ),
        Recipe(
            name="asl-mlp-512-512",
            description="The dense network on signs, with a softmax before the loss, trained as in write-up 004.",
            settings={**_SIGNS, "architecture": "asl-mlp-512-512", "batch_size": 4},
            source="Write-up 004, PyTorch on Sign Language MNIST",
            reported=(Reported("test_accuracy", 0.4052),),
            assumed=_SEED,
        ),
        Recipe(
            name="asl-mlp-512-512-batch-32",
            description="As asl-mlp-512-512, in batches of 32.",
            settings={**_SIGNS, "architecture": "asl-mlp-512-512"},
            source="Write-up 004, PyTorch on Sign Language MNIST",
            reported=(Reported("test_accuracy", 0.25),),
            assumed=_SEED,
        ),
        Recipe(
            name="asl-mlp-512-512-keras",
            description="The dense network on signs in Keras, to which write-up 004 compared its own.",
            settings={**_SIGNS, "framework": "keras", "architecture": "mlp-512-512", "batch_size": 1},
            source="Write-up 004, Keras on Sign Language MNIST",
            reported=(Reported("test_accuracy", 0.8480),),
            assumed="Only the batch of one image is given; the rest is as in asl-mlp-512-512. Keras takes a loss from "
            f"probabilities as such, so its softmax counts once: the network is mlp-512-512 here. {_SEED}",
        ),
        Recipe(
            name="asl-cnn-75-50-25",
            description="Three convolutions with batch norm on signs, trained as in write-up 004.",
            settings={**_SIGNS, "architecture": "asl-cnn-75-50-25"},
            source="Write-up 004, PyTorch on Sign Language MNIST",
            reported=(Reported("test_accuracy", 0.9632),),
            assumed=f"{_BETWEEN} {_SEED}",
        ),
        Recipe(
            name="asl-cnn-augmented",
            description="As asl-cnn-75-50-25, on images that are turned, zoomed, shifted and mirrored at random.",
            settings={
                **_SIGNS,
                "architecture": "asl-cnn-75-50-25",
                "rotation": 10,
                "zoom": 0.1,
                "shift_x": 0.1,
                "shift_y": 0.1,
                "flip_horizontal": True,
            },
            source="Write-up 004, PyTorch on Sign Language MNIST",
            reported=(Reported("test_accuracy", 0.78),),
            assumed=f"Zoom and shifts, whose size is not given, go up to 10%. {_BETWEEN} {_SEED}",
        ),
    )
}


def get_recipe(name: str) -> Recipe:
    """Return the recipe called `name`.

    Raises:
        ValueError: if there is none; the message lists those there are.
    """
    if name not in RECIPES:
        raise ValueError(f"Recipe (--recipe): expected one of {', '.join(RECIPES)}, received {quoted(name)}.")
    return RECIPES[name]


def describe(reported: Reported) -> str:
    """Return a figure in words, such as "test accuracy 0.9510 after 5 epochs"."""
    after = f" after {reported.epoch} epochs" if reported.epoch else ""
    return f"{reported.figure.replace('_', ' ').replace('val ', 'validation ')} {reported.value:.4f}{after}"
