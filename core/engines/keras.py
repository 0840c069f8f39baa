"""Keras's engine on TensorFlow: the verbs of `core.engines.engine` on a Keras model.

The steps of a chunk are one loop inside one `tf.function`, with the data set as a tensor on the
device; a call from Python a chunk is all that is paid. XLA stays off, as it is
slower on a CPU, but for augmentation.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

# Both must be set before the import. Start-up notes are not news; this engine is Keras on TensorFlow,
# whichever backend the user's own programs choose.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np

from core.engines import tuning
from core.system.text import quoted

with tuning.hidden("pandas", "scipy", "sklearn", "matplotlib", "jax"):
    import keras
    import tensorflow as tf

from core.config import RunConfig
from core.config.optimizers import OPTIMIZERS
from core.engines import Chunk, Pixels, available_cores, images_at_once
from core.engines.augmentation import columns_of
from core.engines.averaging import ema_weights
from core.engines.normalization import FIXED, Scaling
from core.networks.layers import (
    Architecture,
    Layer,
    LayerRow,
    Shape,
    before_head,
    layer_rows,
    named,
    pool_before_relu,
)

# What a user's keras.json says must not change what a run computes; the precision is set by each engine.
keras.config.set_image_data_format("channels_last")

# Each engine is traced once; TensorFlow takes several in one process for one that is traced again and again.
tf.get_logger().setLevel("ERROR")

_MOST_PREDICTED = 1000


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
    return _apply_affine(images, transforms).numpy()


class Engine:
    """A network, its optimizer and its data on one device."""

    def __init__(
        self,
        config: RunConfig,
        architecture: Architecture,
        input_shape: Shape,
        classes: int,
        scaling: Scaling | None = None,
        pixels: Pixels = "uint8",
    ):
        _set_threads(config.threads or available_cores())
        keras.utils.set_random_seed(config.seed)
        self._config = config
        self._device = _device(config.device)
        self._dtype = _set_precision(config)
        with tf.device(self._device):
            self._scale, self._offset = (
                tf.constant(values, self._dtype) for values in scaling or FIXED[config.normalization]
            )
            rows = layer_rows(architecture, input_shape, classes)
            self._rows = {row.name: row for row in rows}
            self._layers = {row.name: self._build(row) for row in rows}
            inputs = keras.Input(input_shape)
            self._model = keras.Model(inputs, self._chain(inputs, named(architecture.for_classes(classes).layers)))
            body = keras.Model(inputs, self._chain(inputs, named(before_head(architecture, input_shape, classes))))
            self._optimizer = OPTIMIZERS[config.optimizer].build_keras(config, keras)
            self._optimizer.build(self._model.trainable_variables)
            averaged = [variable for _, variable in self._variables()] if config.ema_decay else []
            self._averages = [tf.Variable(variable.value) for variable in averaged]
            self._steps = 0
        self._predict_batch = images_at_once(_MOST_PREDICTED, input_shape)
        specification = [tf.TensorSpec([None, *input_shape], tf.as_dtype(pixels))]
        self._predict = _graph(lambda images: self._logits(self._normalise(images), training=False), specification)

        body_size = math.prod(body.output_shape[1:])
        self._features = _graph(
            lambda images: tf.cast(keras.ops.reshape(body(self._normalise(images)), (-1, body_size)), tf.float32),
            specification,
        )

    def load_data(self, images: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None) -> None:
        """Put the images and labels to train on, and what an image of each class counts, onto the device."""
        with tf.device(self._device):
            self._images = tf.constant(images)
            self._labels = tf.constant(labels)
            self._class_weights = None if class_weights is None else tf.constant(class_weights, self._dtype)
        # A graph keeps the tensors that it was traced with, so new data need a new one.
        each_step = tf.TensorSpec([None], self._dtype)
        inputs = [tf.TensorSpec([None, None], tf.int64), each_step, each_step]
        transforms = tf.TensorSpec([None, None, 2, columns_of(self._config)], tf.float32)
        self._train = _graph(self._run_graph, inputs)
        self._train_augmented = _graph(self._run_graph, [*inputs, transforms])
        self._gradients = _graph(self._differentiate, [tf.TensorSpec([None], tf.int64)])

    def train(
        self, indices: np.ndarray, learning_rates: np.ndarray | None = None, transforms: np.ndarray | None = None
    ) -> Chunk:
        """Take one step a row of `indices`, each at its own learning rate."""
        if learning_rates is None:
            learning_rates = np.full(len(indices), self._config.learning_rate)
        weights = ema_weights(self._config.ema_decay, self._steps, len(indices))
        with tf.device(self._device):
            scalars = (tf.constant(values, self._dtype) for values in (learning_rates, weights))
            if transforms is None:
                losses, correct, norm = self._train(indices, *scalars)
            else:
                losses, correct, norm = self._train_augmented(indices, *scalars, transforms)
        self._steps += len(indices)
        return Chunk(losses.numpy().astype(np.float64), correct.numpy(), float(norm))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of uint8 images, by the averaged weights where a run has them."""
        with tf.device(self._device), self._averaged():
            batches = (images[i : i + self._predict_batch] for i in range(0, len(images), self._predict_batch))
            return np.concatenate([self._predict(batch).numpy() for batch in batches])

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what goes into the last layer that learns, of uint8 images, flattened in the canonical order."""
        with tf.device(self._device), self._averaged():
            batches = (images[i : i + self._predict_batch] for i in range(0, len(images), self._predict_batch))
            return np.concatenate([self._features(batch).numpy() for batch in batches])

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

    def output_gradients(
        self, pixels: np.ndarray, labels: np.ndarray, layer: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a layer, or the pixels, and the gradients by them of each image's output for a class."""
        with tf.device(self._device), self._averaged(), tf.GradientTape() as tape:
            images = tf.constant(pixels)
            tape.watch(images)
            if layer:
                model = keras.Model(self._model.inputs, [self._layers[layer].output, self._model.output])
                values, logits = model(self._normalise(images), training=False)
            else:
                values, logits = images, self._model(self._normalise(images), training=False)
            chosen = tf.reduce_sum(tf.gather(logits, labels, axis=1, batch_dims=1))
        return tf.cast(values, tf.float32).numpy(), tf.cast(tape.gradient(chosen, values), tf.float32).numpy()

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of all weights in the canonical layout, the averaged ones where a run has them."""
        with self._averaged():
            return self._weights()

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take all weights from canonical arrays; their average starts anew."""
        for key, variable in self._variables():
            variable.assign(weights[key])
        for average, (_, variable) in zip(self._averages, self._variables(), strict=False):
            average.assign(variable.value)
        self._steps = 0

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next step depends on: weights, their average, the optimizer and the random numbers."""
        state = {f"weights/{key}": values for key, values in self._weights().items()}
        state |= {f"averages/{i}": variable.numpy() for i, variable in enumerate(self._averages)}
        state |= {f"optimizer/{i}": variable.numpy() for i, variable in enumerate(self._optimizer.variables)}
        state |= {f"random/{i}": variable.numpy() for i, variable in enumerate(self._seeds())}
        return state | {"steps": np.array(self._steps)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`, as if nothing had happened in between."""
        self.load_weights({key.removeprefix("weights/"): state[key] for key in state if key.startswith("weights/")})
        for part, variables in (
            ("averages", self._averages),
            ("optimizer", self._optimizer.variables),
            ("random", self._seeds()),
        ):
            for i, variable in enumerate(variables):
                variable.assign(state[f"{part}/{i}"])
        self._steps = int(state["steps"])

    def _weights(self) -> dict[str, np.ndarray]:
        return {key: variable.numpy() for key, variable in self._variables()}

    def _run_graph(
        self,
        indices: tf.Tensor,
        learning_rates: tf.Tensor,
        ema_weights: tf.Tensor,
        transforms: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Take the steps; return their losses, how many images each predicted correctly, the last gradient's length."""
        count = tf.shape(indices)[0]
        parameters = self._model.trainable_variables
        # Aligned, weight decay is a part of the gradient where it is in PyTorch.
        coupled = self._config.weight_decay and self._optimizer.weight_decay is None

        def take_step(
            step: tf.Tensor, losses: tf.TensorArray, correct: tf.TensorArray, norm: tf.Tensor
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray, tf.Tensor]:
            affine = None if transforms is None else transforms[step]
            gradients, loss, logits, labels = self._differentiate(indices[step], affine)
            if self._config.clip_norm:
                norm = tf.linalg.global_norm(gradients)
                gradients, _ = tf.clip_by_global_norm(gradients, self._config.clip_norm, use_norm=norm)
            else:
                last = norm
                norm = tf.cond(step == count - 1, lambda: tf.linalg.global_norm(gradients), lambda: last)
            if coupled:
                gradients = [
                    gradient + self._config.weight_decay * parameter.value
                    for gradient, parameter in zip(gradients, parameters, strict=True)
                ]
            self._optimizer.learning_rate = learning_rates[step]
            self._optimizer.apply(gradients, parameters)
            if self._config.ema_decay:
                self._average(ema_weights[step])
            hits = tf.math.count_nonzero(tf.argmax(logits, axis=1) == labels)
            return step + 1, losses.write(step, loss), correct.write(step, hits), norm

        nothing = (tf.TensorArray(self._dtype, count), tf.TensorArray(tf.int64, count), tf.constant(0, self._dtype))
        _, losses, correct, norm = tf.while_loop(lambda step, *_: step < count, take_step, (0, *nothing))
        return losses.stack(), correct.stack(), norm

    def _differentiate(
        self, batch: tf.Tensor, transforms: tf.Tensor | None = None
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the gradients of the mean loss of a batch, the loss itself, its logits and its labels."""
        labels = tf.gather(self._labels, batch)
        with tf.GradientTape() as tape:
            logits = self._logits(self._normalise(tf.gather(self._images, batch), transforms), training=True)
            loss = self._loss(logits, labels)
        return tape.gradient(loss, self._model.trainable_variables), loss, logits, labels

    def _loss(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        smoothing = self._config.label_smoothing
        if smoothing:
            targets = tf.one_hot(labels, logits.shape[-1], 1 - smoothing, 0.0, dtype=self._dtype)
            targets += smoothing / logits.shape[-1]
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        else:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if self._class_weights is not None:
            losses *= tf.gather(self._class_weights, labels)
        return tf.reduce_mean(losses)

    def _logits(self, pixels: tf.Tensor, *, training: bool) -> tf.Tensor:
        return tf.cast(self._model(pixels, training=training), self._dtype)

    def _average(self, ema_weight: tf.Tensor) -> None:
        for average, (_, variable) in zip(self._averages, self._variables(), strict=True):
            average.assign_add((variable.value - average) * ema_weight)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network have its averaged weights, if there are any, while the block runs."""
        if not self._averages:
            yield
            return
        variables = [variable for _, variable in self._variables()]
        own = [variable.numpy() for variable in variables]
        for variable, average in zip(variables, self._averages, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, values in zip(variables, own, strict=True):
                variable.assign(values)

    def _seeds(self) -> list[keras.Variable]:
        """Return the states of all random numbers: Keras gives each dropout layer its own."""
        generators = (getattr(layer, "seed_generator", None) for layer in self._layers.values())
        return [generator.state for generator in generators if generator is not None]

    def _build(self, row: LayerRow) -> keras.Layer:
        name = row.name.replace("/", ".")  # Keras allows no slash in one
        return row.layer.build_keras(row.input_shape, name, keras, tf, aligned=self._config.defaults == "aligned")

    def _chain(self, values: keras.KerasTensor, layers: Iterable[tuple[str, Layer]]) -> keras.KerasTensor:
        for name, layer in pool_before_relu(layers):
            branches = layer.branches(self._rows[name].input_shape)
            ends = [self._chain(values, named(branch.layers, f"{name}/{branch.prefix}")) for branch in branches]
            values = self._layers[name](ends or values)
        return values

    def _normalise(self, images: tf.Tensor, transforms: tf.Tensor | None = None) -> tf.Tensor:
        pixels = images if transforms is None else _apply_affine(images, transforms)
        return tf.cast(pixels, self._dtype) * self._scale + self._offset

    def _variables(self) -> Iterator[tuple[str, keras.Variable]]:
        """Yield each weight's canonical name and its variable."""
        for name, row in self._rows.items():
            for key in row.layer.weights(row.input_shape):
                yield f"{name}/{key}", getattr(self._layers[name], row.layer.KERAS_WEIGHTS.get(key, key))


def _graph(function: Callable[..., Any], inputs: Sequence[tf.TensorSpec]) -> Callable[..., Any]:
    """Return a function as a graph, as it is written: AutoGraph, which would rewrite it into a file, is left out."""

    def traced(*arguments: tf.Tensor) -> Any:
        outputs = function(*arguments)
        tuning.remove_generated_files()  # Keras has AutoGraph rewrite a part of a grouped convolution
        return outputs

    return tf.function(traced, input_signature=inputs, autograph=False)


@tf.function(jit_compile=True, autograph=False)
def _apply_affine(images: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    """Look each pixel of channels-last images up where its image's transform says, bilinear, black outside.

    Then black out each image's rectangle, if there are any; see `core.engines.augmentation`. XLA makes one loop over
    the pixels of all this, which takes half the time of `ImageProjectiveTransformV3`.
    """
    count, height, width, channels = tf.unstack(tf.shape(images))
    columns, rows = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)
    by_column, by_row, offset = tf.unstack(transforms[:, :, :3, None, None], axis=2)
    sources = by_column * columns + (by_row * rows[:, None] + offset)
    x, y = sources[:, 0], sources[:, 1]
    left, top = tf.floor(x), tf.floor(y)
    right_share, bottom_share = (x - left)[..., None], (y - top)[..., None]

    # A black margin of a pixel around each image, so that whoever looks at its edge finds four neighbours.
    right_edge, bottom_edge = tf.cast(width, tf.float32), tf.cast(height, tf.float32)
    pixels = tf.reshape(tf.pad(tf.cast(images, tf.float32), [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, channels])
    column = tf.cast(tf.clip_by_value(left + 1, 0.0, right_edge), tf.int32)
    row = tf.cast(tf.clip_by_value(top + 1, 0.0, bottom_edge), tf.int32)
    corner = (tf.range(count)[:, None, None] * (height + 2) + row) * (width + 2) + column

    def across(places: tf.Tensor) -> tf.Tensor:
        values = tf.gather(pixels, places)
        return values + (tf.gather(pixels, places + 1) - values) * right_share

    upper = across(corner)
    moved = upper + (across(corner + width + 2) - upper) * bottom_share

    seen = (x > -1) & (x < right_edge) & (y > -1) & (y < bottom_edge)
    if transforms.shape[2] > 3:
        begins, ends = transforms[:, :, 3, None], transforms[:, :, 4, None]
        erased_x = (columns >= begins[:, 0]) & (columns < ends[:, 0])
        erased_y = (rows >= begins[:, 1]) & (rows < ends[:, 1])
        seen &= ~(erased_y[:, :, None] & erased_x[:, None, :])
    return tf.where(seen[..., None], moved, 0.0)


def _device(name: str) -> str:
    if name not in {device["name"] for device in devices()}:
        there = ", ".join(device["name"] for device in devices())
        raise ValueError(f"Device (--device): TensorFlow has {there} on this machine, received {quoted(name)}.")
    return name.upper()


def _set_precision(config: RunConfig) -> tf.DType:
    """Let what is built from now on compute in a run's precision; `floatx` is that of the learning rate."""
    mixed = config.precision == "bfloat16"
    keras.config.set_floatx("float32" if mixed else config.precision)
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else config.precision)
    return tf.as_dtype(keras.config.floatx())


def _set_threads(count: int) -> None:
    """Choose the threads; TensorFlow takes the number once a process, so later engines keep the first one's."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass
