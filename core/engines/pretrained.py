"""The weights that somebody has published, in the canonical layout, for either engine.

    weights = published_weights("efficientnet-lite0")
    weights = first_weights(config, architecture, input_shape, classes)    # what a run begins with

They come as a state dict of PyTorch's, which is read once, by a process of its own, and kept in `data_dir()/pretrained`
as safetensors: Keras's trainings need no PyTorch then.
"""

import hashlib
import logging
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from core.config import RunConfig
from core.engines.initialisation import initial_weights
from core.networks.layers import Architecture, Shape, layer_rows
from core.networks.pretrained import PRETRAINED
from core.system.files import explain_refusal, write_bytes
from core.system.paths import data_dir
from core.system.processes import spawn
from core.system.tensors import digest, pack, read_bounded, unpack

_log = logging.getLogger("duet")

_DEADLINE_S = 120
_MOST_BYTES = 2**30


def published_weights(name: str) -> dict[str, np.ndarray]:
    """Return all weights of a pretrained network, the head it came with among them, float32 by canonical name.

    Raises:
        ValueError: if their package is not installed, or its file is another one.
        RuntimeError: if the file cannot be read.
    """
    known = PRETRAINED[name]
    kept = data_dir() / "pretrained" / f"{name}.safetensors"
    try:
        arrays, metadata = unpack(read_bounded(kept, _MOST_BYTES))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # it is read anew
        _log.warning("%s cannot be read: %s", kept, error)
    else:
        if metadata == {"source": known.sha256, "sha256": digest(arrays)}:
            return arrays
        _log.warning("%s is not what was written.", kept)
    path = known.path()
    received = hashlib.sha256(path.read_bytes()).hexdigest()
    if received != known.sha256:
        raise ValueError(
            f"{name}: expected the weights with SHA-256 {known.sha256}, received {received}: reinstall {known.package}."
        )
    weights = known.canonical(_state_dict(path))
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(kept, pack(weights, {"source": known.sha256, "sha256": digest(weights)}))
    except OSError as error:  # on a full or read-only disk they are read anew each time
        if explain_refusal(error) is None:
            raise
    return weights


def first_weights(
    config: RunConfig, architecture: Architecture, input_shape: Shape, classes: int
) -> dict[str, np.ndarray] | None:
    """Return what a run's network begins with: drawn weights, or published ones with a head drawn with its seed.

    Returns:
        float32 by canonical name, or None where the framework draws its own.

    Raises:
        ValueError, RuntimeError: as `published_weights` does.
    """
    own = config.initialisation == "framework"
    if architecture.name not in PRETRAINED:
        return None if own else initial_weights(architecture, input_shape, classes, config.seed, config.initialisation)
    published = published_weights(architecture.name)
    drawn = initial_weights(architecture, input_shape, classes, config.seed, "shared" if own else config.initialisation)
    head = layer_rows(architecture, input_shape, classes)[-1].name  # it ends with its dense layer
    return {name: values if name.startswith(f"{head}/") else published[name] for name, values in drawn.items()}


def _state_dict(path: Path) -> dict[str, np.ndarray]:
    """Read a state dict of PyTorch's in a process that ends afterwards."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        written = Path(folder) / "weights.safetensors"
        process = spawn("core.engines.state_dict", str(path), str(written), log=log)
        try:
            code = process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(
                f"{path.name}: reading it took longer than {_DEADLINE_S} s, so it was given up."
            ) from None
        if code:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()[-2000:]
            raise RuntimeError(f"{path.name} cannot be read: {said}")
        numbered = unpack(written.read_bytes()).arrays  # `core.engines.state_dict` numbers them
    return {name.partition("/")[2]: numbered[name] for name in sorted(numbered)}
