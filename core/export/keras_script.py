"""The run as one file of plain Keras, with `compile` and `fit`, that needs tensorflow.

`model_source` is its network alone; `core.export.keras` builds the exported model from it.
"""

from collections.abc import Iterable, Iterator
from string import Template

from core.architectures import Layer, Shape, named
from core.augmentation import is_augmented
from core.checkpoints import Checkpoint, Description
from core.config import RunConfig
from core.export.script import values


def build(run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the script as UTF-8."""
    config = checkpoint.description.config
    augmented = is_augmented(config)
    return (
        Template(_SCRIPT)
        .substitute(
            values(run_id, checkpoint),
            model=model_source(checkpoint.description),
            augment=_augment_source(config) if augmented else "",
            batches=_AUGMENTED_BATCHES if augmented else "",
            data="batches" if augmented else "images, labels, batch_size=BATCH_SIZE",
            optimizer=_optimizer(config),
        )
        .encode()
    )


def model_source(description: Description) -> str:
    """Return the source of `build_model`; it needs `keras`, and `layers` from it.

    The model takes pixels from 0 to 255. Its layers have the canonical names, with a dot where those
    have a slash, which Keras does not allow.
    """
    network = description.architecture.for_classes(len(description.class_names)).layers
    return Template(_MODEL).substitute(
        shape=repr(tuple(description.input_shape)),
        class_names=ascii(tuple(description.class_names)),
        scaling=_scaling(description),
        lines="\n".join(f"    {line}" for line in _lines(network, description.input_shape)),
    )


def _scaling(description: Description) -> str:
    match description.config.normalization:
        case "unit":
            return "1 / 255"
        case "symmetric":
            return "1 / 127.5, offset=-1"
        case "standard":
            multiply, then_add = description.scaling
            return f"{list(multiply)}, offset={list(then_add)}"


def _lines(network: Iterable[Layer], shape: Shape, prefix: str = "") -> Iterator[str]:
    for canonical, layer in named(network, prefix):
        name = canonical.replace("/", ".")
        if layer.kind == "residual":
            shortcut = f"shortcut_{name.split('_', 1)[1].replace('.', '_')}"
            yield f"{shortcut} = x"
            yield from _lines(layer.layers, shape, f"{canonical}/")
            yield f'x = layers.Add(name="{name}")([{shortcut}, x])'
        else:
            yield f'x = layers.{_code(layer)[:-1]}{", " if _code(layer)[-2] != "(" else ""}name="{name}")(x)'
        shape = layer.output_shape(shape)


def _code(layer: Layer) -> str:
    match layer.kind:
        case "convolution":
            strides = f", strides={layer.stride}" if layer.stride > 1 else ""
            return f'Conv2D({layer.filters}, {layer.kernel}{strides}, padding="{layer.padding}")'
        case "batch_norm":
            return f"BatchNormalization(momentum={layer.momentum}, epsilon={layer.epsilon})"
        case "max_pool":
            strides = f", strides={layer.stride}" if layer.stride != layer.size else ""
            return f'MaxPooling2D({layer.size}{strides}, padding="{layer.padding}")'
        case "dropout":
            return f"Dropout({layer.rate})"
        case "flatten":
            return "Flatten()"
        case "dense":
            return f"Dense({layer.units})"
        case "activation":
            return {"relu": "ReLU()", "softmax": "Softmax()"}[layer.function]


def _optimizer(config: RunConfig) -> str:
    match config.optimizer:
        case "sgd":
            return f"keras.optimizers.SGD(LEARNING_RATE, momentum={config.momentum})"
        case "adam":
            return "keras.optimizers.Adam(LEARNING_RATE)"
        case "rmsprop":
            return "keras.optimizers.RMSprop(LEARNING_RATE)"


def _augment_source(config: RunConfig) -> str:
    flips = {(True, False): "horizontal", (False, True): "vertical", (True, True): "horizontal_and_vertical"}
    flip = flips.get((config.flip_horizontal, config.flip_vertical))
    lines = [
        f'layers.RandomFlip("{flip}")' if flip else "",
        f'layers.RandomRotation({config.rotation / 360}, fill_mode="constant")' if config.rotation else "",
        f'layers.RandomZoom({config.zoom}, fill_mode="constant")' if config.zoom else "",
        f'layers.RandomTranslation({config.shift_y}, {config.shift_x}, fill_mode="constant")'
        if config.shift_x or config.shift_y
        else "",
    ]
    return Template(_AUGMENT).substitute(lines="\n".join(f"        {line}," for line in lines if line))


_MODEL = """IMAGE_SHAPE = $shape  # height, width, channels
CLASS_NAMES = $class_names  # of the network's outputs, in this order


def build_model():
    inputs = keras.Input(IMAGE_SHAPE)
    x = layers.Rescaling($scaling)(inputs)
$lines
    return keras.Model(inputs, x)
"""

_AUGMENT = """augment = keras.Sequential(
    [
$lines
    ]
)


"""

_AUGMENTED_BATCHES = """
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images), seed=SEED).batch(BATCH_SIZE)
    batches = batches.map(lambda images, labels: (augment(tf.cast(images, "float32"), training=True), labels))"""

_SCRIPT = '''"""Train $network in plain Keras, as run $run of Duet did.

    python train.py --data FOLDER

FOLDER holds MNIST's four IDX files, gzipped or not; other images come as an .npz file with x_train,
y_train, x_test and y_test. Needs tensorflow. The model of the epoch with the lowest validation loss is
kept in best.keras, and tested at the end.$notes
"""

import argparse
import gzip
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH_SIZE = $batch_size
EPOCHS = $epochs
LEARNING_RATE = $learning_rate
SEED = $seed
TRAIN_LIMIT = $train_limit  # None uses all training images
VALIDATION_SHARE = $validation_share

$model

$read_data


${augment}def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="a folder of IDX files, or an .npz file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--train-limit", type=int, default=TRAIN_LIMIT, help="use only so many training images")
    parser.add_argument("--output", type=Path, default=Path("best.keras"))
    options = parser.parse_args()

    keras.utils.set_random_seed(SEED)
    images, labels, test_images, test_labels = read_data(options.data)$hold_back

    model = build_model()
    model.compile(
        optimizer=$optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )$batches
    model.fit(
        $data,
        epochs=options.epochs,
        validation_data=validation,
        callbacks=[keras.callbacks.ModelCheckpoint(options.output, monitor="val_loss", save_best_only=True)],
        verbose=2,
    )
    loss, accuracy = keras.models.load_model(options.output).evaluate(test_images, test_labels, verbose=0)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
'''
