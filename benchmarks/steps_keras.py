"""A training step in Keras with each choice that the engine has made left open, for `benchmarks.choices`."""

import os
import time
from typing import Literal

# As in core.engines.keras; must be set before the import.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from benchmarks.turns import Turns
from core.datasets import load
from core.networks.layers import Layer, named, pool_before_relu
from core.networks.zoo import ARCHITECTURES


def steps(
    turns: Turns,
    *,
    network: str,
    batch_size: int,
    steps: int,
    repeats: int,
    threads: int,
    pool_first: bool = True,
    whole_chunk: bool = False,
    held: Literal["uint8", "float32"] = "uint8",
    loop: Literal["graph", "python"] = "graph",
    parallel_iterations: int = 10,
    between_threads: int = 1,
    update: Literal["keras", "raw"] = "keras",
    precision: Literal["float32", "mixed_bfloat16"] = "float32",
    xla: bool = False,
) -> None:
    """Train so many steps a turn; it reports the `seconds` and the processor seconds, `cpu`, of all threads."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(between_threads)
    keras.utils.set_random_seed(42)
    keras.config.set_dtype_policy(precision)
    train = load("mnist").train
    images = tf.constant(train.images, tf.uint8)
    if held == "float32":
        images = tf.cast(images, tf.float32) / 255
    labels = tf.constant(train.labels)
    model = _network(network, pool_first)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    momenta = [tf.Variable(tf.zeros_like(variable.value)) for variable in model.trainable_variables]

    def scaled(chosen: tf.Tensor) -> tf.Tensor:
        return chosen if held == "float32" else tf.cast(chosen, tf.float32) * (1 / 255)

    def step(pixels: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(pixels, training=True), tf.float32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(answers, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        if update == "keras":
            optimizer.apply(gradients, model.trainable_variables)
        else:
            for variable, momentum, gradient in zip(model.trainable_variables, momenta, gradients, strict=True):
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=variable.value.handle, accum=momentum.handle, lr=0.01, grad=gradient, momentum=0.9
                )
        return loss, tf.math.count_nonzero(tf.argmax(logits, axis=1) == answers)

    def graph(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss_sum, correct = tf.constant(0.0), tf.constant(0, tf.int64)
        if whole_chunk:
            chunk_images, chunk_labels = scaled(tf.gather(images, indices)), tf.gather(labels, indices)
        for i in tf.range(tf.shape(indices)[0]):
            tf.autograph.experimental.set_loop_options(parallel_iterations=parallel_iterations)
            if whole_chunk:
                loss, right = step(chunk_images[i], chunk_labels[i])
            else:
                loss, right = step(scaled(tf.gather(images, indices[i])), tf.gather(labels, indices[i]))
            loss_sum, correct = loss_sum + loss, correct + right
        return loss_sum, correct

    looped = tf.function(graph, jit_compile=xla, input_signature=[tf.TensorSpec([None, batch_size], tf.int64)])
    single = tf.function(lambda batch: step(scaled(tf.gather(images, batch)), tf.gather(labels, batch)))

    def chunk() -> None:
        indices = np.random.default_rng(42).integers(len(train.labels), size=(steps, batch_size))
        if loop == "graph":
            looped(indices)[0].numpy()
        else:
            [single(tf.constant(batch)) for batch in indices][-1][0].numpy()

    chunk()
    for _ in range(repeats):
        with turns.measure() as figures:
            began = time.process_time()
            chunk()
            figures["cpu"] = time.process_time() - began


def _network(name: str, pool_first: bool) -> keras.Model:
    layers = list(named(ARCHITECTURES[name].for_classes(10).layers))
    chain = [_build(layer) for _, layer in (pool_before_relu(layers) if pool_first else layers)]
    return keras.Sequential([keras.Input((28, 28, 1)), *chain])


def _build(layer: Layer) -> keras.layers.Layer:
    match layer.kind:
        case "convolution":
            return keras.layers.Conv2D(layer.filters, layer.kernel, layer.stride, padding=layer.padding)
        case "batch_norm":
            return keras.layers.BatchNormalization()
        case "max_pool":
            return keras.layers.MaxPooling2D(layer.size, layer.stride, padding=layer.padding)
        case "flatten":
            return keras.layers.Flatten()
        case "dense":
            return keras.layers.Dense(layer.units)
        case "activation":
            return keras.layers.ReLU()
    raise ValueError(f"Expected a layer of the networks that are measured, received {layer.kind!r}.")
