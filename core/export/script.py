"""What both exported scripts share: how they read the images and choose those to validate on.

    source = Template(...).substitute(**values(run_id, checkpoint), ...)

Text that a person wrote, such as a class name, gets into a script as a literal only.
"""

from typing import Any

from core.checkpoints import Checkpoint
from core.config import RunConfig


def values(run_id: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what the templates of both scripts fill in."""
    config = checkpoint.description.config
    return {
        "run": run_id,
        "network": checkpoint.description.architecture.name.encode("unicode_escape").decode().replace('"', "'"),
        "notes": "".join(f"\n{note}" for note in _notes(config)),
        "batch_size": config.batch_size,
        "epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "seed": config.seed,
        "train_limit": config.train_limit,
        "validation_share": config.validation_share,
        "read_data": _READ_DATA,
        "hold_back": _HOLD_BACK[config.validation_part],
    }


def _notes(config: RunConfig) -> list[str]:
    """Say where the script, being idiomatic, does not do exactly what the run did."""
    notes = []
    if config.initial_weights:
        notes.append(f"The run went on from the weights of run {config.initial_weights}; this script starts anew.")
    if config.precision != "float32":
        notes.append(f"The run computed in {config.precision}; this script computes in float32.")
    if config.defaults == "aligned" and config.framework == "tensorflow":
        notes.append("The run's algorithms were aligned with PyTorch's; this script has Keras's own.")
    return notes


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
    "last": """
    order = np.sort(np.random.default_rng(SEED).permutation(len(images))[: options.train_limit])
    count = max(1, round(len(order) * VALIDATION_SHARE))
    validation = images[order[-count:]], labels[order[-count:]]
    images, labels = images[order[:-count]], labels[order[:-count]]""",
    "test": """
    order = np.random.default_rng(SEED).permutation(len(images))[: options.train_limit]
    validation = test_images, test_labels
    images, labels = images[order], labels[order]""",
}
