"""The run as one file of plain Keras, with `compile` and `fit`, that needs tensorflow.

`model_source` is its network alone; `core.export.keras` builds the exported model from it.
"""

from collections.abc import Iterable, Iterator
from string import Template

from core.config import RunConfig
from core.config.optimizers import OPTIMIZERS
from core.engines.augmentation import ERASED_AREA, is_augmented
from core.export.script import arguments, call, lines, values
from core.networks.layers import Layer, Shape, named
from core.training.checkpoints import Checkpoint, Description
from core.training.schedules import ONE_CYCLE_RISE


def build(run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the script as UTF-8."""
    config = checkpoint.description.config
    augmented = is_augmented(config)
    data = "batches" if augmented else "images, labels, batch_size=BATCH_SIZE"
    return (
        Template(_SCRIPT)
        .substitute(
            values(run_id, checkpoint, "keras"),
            model=model_source(checkpoint.description),
            augment=_augment_source(config) if augmented else "",
            smoothing=Template(_SMOOTHING).substitute(share=config.label_smoothing) if config.label_smoothing else "",
            learning_rate_class=_learning_rate_source(config) if _has_learning_rate_class(config) else "",
            averaging=Template(_AVERAGING).substitute(decay=config.ema_decay) if config.ema_decay else "",
            precision=_MIXED if config.precision == "bfloat16" else "",
            schedule=lines(4, _schedule(config)),
            batches=_AUGMENTED_BATCHES if augmented else "",
            compile=lines(8, _compile(config)),
            fit=lines(8, _fit(config, data)),
            test=lines(4, _test(config)),
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
        lines=lines(4, _lines(description.config, network, description.input_shape)),
    )


def _scaling(description: Description) -> str:
    """Return the arguments of the layer that scales pixels, which it does before they are rounded to bfloat16."""
    single = 'dtype="float32"' if description.config.precision == "bfloat16" else None
    match description.config.normalization:
        case "unit":
            return arguments("1 / 255", single)
        case "symmetric":
            return arguments("1 / 127.5", "offset=-1", single)
        case "standard":
            factors, summands = (list(values) for values in description.scaling)
            given = (str(factors), f"offset={summands}", *([single] if single else []))
            return lines(8, (f"{argument}," for argument in given)) + "\n    "


def _lines(config: RunConfig, network: Iterable[Layer], shape: Shape, prefix: str = "") -> Iterator[str]:
    """Yield the lines that make of `x` what the layers give."""
    for canonical, layer in named(network, prefix):
        name = canonical.replace("/", ".")
        branches = layer.branches(shape)
        inputs, start = [], f"{name.replace('.', '_')}_input"
        if branches:
            yield f"{start} = x"
        for branch in branches:
            if not branch.layers:
                inputs.append(start)
                continue
            if inputs:
                yield f"x = {start}"
            yield from _lines(config, branch.layers, shape, f"{canonical}/{branch.prefix}")
            inputs.append(f"{name.replace('.', '_')}_{branch.name}")
            yield f"{inputs[-1]} = x"
        code = layer.keras_source(shape, initialisation=config.initialisation)[:-1]
        given = f"[{', '.join(inputs)}]" if branches else "x"
        yield f'x = {code}{"" if code.endswith("(") else ", "}name="{name}")({given})'
        shape = layer.output_shape(shape)


def _compile(config: RunConfig) -> list[str]:
    """Return the arguments of `compile`, a line each."""
    loss, metrics = "keras.losses.SparseCategoricalCrossentropy(from_logits=True)", ['"accuracy"']
    if config.label_smoothing:  # the validation loss is measured without
        loss = "smoothed"
        metrics.append('keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="cross_entropy")')
    return [f"optimizer={_optimizer(config)},", f"loss={loss},", *_list("metrics", metrics)]


def _list(name: str, items: list[str]) -> list[str]:
    """Return an argument that is a list: on one line if it has one item, else on a line an item."""
    if len(items) == 1:
        return [f"{name}=[{items[0]}],"]
    return [f"{name}=[", lines(4, (f"{item}," for item in items))[1:], "],"] if items else []


def _optimizer(config: RunConfig) -> str:
    name, own = OPTIMIZERS[config.optimizer].keras_source(config)
    clip = f"global_clipnorm={config.clip_norm}" if config.clip_norm else None
    return call(name, "learning_rate" if _schedule(config) else "LEARNING_RATE", *own, clip)


def _schedule(config: RunConfig) -> list[str]:
    """Return the lines that make the learning rate of each step, or none where it is constant."""
    if config.schedule == "constant" and not config.warmup_epochs:
        return []
    found = ["steps_per_epoch = int(np.ceil(len(images) / BATCH_SIZE))"]
    if _has_learning_rate_class(config):
        return [*found, "learning_rate = LearningRate(options.epochs, steps_per_epoch)"]
    decay = ("LEARNING_RATE", f"{config.decay_epochs:g} * steps_per_epoch", str(config.decay_factor))
    given: tuple[str, ...]
    match config.schedule:
        case "constant":
            found.append(f"warmup = max(1, {config.warmup_epochs:g} * steps_per_epoch)")
            name, given = "PolynomialDecay", ("LEARNING_RATE / warmup", "max(1, warmup - 1)", "LEARNING_RATE")
        case "step":
            name, given = "ExponentialDecay", (*decay, "staircase=True")
        case "exponential":
            name, given = "ExponentialDecay", decay
        case "cosine":
            name, given = "CosineDecay", ("LEARNING_RATE", "options.epochs * steps_per_epoch")
    return [*found, f"learning_rate = {call(f'keras.optimizers.schedules.{name}', *given)}"]


def _has_learning_rate_class(config: RunConfig) -> bool:
    """Say whether Keras has no schedule of its own for a run's."""
    return config.schedule == "one_cycle" or (config.schedule != "constant" and config.warmup_epochs > 0)


def _learning_rate_source(config: RunConfig) -> str:
    if config.schedule == "one_cycle":
        rise = f"{config.warmup_epochs:g} / self.epochs" if config.warmup_epochs else str(ONE_CYCLE_RISE)
        says, body = "Rises to the full rate and falls to almost nothing, in two cosines.", _ONE_CYCLE
        return Template(_LEARNING_RATE).substitute(says=says, body=Template(body).substitute(rise=rise))
    epochs = f"epoch / {config.decay_epochs:g}"
    share = {
        "step": f"{config.decay_factor} ** keras.ops.floor({epochs} + 1e-6)",
        "exponential": f"{config.decay_factor} ** ({epochs})",
        "cosine": "(1 + keras.ops.cos(np.pi * epoch / self.epochs)) / 2",
    }[config.schedule]
    body = Template(_WARM_UP).substitute(share=share, warmup=f"{config.warmup_epochs:g}")
    return Template(_LEARNING_RATE).substitute(says="Rises in equal steps, to a rate that falls.", body=body)


def _fit(config: RunConfig, data: str) -> list[str]:
    """Return the arguments of `fit`, a line each."""
    every = config.validation_every
    found = [f"{data},", "epochs=options.epochs,", "validation_data=validation,"]
    if every > 1:
        found.append(f"validation_freq=[*range({every}, options.epochs, {every}), options.epochs],")
    if config.class_weights == "balanced":
        found.append("class_weight=dict(enumerate(class_weights)),")
    return [*found, *_list("callbacks", _callbacks(config)), "verbose=2,"]


def _callbacks(config: RunConfig) -> list[str]:
    monitor: str = config.monitor
    if monitor == "val_loss" and config.label_smoothing:
        monitor = "val_cross_entropy"  # the validation loss, without smoothing
    # Keras knows the direction of losses and accuracies, not of this metric.
    monitored = (f'monitor="{monitor}"', 'mode="min"' if monitor == "val_cross_entropy" else None)
    found = ["WeightAverage()"] if config.ema_decay else []
    # Keras counts validations, and a checkpoint is saved where there was none.
    patience = -(-config.patience // config.validation_every)
    if _restores(config):
        how = (f"patience={patience or 'options.epochs'}", "restore_best_weights=True")
        return [*found, call("keras.callbacks.EarlyStopping", *monitored, *how)]
    if patience:
        found.append(call("keras.callbacks.EarlyStopping", *monitored, f"patience={patience}"))
    if config.checkpoint_policy == "best":
        found.append(call("keras.callbacks.ModelCheckpoint", "options.output", *monitored, "save_best_only=True"))
    return found


def _restores(config: RunConfig) -> bool:
    """Say whether the best weights are kept in memory: a checkpoint would overwrite them where nothing is validated."""
    return config.checkpoint_policy == "best" and config.validation_every > 1


def _test(config: RunConfig) -> list[str]:
    """Return the lines that test the weights that are kept."""
    figures = "_, accuracy, loss" if config.label_smoothing else "loss, accuracy"
    if config.checkpoint_policy == "best" and not _restores(config):
        model = "keras.models.load_model(options.output)"
        return [f"{figures} = {model}.evaluate(test_images, test_labels, verbose=0)"]
    return ["model.save(options.output)", f"{figures} = model.evaluate(test_images, test_labels, verbose=0)"]


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
        f"layers.RandomErasing(({config.erasing}, {config.erasing}), {ERASED_AREA}, fill_value=0)"
        if config.erasing
        else "",
    ]
    return Template(_AUGMENT).substitute(lines="\n".join(f"        {line}," for line in lines if line))


_MODEL = """IMAGE_SHAPE = $shape  # height, width, channels
CLASS_NAMES = $class_names  # of the network's outputs, in this order


def build_model():
    inputs = keras.Input(IMAGE_SHAPE)
    x = layers.Rescaling($scaling)(inputs)$lines
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

_SMOOTHING = '''@keras.saving.register_keras_serializable()
def smoothed(labels, logits):
    """Cross-entropy with a share of each answer spread over all classes."""
    answers = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, [-1]), "int32"), len(CLASS_NAMES))
    return keras.losses.categorical_crossentropy(answers, logits, from_logits=True, label_smoothing=$share)


'''

_LEARNING_RATE = '''@keras.saving.register_keras_serializable()
class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """$says"""

    def __init__(self, epochs, steps_per_epoch):
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch

    def __call__(self, step):
$body

    def get_config(self):
        return {"epochs": self.epochs, "steps_per_epoch": self.steps_per_epoch}


'''

_ONE_CYCLE = """\
        step, steps = keras.ops.cast(step, "float32"), self.epochs * self.steps_per_epoch
        peak = $rise * steps - 1
        rising = 0.04 + 0.96 * (1 - keras.ops.cos(np.pi * step / peak)) / 2
        falling = 4e-6 + (1 - 4e-6) * (1 + keras.ops.cos(np.pi * (step - peak) / (steps - 1 - peak))) / 2
        return LEARNING_RATE * keras.ops.where(step <= peak, rising, falling)"""

_WARM_UP = """\
        epoch = keras.ops.cast(step, "float32") / self.steps_per_epoch
        share = $share
        return LEARNING_RATE * share * keras.ops.minimum(1.0, (epoch + 1 / self.steps_per_epoch) / $warmup)"""

_AVERAGING = '''class WeightAverage(keras.callbacks.Callback):
    """Validates and keeps a running average of the weights."""

    def on_train_begin(self, logs=None):
        self.steps, self.average, self.own = 0, self.model.get_weights(), None

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        kept = averaging_decay($decay, self.steps)
        pairs = zip(self.average, self.model.get_weights())
        self.average = [kept * average + (1 - kept) * weights for average, weights in pairs]

    def on_test_begin(self, logs=None):
        self.own = self.model.get_weights()
        self.model.set_weights(self.average)

    def on_epoch_begin(self, epoch, logs=None):
        if self.own is not None:
            self.model.set_weights(self.own)
            self.own = None


'''

_MIXED = """
    keras.config.set_dtype_policy("mixed_bfloat16")"""

_SCRIPT = """$header

import keras
import numpy as np
import tensorflow as tf
from keras import layers

$settings

$model

$read_data


${grouping}${augment}${smoothing}${learning_rate_class}${averaging_decay}${averaging}def main():
$read_options

    keras.utils.set_random_seed(SEED)$precision
    images, labels, test_images, test_labels = read_data(options.data)$hold_back$count_classes$schedule

    model = build_model()
    model.compile($compile
    )$batches
    model.fit($fit
    )$test
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
"""
