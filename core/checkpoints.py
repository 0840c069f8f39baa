"""A run's network on disk: safetensors in the canonical layout, and JSON that rebuilds it.

    save(directory, epoch, weights, description)
    checkpoint = load(directory)
    checkpoint.description.architecture, checkpoint.weights

`checkpoint.json` is written last and holds the hash of the weights it names: while it is not
replaced, the checkpoint before is the whole one. Nothing is ever unpickled.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from core.architectures import Architecture
from core.config import RunConfig


class Description(BaseModel):
    """What is needed, besides the weights, to build a network again and to prepare images for it."""

    model_config = ConfigDict(frozen=True)

    config: RunConfig
    architecture: Architecture
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    preparation: str
    fingerprint: str


class Checkpoint(NamedTuple):
    """A network after `epoch` epochs: its description and its canonical weights by name."""

    epoch: int
    description: Description
    weights: dict[str, np.ndarray]


class _Manifest(BaseModel):
    epoch: int
    weights_file: str
    weights_sha256: str
    description: Description


def save(directory: Path, epoch: int, weights: dict[str, np.ndarray], description: Description) -> None:
    """Write a checkpoint in place of the one before, which stays whole until this one is."""
    content = _pack(weights)
    digest = hashlib.sha256(content).hexdigest()
    # With the digest, an epoch that is trained again never overwrites what the manifest still names.
    name = f"weights-{epoch:04}-{digest[:12]}.safetensors"
    write_file(directory / name, content)
    manifest = _Manifest(
        epoch=epoch,
        weights_file=name,
        weights_sha256=digest,
        description=description,
    )
    write_file(directory / "checkpoint.json", manifest.model_dump_json(indent=2).encode())
    for old in directory.glob("weights-*.safetensors"):
        if old.name != name:
            old.unlink()


def load(directory: Path) -> Checkpoint:
    """Read the checkpoint of a run.

    Raises:
        ValueError: if there is none, or its files are not what was written.
    """
    path = directory / "checkpoint.json"
    if not path.exists():
        raise ValueError(f"Run {directory.name} has no checkpoint yet: one is written after its first epoch.")
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
        content = (directory / Path(manifest.weights_file).name).read_bytes()
    except (ValueError, OSError) as error:
        raise ValueError(f"Run {directory.name}: its checkpoint cannot be read ({type(error).__name__}).") from error
    if hashlib.sha256(content).hexdigest() != manifest.weights_sha256:
        raise ValueError(f"Run {directory.name}: {manifest.weights_file} is damaged; train it again.")
    return Checkpoint(manifest.epoch, manifest.description, load_tensors(content))


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as one safetensors file, whole or not at all."""
    write_file(path, _pack(arrays))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a safetensors file."""
    return load_tensors(path.read_bytes())


def _pack(arrays: dict[str, np.ndarray]) -> bytes:
    # safetensors writes memory as it lies, so a transposed view would come back with its values mixed up.
    return save_tensors({name: np.asarray(values, order="C") for name, values in arrays.items()})


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, whole or not at all."""
    write_file(path, json.dumps(value, indent=2).encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or the next start after a crash, sees all of it or the one before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # a full disk, say, which a file that nobody reads would keep full
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
