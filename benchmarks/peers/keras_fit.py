"""Keras as in its tutorials: arrays of float32 from 0 to 1, `compile` and `fit`."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # must be set before the import

import keras
from keras import layers

from benchmarks.turns import Turns
from core.datasets import load


def ann_100() -> keras.Model:
    """Return the network `ann-100`."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def cnn_64_32_32() -> keras.Model:
    """Return the network `cnn-64-32-32`."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(padding="same"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(padding="same"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(padding="same"),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


NETWORKS = {"ann-100": ann_100, "cnn-64-32-32": cnn_64_32_32}


def epochs(turns: Turns, *, architecture: str, images: int | None, repeats: int) -> None:
    """Train on so many of the images, or all, after one epoch to warm up; a turn is one epoch."""
    keras.utils.set_random_seed(42)
    train = load("mnist").train
    inputs = train.images[:images].astype("float32") / 255
    labels = train.labels[:images]
    model = NETWORKS[architecture]()
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(inputs, labels, batch_size=64, epochs=1 + repeats, verbose=0, callbacks=[_Epochs(turns)])


class _Epochs(keras.callbacks.Callback):
    """Makes every epoch but the first a turn."""

    def __init__(self, turns: Turns):
        super().__init__()
        self._turns = turns

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self._turns.begin()

    def on_epoch_end(self, epoch, logs=None):
        if epoch:
            self._turns.end()
