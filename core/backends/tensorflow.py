"""Keras's engine on TensorFlow: the verbs of `core.backends` on a Keras model.

The steps of a chunk are one loop inside one `tf.function`, with the data set as a tensor on the
device; a call from Python a chunk is all that is paid. XLA stays off: on a CPU it is slower.
"""

import os
from collections.abc import Iterable

# Both must be set before the import. Start-up notes are not news; this engine is Keras on TensorFlow,
# whichever backend the user's own programs choose.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from core.architectures import Architecture, Layer, Shape, named, pool_before_relu, summarise
from core.backends import available_cores
from core.config import RunConfig

# What a user's keras.json says must not change what a run computes; the precision is set by each engine.
keras.config.set_image_data_format("channels_last")

# Each engine is traced once; TensorFlow takes several in one process for one that is traced again and again.
tf.get_logger().setLevel("ERROR")

_PREDICT_BATCH = 1000

# Canonical name → Keras's name; the canonical arrays have Keras's order of axes.
_WEIGHTS = {
    "convolution": {"kernel": "kernel", "bias": "bias"},
    "dense": {"kernel": "kernel", "bias": "bias"},
    "batch_norm": {
        "gamma": "gamma",
        "beta": "beta",
        "moving_mean": "moving_mean",
        "moving_variance": "moving_variance",
    },
}


def devices() -> list[dict[str, str]]:
    """Return the name and a description of each device that TensorFlow can use here."""
    found = [{"name": "cpu", "title": f"CPU, {available_cores()} cores"}]
    for i, device in enumerate(tf.config.list_physical_devices("GPU")):
        title = tf.config.experimental.get_device_details(device).get("device_name", "GPU")
        found.append({"name": f"gpu:{i}", "title": title})
    return found


def versions() -> dict[str, str]:
    """Return the versions that a run records."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__}


def augment(images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Return uint8 images `(N, H, W, C)` as training sees them: float32, of the same range."""
    _set_threads(available_cores())
    return _warp(tf.cast(images, tf.float32), tf.constant(transforms)).numpy()


class Engine:
    """A network, its optimizer and its data on one device."""

    def __init__(self, config: RunConfig, architecture: Architecture, input_shape: Shape, classes: int):
        _set_threads(config.threads or available_cores())
        keras.utils.set_random_seed(config.seed)
        self._device = _device(config.device)
        self._dtype = _set_precision(config)
        self._scale, self._offset = {"unit": (1 / 255, 0.0), "symmetric": (2 / 255, -1.0)}[config.normalization]
        with tf.device(self._device):
            rows = summarise(architecture, input_shape, classes)
            # Keras allows no slash in a name.
            self._layers = {row.name: _build(row.layer, row.name.replace("/", "."), config) for row in rows}
            inputs = keras.Input(input_shape)
            self._model = keras.Model(inputs, self._chain(inputs, named(architecture.for_classes(classes).layers)))
            self._kinds = {row.name: row.layer.kind for row in rows if row.layer.kind in _WEIGHTS}
            self._optimizer = _optimizer(config)
            self._optimizer.build(self._model.trainable_variables)
        self._predict = tf.function(
            lambda images: self._model(self._normalise(images), training=False),
            input_signature=[tf.TensorSpec([None, *input_shape], tf.uint8)],
        )

    def load_data(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Put the images and labels to train on onto the device."""
        with tf.device(self._device):
            self._images = tf.constant(images)
            self._labels = tf.constant(labels)
        # A graph keeps the tensors that it was traced with, so new data need a new one.
        indices, transforms = tf.TensorSpec([None, None], tf.int64), tf.TensorSpec([None, None, 2, 3], tf.float32)
        self._train = tf.function(self._steps, input_signature=[indices])
        self._train_augmented = tf.function(self._steps, input_signature=[indices, transforms])
        self._gradients = tf.function(self._differentiate, input_signature=[tf.TensorSpec([None], tf.int64)])

    def train(self, indices: np.ndarray, transforms: np.ndarray | None = None) -> tuple[float, int]:
        """Take one step a row of `indices`; return the sum of the losses and the number read correctly.

        With `transforms`, float32 `(steps, batch, 2, 3)`, each image is changed by its own first.
        """
        with tf.device(self._device):
            if transforms is None:
                loss_sum, correct = self._train(indices)
            else:
                loss_sum, correct = self._train_augmented(indices, transforms)
        return float(loss_sum), int(correct)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of uint8 images."""
        with tf.device(self._device):
            batches = (images[i : i + _PREDICT_BATCH] for i in range(0, len(images), _PREDICT_BATCH))
            return np.concatenate([self._predict(batch).numpy() for batch in batches])

    def gradients(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradients of the loss on a batch of indices, in the canonical layout; all weights stay."""
        before = self.weights()
        with tf.device(self._device):
            found, *_ = self._gradients(batch)
        by_variable = {
            id(variable): gradient for variable, gradient in zip(self._model.trainable_variables, found, strict=True)
        }
        gradients = {
            key: by_variable[id(variable)].numpy() for key, variable in self._variables() if variable.trainable
        }
        self.load_weights(before)  # a batch norm's averages have moved
        return gradients

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of all weights in the canonical layout."""
        return {key: variable.numpy() for key, variable in self._variables()}

    def load_weights(self, weights: dict[str, np.ndarray]) -> None:
        """Take all weights from canonical arrays."""
        for key, variable in self._variables():
            variable.assign(weights[key])

    def _steps(self, indices: tf.Tensor, transforms: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        loss_sum, correct = tf.constant(0, self._dtype), tf.constant(0, tf.int64)
        for step in tf.range(tf.shape(indices)[0]):
            batch = indices[step]
            warp = None if transforms is None else transforms[step]
            gradients, loss, logits, labels = self._differentiate(batch, warp)
            self._optimizer.apply(gradients, self._model.trainable_variables)
            loss_sum += loss * tf.cast(tf.size(batch), self._dtype)
            correct += tf.math.count_nonzero(tf.argmax(logits, axis=1) == labels)
        return loss_sum, correct

    def _differentiate(
        self, batch: tf.Tensor, transforms: tf.Tensor | None = None
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the gradients of the mean loss of a batch, the loss itself, its logits and its labels."""
        labels = tf.gather(self._labels, batch)
        with tf.GradientTape() as tape:
            logits = self._model(self._normalise(tf.gather(self._images, batch), transforms), training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        return tape.gradient(loss, self._model.trainable_variables), loss, logits, labels

    def _chain(self, values: keras.KerasTensor, layers: Iterable[tuple[str, Layer]]) -> keras.KerasTensor:
        for name, layer in pool_before_relu(layers):
            if layer.kind == "residual":
                values = self._layers[name]([values, self._chain(values, named(layer.layers, f"{name}/"))])
            else:
                values = self._layers[name](values)
        return values

    def _normalise(self, images: tf.Tensor, transforms: tf.Tensor | None = None) -> tf.Tensor:
        pixels = tf.cast(images, tf.float32)
        if transforms is not None:
            pixels = _warp(pixels, transforms)
        return tf.cast(pixels, self._dtype) * self._scale + self._offset

    def _variables(self):
        for name, kind in self._kinds.items():
            for key, attribute in _WEIGHTS[kind].items():
                yield f"{name}/{key}", getattr(self._layers[name], attribute)


def _warp(images: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    """Look each pixel of channels-last images up where its image's transform says, bilinear, black outside."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.pad(tf.reshape(transforms, [-1, 6]), [[0, 0], [0, 2]]),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


class _AlignedBatchNorm(keras.layers.BatchNormalization):
    """Averages the unbiased variance, as PyTorch and Ioffe and Szegedy, "Batch Normalization", 2015, do."""

    def call(self, inputs, training=None, mask=None):
        if not training:
            return super().call(inputs, training=training, mask=mask)
        kept = self.moving_variance * self.momentum
        outputs = super().call(inputs, training=training, mask=mask)
        count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], kept.dtype)
        self.moving_variance.assign(kept + (self.moving_variance - kept) * count / tf.maximum(count - 1, 1))
        return outputs


class _AlignedAdam(keras.optimizers.Adam):
    """Adds epsilon once the mean is corrected for its bias, as PyTorch and Kingma and Ba, "Adam", 2015, do."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        first, second = self._momentums[index], self._velocities[index]
        step = tf.cast(self.iterations + 1, variable.dtype)
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (gradient * gradient - second) * (1 - self.beta_2))
        size = tf.sqrt(second / (1 - self.beta_2**step)) + self.epsilon
        self.assign_sub(variable, learning_rate / (1 - self.beta_1**step) * first / size)


class _AlignedRMSprop(keras.optimizers.RMSprop):
    """Adds epsilon to the root, as PyTorch does, where Keras adds it to what is under the root."""

    def update_step(self, gradient, variable, learning_rate):
        average = self._velocities[self._get_variable_index(variable)]
        self.assign(average, self.rho * average + (1 - self.rho) * gradient * gradient)
        self.assign_sub(variable, learning_rate * gradient / (tf.sqrt(average) + self.epsilon))


def _build(layer: Layer, name: str, config: RunConfig) -> keras.Layer:
    match layer.kind:
        case "convolution":
            return keras.layers.Conv2D(layer.filters, layer.kernel, layer.stride, layer.padding, name=name)
        case "batch_norm":
            norm = _AlignedBatchNorm if config.defaults == "aligned" else keras.layers.BatchNormalization
            return norm(momentum=layer.momentum, epsilon=layer.epsilon, name=name)
        case "max_pool":
            return keras.layers.MaxPooling2D(layer.size, layer.stride, layer.padding, name=name)
        case "dropout":
            return keras.layers.Dropout(layer.rate, name=name)
        case "flatten":
            return keras.layers.Flatten(name=name)
        case "dense":
            return keras.layers.Dense(layer.units, name=name)
        case "activation":
            return keras.layers.Activation(layer.function, name=name)
        case "residual":
            return keras.layers.Add(name=name)


def _optimizer(config: RunConfig) -> keras.Optimizer:
    rate, aligned = config.learning_rate, config.defaults == "aligned"
    match config.optimizer:
        case "sgd":
            # Keras casts it with tf.cast, which takes a float of Python's for float32 and rounds it.
            return keras.optimizers.SGD(rate, momentum=np.float64(config.momentum))
        case "adam":
            return _AlignedAdam(rate, epsilon=1e-8) if aligned else keras.optimizers.Adam(rate)
        case "rmsprop":
            return _AlignedRMSprop(rate, epsilon=1e-8) if aligned else keras.optimizers.RMSprop(rate)


def _device(name: str) -> str:
    if name not in {device["name"] for device in devices()}:
        there = ", ".join(device["name"] for device in devices())
        raise ValueError(f"Device (--device): TensorFlow has {there} on this machine, received {name!r}.")
    return name.upper()


def _set_precision(config: RunConfig) -> tf.DType:
    """Let what is built from now on compute in a run's precision; `floatx` is that of the learning rate."""
    keras.config.set_floatx(config.precision)
    keras.config.set_dtype_policy(config.precision)
    return tf.as_dtype(config.precision)


def _set_threads(count: int) -> None:
    """Choose the threads; TensorFlow takes the number once a process, so later engines keep the first one's."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass
