"""A run's network on disk: safetensors in the canonical layout, and JSON that rebuilds it.

    save(directory, epoch, weights, description)
    checkpoint = load(directory)
    checkpoint.description.architecture, checkpoint.weights

    save_state(directory, progress, state, description)     # what it takes to go on from there
    resumable = load_state(directory)

A manifest is written last and holds the hash of the arrays it names, and its own: while it is not there,
the one before is the newest whole one. The newest two are kept, and one that is not what was written is
refused for the one before. Nothing is ever unpickled.
"""

import hashlib
import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from core.config import RunConfig
from core.datasets.specification import FORMER_PREPARATIONS, Fit, Preparation
from core.engines.normalization import FIXED, Scaling
from core.networks.layers import Architecture
from core.system.files import write_bytes, write_json
from core.training.records import Progress

_log = logging.getLogger("duet")


class Description(BaseModel):
    """What is needed, besides the weights, to build a network again and to prepare images for it."""

    model_config = ConfigDict(frozen=True)

    config: RunConfig
    architecture: Architecture
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    preparation: Preparation
    fit: Fit = "crop"
    fingerprint: str
    standard_scaling: Scaling | None = None

    @field_validator("preparation", mode="before")
    @classmethod
    def _understand_former_names(cls, value: str) -> str:
        return FORMER_PREPARATIONS.get(value, value)

    @property
    def scaling(self) -> Scaling:
        """What each pixel is multiplied by, and what is added then."""
        return self.standard_scaling or FIXED[self.config.normalization]


class Checkpoint(NamedTuple):
    """A network after `epoch` epochs: its description and its canonical weights by name.

    `damage` says in a sentence that a newer one was refused, if one was.
    """

    epoch: int
    description: Description
    weights: dict[str, np.ndarray]
    damage: str = ""


class Resumable(NamedTuple):
    """A training that was broken off: what its loop and its engine need to go on, see `core.training.loop.train`."""

    progress: Progress
    state: dict[str, np.ndarray]
    description: Description
    damage: str = ""


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")  # a name that is not known is a damaged one

    epoch: int
    weights_file: str
    weights_sha256: str
    description: Description
    progress: Progress | None = None
    sha256: str = ""
    """Of all the rest; an older Duet's manifest has none."""


def save(directory: Path, epoch: int, weights: dict[str, np.ndarray], description: Description) -> None:
    """Write a checkpoint; the one before is kept to fall back on."""
    _write(directory, "checkpoint", f"weights-{epoch:04}", weights, epoch=epoch, description=description)


def load(directory: Path) -> Checkpoint:
    """Read the newest whole checkpoint of a run.

    Raises:
        ValueError: if there is none, or what is there is not what was written.
    """
    if not _exists(directory, "checkpoint"):
        raise ValueError(f"Run {directory.name} has no checkpoint yet: one is written after its first epoch.")
    manifest, weights, damage = _read(directory, "checkpoint")
    return Checkpoint(manifest.epoch, manifest.description, weights, damage)


def save_state(directory: Path, progress: Progress, state: dict[str, np.ndarray], description: Description) -> None:
    """Write what it takes to go on from here; the state before is kept to fall back on."""
    _write(
        *(directory, "state", f"state-{progress.step:08}", state),
        epoch=progress.epoch,
        description=description,
        progress=progress,
    )


def load_state(directory: Path) -> Resumable | None:
    """Read the newest whole state of a run, or nothing where none has been written.

    Raises:
        ValueError: if what is there is not what was written.
    """
    if not _exists(directory, "state"):
        return None
    manifest, state, damage = _read(directory, "state")
    assert manifest.progress is not None, "every state is written with its progress"
    return Resumable(manifest.progress, state, manifest.description, damage)


def has_state(directory: Path) -> bool:
    """Say whether a run has kept a state to go on from, be it whole or not."""
    return _exists(directory, "state")


def has_weights(directory: Path) -> bool:
    """Say whether a run has kept weights, be they whole or not."""
    return _exists(directory, "checkpoint")


def drop_states(directory: Path) -> None:
    """Remove the states of a run that has reached its end."""
    for path in (*_manifests(directory, "state"), *directory.glob("state-*.safetensors")):
        path.unlink(missing_ok=True)


def _manifests(directory: Path, kind: str) -> tuple[Path, Path]:
    """Return where the newest manifest lies and where the one before does."""
    return directory / f"{kind}.json", directory / f"{kind}-before.json"


def _exists(directory: Path, kind: str) -> bool:
    return any(path.exists() for path in _manifests(directory, kind))


def _write(directory: Path, kind: str, stem: str, arrays: dict[str, np.ndarray], **described: Any) -> None:
    """Write arrays, then make their manifest the newest and the newest the one before; sweep what neither names."""
    content = _pack(arrays)
    digest = hashlib.sha256(content).hexdigest()
    # With the digest, an epoch that is trained again never overwrites what a manifest still names.
    name = f"{stem}-{digest[:12]}.safetensors"
    write_bytes(directory / name, content)
    newest, before = _manifests(directory, kind)
    with suppress(OSError, ValueError):  # there is none yet, or it is damaged
        _read_manifest(newest)
        newest.replace(before)
    manifest = json.loads(_Manifest(weights_file=name, weights_sha256=digest, **described).model_dump_json())
    write_json(newest, manifest | {"sha256": _digest(manifest)})
    named = {name}
    with suppress(OSError, ValueError):
        named.add(_read_manifest(before).weights_file)
    for old in directory.glob(f"{stem.partition('-')[0]}-*.safetensors"):
        if old.name not in named:
            old.unlink()


def _read(directory: Path, kind: str) -> tuple[_Manifest, dict[str, np.ndarray], str]:
    """Return the newest whole manifest and its arrays, and what was refused for it."""
    refused = []
    for path in _manifests(directory, kind):
        if not path.exists():
            continue
        try:
            manifest = _read_manifest(path)
            content = (directory / Path(manifest.weights_file).name).read_bytes()
        except (ValueError, OSError) as error:
            refused.append(f"its {kind} cannot be read ({type(error).__name__})")
            continue
        if hashlib.sha256(content).hexdigest() != manifest.weights_sha256:
            refused.append(f"{manifest.weights_file} is damaged")
            continue
        damage = ""
        if refused:
            damage = f"Run {directory.name}: {refused[0]}; the one before it, of epoch {manifest.epoch}, is used."
            _log.warning("%s", damage)
        return manifest, load_tensors(content), damage
    raise ValueError(f"Run {directory.name}: {refused[0]}; train it again.")


def _read_manifest(path: Path) -> _Manifest:
    """Read a manifest.

    Raises:
        OSError: if it is not there.
        ValueError: if it is damaged.
    """
    content = path.read_bytes()
    manifest = _Manifest.model_validate_json(content)
    if manifest.sha256 and manifest.sha256 != _digest(json.loads(content)):
        raise ValueError(f"{path.name} is not what was written.")
    return manifest


def _digest(manifest: dict[str, object]) -> str:
    """Return the hash of what a manifest says besides, in whatever layout."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as one safetensors file, whole or not at all."""
    write_bytes(path, _pack(arrays))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a safetensors file."""
    return load_tensors(path.read_bytes())


def _pack(arrays: dict[str, np.ndarray]) -> bytes:
    # safetensors writes memory as it lies, so a transposed view would come back with its values mixed up.
    return save_tensors({name: np.asarray(values, order="C") for name, values in arrays.items()})
