"""What both exported scripts share: their header, settings and options, how they read the images, and what they note.

    source = Template(...).substitute(**values(run_id, checkpoint, "pytorch"), ...)

A setting of the run is in a script only where it does something there. Text that a person wrote, such as
a class name, gets into a script as a literal only.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterable
from string import Template
from typing import Any

from core.config import FRAMEWORK_TITLES, PRETRAINED_NETWORKS, Framework, RunConfig
from core.config.optimizers import OPTIMIZERS
from core.datasets.grouping import hold_out_groups, near_duplicate_groups
from core.engines.averaging import averaging_decay
from core.training.checkpoints import Checkpoint

_LONGEST = 90  # characters of a call, which is indented, and may be assigned to something


def values(run_id: str, checkpoint: Checkpoint, framework: Framework) -> dict[str, Any]:
    """Return what the templates of both scripts fill in, for the script that is in `framework`."""
    config = checkpoint.description.config
    file = f"{config.checkpoint_policy}.{_SUFFIXES[framework]}"
    network = checkpoint.description.architecture.name.encode("unicode_escape").decode().replace('"', "'")
    grouped = config.validation_part == "grouped"
    data = _DATA[config.validation_part == "given"]
    kept = _KEPT[config.monitor] if config.checkpoint_policy == "best" else "the last epoch"
    return {
        "header": Template(_HEADER).substitute(
            title=f"Train {network} in plain {FRAMEWORK_TITLES[framework]}, as run {run_id} of Duet did.",
            usage=textwrap.fill(f"{data} {_NEEDS[framework]} of {kept} in {file}, and tests with it at the end.", 100),
            notes="".join(f"\n{note}" for note in _notes(config, framework)),
        ),
        "settings": Template(_SETTINGS).substitute(dict(config)),
        "read_options": Template(_READ_OPTIONS).substitute(file=file),
        "read_data": _READ_DATA,
        "hold_back": _HOLD_BACK[config.validation_part],
        "grouping": _source(near_duplicate_groups) + _source(hold_out_groups) if grouped else "",
        "count_classes": _COUNT_CLASSES if config.class_weights == "balanced" else "",
        "averaging_decay": _source(averaging_decay) if config.ema_decay else "",
    }


def _source(function: Callable[..., Any]) -> str:
    """Return the code of a function that needs nothing of Duet, with the empty lines that follow it."""
    return f"{inspect.getsource(function)}\n\n"


def arguments(*given: str | None) -> str:
    """Return the arguments of a call, without those that are left out."""
    return ", ".join(argument for argument in given if argument)


def call(function: str, *given: str | None) -> str:
    """Return a call without the arguments that are left out; a long one has a line for each."""
    short = f"{function}({arguments(*given)})"
    if len(short) <= _LONGEST:
        return short
    return "\n".join([f"{function}(", *(f"    {argument}," for argument in given if argument), ")"])


def lines(indent: int, code: Iterable[str]) -> str:
    """Return lines of code, each of them begun, and indented by so many spaces."""
    return "".join(f"\n{' ' * indent}{line}" for piece in code for line in piece.splitlines())


def _notes(config: RunConfig, framework: Framework) -> list[str]:
    """Say where the script, being idiomatic, does not do exactly what the run did."""
    aligned, keras, title = config.defaults == "aligned", framework == "keras", FRAMEWORK_TITLES[framework]
    optimizer = OPTIMIZERS[config.optimizer]
    fractions = (config.warmup_epochs, config.decay_epochs if config.schedule == "step" else 0)
    notes = {
        f"The run went on from the weights of run {config.initial_weights}; this script starts anew.": bool(
            config.initial_weights
        ),
        f"The run began with published weights of {config.architecture}; this script draws its own, and so learns less "
        "from few images.": config.architecture in PRETRAINED_NETWORKS,
        "The run computed in float64; this script computes in float32.": config.precision == "float64",
        f"The run was one of {FRAMEWORK_TITLES[config.framework]}; where the defaults of both differ, this script has "
        f"{title}'s.": not aligned and config.framework != framework,
        "The run's algorithms were aligned with PyTorch's; where no argument does that, this script has Keras's "
        "own.": aligned and keras,
        "The run added the weight decay to the gradients; Keras takes it off the weights.": (
            aligned and keras and config.weight_decay > 0 and not optimizer.decouples_weight_decay
        ),
        "Keras's He normal is cut off at two standard deviations; the run's was not.": (
            keras and config.initialisation == "he"
        ),
        "Keras draws the width and the height of what is erased each by itself; the run drew area and ratio.": (
            keras and config.erasing > 0
        ),
        "Warm-up and decay take whole numbers of steps.": not keras and any(part % 1 for part in fractions),
    }
    return [note for note, applies in notes.items() if applies]


_SUFFIXES: dict[Framework, str] = {"pytorch": "pt", "keras": "keras"}

_NEEDS: dict[Framework, str] = {
    "pytorch": "Needs torch and numpy. Keeps the weights",
    "keras": "Needs tensorflow. Keeps the model",
}

_DATA = {
    False: "FOLDER holds MNIST's four IDX files, gzipped or not; other images come as an .npz file with x_train, "
    "y_train, x_test and y_test.",
    True: "FOLDER is an .npz file with x_train, y_train, x_val, y_val, x_test and y_test: the run validated on "
    "images that came with the data.",
}
"""What is to be given to a script, by whether validation images are those that came with the data."""

_HEADER = '''"""$title

    python train.py --data FOLDER

$usage$notes
"""

import argparse
import gzip
from pathlib import Path'''

_SETTINGS = """BATCH_SIZE = $batch_size
EPOCHS = $epochs
LEARNING_RATE = $learning_rate
SEED = $seed
TRAIN_LIMIT = $train_limit  # None uses all training images
VALIDATION_SHARE = $validation_share"""

_READ_OPTIONS = """    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="a folder of IDX files, or an .npz file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--train-limit", type=int, default=TRAIN_LIMIT, help="use only so many training images")
    parser.add_argument("--output", type=Path, default=Path("$file"))
    options = parser.parse_args()"""

_KEPT = {
    "val_loss": "the epoch with the lowest validation loss",
    "val_accuracy": "the epoch with the highest validation accuracy",
}

_COUNT_CLASSES = """
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    class_weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))"""

_READ_DATA = '''def read_idx(folder, name):
    """Read one of MNIST's files, gzipped or not: unsigned bytes behind a header of big-endian sizes."""
    packed = folder / f"{name}.gz"
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    sizes = np.frombuffer(content, ">u4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(sizes)


def read_data(path):
    """Return train images and labels, test images and labels: uint8 (N, height, width, channels), int64 (N,)."""
    if path.is_dir():
        names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
        arrays = [read_idx(path, f"{name}-ubyte") for name in names]
    else:
        with np.load(path) as file:
            arrays = [file[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    images, labels, test_images, test_labels = arrays
    shape = (-1, *IMAGE_SHAPE)
    return images.reshape(shape), labels.astype(np.int64), test_images.reshape(shape), test_labels.astype(np.int64)'''

_HOLD_BACK = {
    "stratified": """
    order = np.random.default_rng(SEED).permutation(len(images))[: options.train_limit]
    count = max(1, round(len(order) * VALIDATION_SHARE))
    validation = images[order[:count]], labels[order[:count]]
    images, labels = images[order[count:]], labels[order[count:]]""",
    "grouped": """
    order = np.sort(np.random.default_rng(SEED).permutation(len(images))[: options.train_limit])
    count = max(1, round(len(order) * VALIDATION_SHARE))
    groups = near_duplicate_groups(np.concatenate([images, test_images]))[order]
    held_out = hold_out_groups(groups, labels[order], count, np.random.default_rng([SEED, 5]))
    validation = images[order[held_out]], labels[order[held_out]]
    images, labels = images[order[~held_out]], labels[order[~held_out]]""",
    "last": """
    order = np.sort(np.random.default_rng(SEED).permutation(len(images))[: options.train_limit])
    count = max(1, round(len(order) * VALIDATION_SHARE))
    validation = images[order[-count:]], labels[order[-count:]]
    images, labels = images[order[:-count]], labels[order[:-count]]""",
    "given": """
    order = np.random.default_rng(SEED).permutation(len(images))[: options.train_limit]
    with np.load(options.data) as file:
        validation = file["x_val"].reshape(-1, *IMAGE_SHAPE), file["y_val"].astype(np.int64)
    images, labels = images[order], labels[order]""",
    "test": """
    order = np.random.default_rng(SEED).permutation(len(images))[: options.train_limit]
    validation = test_images, test_labels
    images, labels = images[order], labels[order]""",
}
