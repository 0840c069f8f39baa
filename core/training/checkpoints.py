"""A run's network on disk: safetensors in the canonical layout, and JSON that rebuilds it.

    save(directory, epoch, weights, description)
    checkpoint = load(directory)
    checkpoint.description.architecture, checkpoint.weights

    keep_epoch_weights(directory, epoch, weights)                   # of epochs 1, 2, 4, 8 and so on, to look back at
    load(directory, epoch=4), epochs_with_weights(directory)

    save_state(directory, progress, state, description)     # what it takes to go on from there
    resumable = load_state(directory)

A manifest is written last and holds the hash of the arrays it names, and its own: while it is not there,
the one before is the newest whole one. The newest two are kept, and one that is not what was written is
refused for the one before; so is one whose hashes are right, but whose weights do not fit its network or are no
numbers. Nothing is ever unpickled.
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator

from core.config import RunConfig
from core.datasets.specification import FORMER_PREPARATIONS, Fit, Preparation
from core.engines.normalization import FIXED, Scaling
from core.networks.layers import Architecture, Shape, check_network, weight_shapes
from core.system.files import write_bytes, write_json
from core.system.tensors import digest, pack, read_bounded, unpack
from core.system.text import printable, quoted
from core.training.records import Progress

_log = logging.getLogger("duet")

_MOST_MANIFEST_BYTES = 64 * 2**20
_MOST_HEADER_BYTES = 2**20
_MOST_SIDE = 10_000  # of an image, in pixels
_MOST_KEPT_BYTES = 32 * 2**20
"""Weights that are larger are not kept of epochs to look back at."""
_EPOCH_FILE = re.compile(r"epoch-(\d{4,9})\.safetensors")
_STATE_COPIES = 16
"""A state has the weights, their average and what the optimizer keeps of each: never as many numbers as so many of all
weights, even where the network is a small one beside the state of the random numbers."""


class DamagedStateError(ValueError):
    """What a run has kept to go on from is not what was written."""


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

    @field_validator("input_shape")
    @classmethod
    def _refuse_what_is_no_image(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if not all(1 <= side <= _MOST_SIDE for side in value):
            raise ValueError(f"expected height, width and channels, each from 1 to {_MOST_SIDE:,}, received {value}")
        return value

    @field_validator("standard_scaling")
    @classmethod
    def _refuse_what_scales_to_no_number(cls, value: Scaling | None) -> Scaling | None:
        if value is not None and not all(math.isfinite(each) for part in value for each in part):
            raise ValueError(f"expected numbers to scale pixels by, received {value}")
        return value

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


def load(directory: Path, epoch: int | None = None) -> Checkpoint:
    """Read the newest whole checkpoint of a run, or the weights that were kept of an `epoch`.

    Raises:
        ValueError: if there is none, or what is there is not what was written.
    """
    if not _exists(directory, "checkpoint"):
        raise ValueError(f"Run {directory.name} has no checkpoint yet: one is written after its first epoch.")
    manifest, weights, damage = _read(directory, "checkpoint")
    newest = Checkpoint(manifest.epoch, manifest.description, weights, damage)
    return newest if epoch in (None, newest.epoch) else _load_epoch(directory, epoch, newest.description)


def keep_epoch_weights(directory: Path, epoch: int, weights: dict[str, np.ndarray]) -> None:
    """Keep the weights after epochs 1, 2, 4, 8 and so on to look back at: a network changes most at first.

    Nothing happens after other epochs, or where weights are large.
    """
    if epoch & (epoch - 1) == 0 and sum(values.nbytes for values in weights.values()) <= _MOST_KEPT_BYTES:
        write_bytes(_epoch_file(directory, epoch), pack(weights, {"sha256": digest(weights)}))


def epochs_with_weights(directory: Path) -> list[int]:
    """Return the epochs whose weights a run has kept, ascending; the last one is the checkpoint's."""
    newest = None
    for path in reversed(_manifests(directory, "checkpoint")):
        with suppress(OSError, ValueError):  # it is not there, or damaged
            newest = _read_manifest(path).epoch
    if newest is None:
        return []
    matches = (_EPOCH_FILE.fullmatch(path.name) for path in directory.glob("epoch-*.safetensors"))
    return [*sorted(epoch for match in matches if match and (epoch := int(match[1])) < newest), newest]


def _load_epoch(directory: Path, epoch: int, description: Description) -> Checkpoint:
    expected = _expected_weights(description)
    try:
        arrays, metadata = unpack(read_bounded(_epoch_file(directory, epoch), _most_bytes(expected)))
        if metadata.get("sha256") != digest(arrays):
            raise ValueError("they are not what was written")
        _check_weights(arrays, expected, description)
    except FileNotFoundError:
        kept = ", ".join(map(str, epochs_with_weights(directory)))
        raise ValueError(
            f"Epoch (--epoch): expected one that run {directory.name} keeps ({kept}), received {epoch}."
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"Run {directory.name}: the weights of epoch {epoch} cannot be used ({error}).") from error
    return Checkpoint(epoch, description, arrays)


def _epoch_file(directory: Path, epoch: int) -> Path:
    return directory / f"epoch-{epoch:04}.safetensors"


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
        DamagedStateError: if what is there is not what was written.
    """
    if not _exists(directory, "state"):
        return None
    try:
        manifest, state, damage = _read(directory, "state")
    except ValueError as error:
        raise DamagedStateError(str(error)) from error
    assert manifest.progress is not None, "a state without its progress is refused"
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
    content = pack(arrays)
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
            expected = _expected_weights(manifest.description)
            file = directory / Path(manifest.weights_file).name
            content = read_bounded(file, _most_bytes(expected) * (1 if kind == "checkpoint" else _STATE_COPIES))
        except (ValueError, OSError) as error:
            refused.append(f"its {kind} cannot be read ({type(error).__name__})")
            continue
        if hashlib.sha256(content).hexdigest() != manifest.weights_sha256:
            refused.append(f"{printable(manifest.weights_file)} is damaged")
            continue
        try:
            arrays = unpack(content).arrays
            if kind == "checkpoint":
                _check_weights(arrays, expected, manifest.description)
            else:
                _check_state(arrays, expected, manifest)
        except ValueError as error:
            refused.append(f"{printable(manifest.weights_file)} cannot be used ({error})")
            continue
        damage = ""
        if refused:
            damage = f"Run {directory.name}: {refused[0]}; the one before it, of epoch {manifest.epoch}, is used."
            _log.warning("%s", damage)
        return manifest, arrays, damage
    raise ValueError(f"Run {directory.name}: {refused[0]}; train it again.")


def _expected_weights(description: Description) -> dict[str, Shape]:
    """Return the shape of each weight that a network has, by name.

    Raises:
        ValueError: if what is described is no network for its images and classes.
    """
    images, classes = description.input_shape, len(description.class_names)
    check_network(description.architecture, images, classes)
    channels = images[-1]
    if any(len(part) not in (1, channels) for part in description.scaling):
        raise ValueError(f"expected a scaling for {channels} channels, received {description.scaling}")
    return weight_shapes(description.architecture, images, classes)


def _most_bytes(expected: Mapping[str, Shape]) -> int:
    """Return what a file of such weights takes at most, in float64."""
    return _MOST_HEADER_BYTES + 8 * sum(map(math.prod, expected.values()))


def _check_weights(weights: Mapping[str, np.ndarray], expected: Mapping[str, Shape], description: Description) -> None:
    """Refuse weights that are not those of a network.

    Raises:
        ValueError: if one is missing, is one too many, has another shape or type, or is not of numbers.
    """
    dtype = np.dtype(np.float64 if description.config.precision == "float64" else np.float32)
    for name in sorted(weights.keys() | expected.keys()):
        if name not in weights:
            raise ValueError(f"{name} is missing")
        if name not in expected:
            raise ValueError(f"{quoted(name[:100])} is none of this network's weights")
        values = weights[name]
        if (values.dtype, values.shape) != (dtype, expected[name]):
            raise ValueError(
                f"{name}: expected {dtype} {expected[name]}, received {values.dtype} {tuple(values.shape)}"
            )
        # An infinite one may be: the running variance of a batch norm, say, and the network predicts all the same.
        if np.isnan(values).any():
            raise ValueError(f"{name}: expected numbers, received some that are none (NaN)")


def _check_state(state: Mapping[str, np.ndarray], expected: Mapping[str, Shape], manifest: _Manifest) -> None:
    """Refuse a state whose weights are not those of its network, or that no training can go on from.

    What its optimizer and its random numbers need only the engine knows, and refuses.
    """
    weights = {name.removeprefix("weights/"): state[name] for name in state if name.startswith("weights/")}
    _check_weights(weights, expected, manifest.description)
    progress = manifest.progress
    if progress is None:
        raise ValueError("it does not say how far the training had come")
    if min(progress.step, progress.epoch, progress.seen, progress.images, progress.seconds) < 0:
        raise ValueError("it says that the training had come less far than its start")
    if not math.isfinite(progress.loss_sum) or progress.epoch > manifest.description.config.epochs:
        raise ValueError("it says that the training had come further than its end")


def _read_manifest(path: Path) -> _Manifest:
    """Read a manifest.

    Raises:
        OSError: if it is not there.
        ValueError: if it is damaged.
    """
    content = read_bounded(path, _MOST_MANIFEST_BYTES)
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
    write_bytes(path, pack(arrays))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a safetensors file.

    Raises:
        OSError: if it is not there.
        ValueError: if it is none, or cut off.
    """
    return unpack(path.read_bytes()).arrays
