"""Augmentation as in Keras's tutorials: its random layers on each batch, in the compiled graph that `fit` makes."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # must be set before the import

import keras
import tensorflow as tf
from keras import layers

from benchmarks.turns import Turns
from core.datasets import load


def augment(
    turns: Turns, *, degrees: float, zoom: float, shift: float, images: int, batch_size: int, repeats: int
) -> None:
    """Augment so many images in batches; a turn is all of them once."""
    keras.utils.set_random_seed(42)
    augmentation = keras.Sequential(
        [
            layers.RandomRotation(degrees / 360, fill_mode="constant"),
            layers.RandomZoom((-zoom, zoom), fill_mode="constant"),
            layers.RandomTranslation(shift, shift, fill_mode="constant"),
        ]
    )
    compiled = tf.function(lambda batch: augmentation(batch, training=True))
    inputs = tf.constant(load("mnist").train.images[:images].astype("float32") / 255)
    batches = [inputs[i : i + batch_size] for i in range(0, images, batch_size)]
    compiled(batches[0])
    compiled(batches[-1])
    for _ in range(repeats):
        with turns.measure():
            for batch in batches:
                compiled(batch)
