"""What can become of the files in which a run keeps its weights, its predictions and where it was: each a function.

    DAMAGED_WEIGHTS["weights of another shape"](run_directory(run_id))
    keep_state(run_id, config)                      # a whole one
    DAMAGED_STATES["an empty state"](run_directory(run_id))

Those of the first kind are found by a checksum. Of the second kind the checksums are made anew, as somebody would who
wants Duet to open what it must not; so only the content tells.
"""

import hashlib
import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as save_safetensors

from core.config import RunConfig
from core.networks.layers import weight_shapes
from core.networks.registry import get_architecture
from core.runs.predictions import Part, Predictions, write_predictions
from core.system.paths import run_directory
from core.system.tensors import Arrays, pack, unpack
from core.training import checkpoints
from core.training.records import Progress

Damage = Callable[[Path], None]

GIGABYTES = 3 * 2**30


def keep_state(run_id: str, config: RunConfig) -> None:
    """Keep a state to go on from as a training on MNIST would."""
    architecture, images, classes = get_architecture(config.architecture), (28, 28, 1), 10
    description = checkpoints.Description(
        config=config,
        architecture=architecture,
        input_shape=images,
        class_names=tuple("0123456789"),
        preparation="handwriting",
        fingerprint="0123",
    )
    shapes = weight_shapes(architecture, images, classes)
    state = {f"weights/{name}": np.ones(shape, np.float32) for name, shape in shapes.items()}
    run_directory(run_id).mkdir(parents=True, exist_ok=True)
    checkpoints.save_state(run_directory(run_id), Progress(step=5), state | {"steps": np.array(5)}, description)


def _manifest(directory: Path, kind: str = "checkpoint") -> dict[str, Any]:
    return json.loads((directory / f"{kind}.json").read_text())


def _weights_file(directory: Path, kind: str = "checkpoint") -> Path:
    return directory / _manifest(directory, kind)["weights_file"]


def rewrite(
    directory: Path,
    arrays: Callable[[Arrays], Arrays] | None = None,
    content: Callable[[bytes], bytes] | None = None,
    manifest: Callable[[dict[str, Any]], None] | None = None,
    kind: str = "checkpoint",
) -> None:
    """Change what a manifest names, or the manifest, and make all checksums anew; nothing is left to fall back on."""
    told, file = _manifest(directory, kind), _weights_file(directory, kind)
    whole = file.read_bytes()
    if arrays:
        whole = pack(arrays(dict(unpack(whole).arrays)))
    if content:
        whole = content(whole)
    file.write_bytes(whole)
    del told["sha256"]
    told["weights_sha256"] = hashlib.sha256(whole).hexdigest()
    if manifest:
        manifest(told)
    told["sha256"] = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    (directory / f"{kind}.json").write_text(json.dumps(told))
    (directory / f"{kind}-before.json").unlink(missing_ok=True)


def _cut(file: Path, share: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])


def _flip(file: Path, position: int) -> None:
    broken = bytearray(file.read_bytes())
    broken[position] ^= 1
    file.write_bytes(broken)


def _grow(file: Path, size: int) -> None:
    """Let a file be large without taking room on the disk."""
    with file.open("r+b") as opened:
        opened.truncate(size)


def _become_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _on_newest(damage: Callable[[Path], None], kind: str = "checkpoint") -> Damage:
    """Damage the file of weights, and leave none to fall back on."""

    def apply(directory: Path) -> None:
        (directory / f"{kind}-before.json").unlink(missing_ok=True)
        damage(_weights_file(directory, kind))

    return apply


def _on_manifest(damage: Callable[[Path], Any]) -> Damage:
    """Damage the newest manifest, and leave none to fall back on."""

    def apply(directory: Path) -> None:
        (directory / "checkpoint-before.json").unlink(missing_ok=True)
        damage(directory / "checkpoint.json")

    return apply


def _first(arrays: Arrays) -> str:
    return next(name for name in sorted(arrays) if arrays[name].ndim > 1)


def _change_first(change: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> Arrays:
    name = _first(arrays)
    return arrays | {name: change(arrays[name])}


def _with_nan(values: np.ndarray) -> np.ndarray:
    found = values.copy()
    found.flat[found.size // 2] = np.nan
    return found


def _promise(name: str, shape: list[int]) -> bytes:
    header = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * int(np.prod(shape))]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(64)


def _describe_otherwise(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda told: told["description"].update(values)


def _weights(**changes: Any) -> Damage:
    return partial(rewrite, **changes)


DAMAGED_WEIGHTS: dict[str, Damage] = {
    "no file of weights": _on_newest(Path.unlink),
    "empty weights": _on_newest(lambda file: file.write_bytes(b"")),
    "cut weights": _on_newest(lambda file: _cut(file, 0.7)),
    "a bit of the weights": _on_newest(lambda file: _flip(file, -5)),
    "a folder of weights": _on_newest(_become_folder),
    "gigabytes behind the weights": _on_newest(lambda file: _grow(file, GIGABYTES)),
    "a cut manifest": _on_manifest(lambda file: _cut(file, 0.5)),
    "a manifest of gigabytes": _on_manifest(lambda file: _grow(file, GIGABYTES)),
    "a checksum of other weights": _on_manifest(
        lambda file: file.write_text(json.dumps(json.loads(file.read_bytes()) | {"weights_sha256": "0" * 64}))
    ),
    # From here on with checksums made anew.
    "weights of another shape": _weights(arrays=partial(_change_first, lambda values: values[:-1])),
    "turned weights": _weights(arrays=partial(_change_first, lambda values: values.T)),
    "flat weights": _weights(arrays=partial(_change_first, np.ravel)),
    "no number in the weights": _weights(arrays=partial(_change_first, _with_nan)),
    "whole numbers as weights": _weights(arrays=partial(_change_first, lambda values: values.astype(np.int64))),
    "halves as weights": _weights(arrays=partial(_change_first, lambda values: values.astype(np.float16))),
    "doubles as weights": _weights(arrays=partial(_change_first, lambda values: values.astype(np.float64))),
    "a missing weight": _weights(
        arrays=lambda arrays: {name: values for name, values in arrays.items() if name != _first(arrays)}
    ),
    "one weight too many": _weights(arrays=lambda arrays: arrays | {"\x1b[2J/kernel": np.zeros((1, 1), np.float32)}),
    "a weight by another name": _weights(
        arrays=lambda arrays: {name.replace("dense_1", "dense_9"): values for name, values in arrays.items()}
    ),
    "no weights at all": _weights(arrays=lambda _: {}),
    "a header of gigabytes": _weights(content=lambda whole: GIGABYTES.to_bytes(8, "little") + whole[8:]),
    "a header beyond all bounds": _weights(content=lambda whole: b"\xff" * 8 + whole[8:]),
    "a header that promises gigabytes": _weights(content=lambda _: _promise("dense_1/kernel", [784, 1_000_000])),
    "a type that NumPy has not": _weights(content=lambda whole: whole.replace(b'"F32"', b'"BF8"')),
    "a pickle": _weights(content=lambda _: pickle.dumps({"dense_1/kernel": [1.0]})),
    "nothing, with its checksum": _weights(content=lambda _: b""),
    "a class too few": _weights(manifest=lambda told: told["description"]["class_names"].pop()),
    "no classes": _weights(manifest=_describe_otherwise(class_names=[])),
    "images of no size": _weights(manifest=_describe_otherwise(input_shape=[0, 28, 1])),
    "images of another size": _weights(manifest=_describe_otherwise(input_shape=[32, 32, 3])),
    "images beyond all bounds": _weights(manifest=_describe_otherwise(input_shape=[10**9, 10**9, 1])),
    "a network without layers": _weights(
        manifest=_describe_otherwise(architecture={"name": "x", "description": "", "layers": []})
    ),
    "a scaling of no numbers": _weights(
        manifest=_describe_otherwise(standard_scaling={"multiply": [float("nan")], "then_add": [0.0]})
    ),
    "a scaling of too many channels": _weights(manifest=_describe_otherwise(standard_scaling=[[1.0] * 7, [0.0] * 7])),
    "weights beyond the folder": _weights(manifest=lambda told: told.update(weights_file="../../../etc/passwd")),
}
"""By name. Each concerns the newest checkpoint and leaves none to fall back on."""


def _predictions(part: Part, change: Callable[[Predictions], Predictions]) -> Damage:
    """Change predictions, with their checksum made anew."""

    def apply(directory: Path) -> None:
        arrays = unpack((directory / f"{part}.safetensors").read_bytes()).arrays
        write_predictions(directory, part, change(Predictions(**arrays)))

    return apply


def _without_checksum(part: Part, change: Callable[[Arrays], Arrays]) -> Damage:
    """Change predictions as an earlier version of Duet wrote them."""

    def apply(directory: Path) -> None:
        file = directory / f"{part}.safetensors"
        file.write_bytes(save_safetensors(change(dict(unpack(file.read_bytes()).arrays))))

    return apply


def _of_another_run(part: Part) -> Damage:
    def apply(directory: Path) -> None:
        file = directory / f"{part}.safetensors"
        write_predictions(directory.with_name("0123456789ab"), part, Predictions(**unpack(file.read_bytes()).arrays))
        (directory.with_name("0123456789ab") / file.name).replace(file)

    def prepared(directory: Path) -> None:
        directory.with_name("0123456789ab").mkdir(exist_ok=True)
        apply(directory)
        directory.with_name("0123456789ab").rmdir()

    return prepared


def _of_part(part: Part) -> dict[str, Damage]:
    def on(damage: Callable[[Path], Any]) -> Damage:
        return lambda directory: damage(directory / f"{part}.safetensors")

    return {
        f"empty {part} predictions": on(lambda file: file.write_bytes(b"")),
        f"{part} predictions cut in their header": on(lambda file: file.write_bytes(file.read_bytes()[:40])),
        f"cut {part} predictions": on(lambda file: _cut(file, 0.9)),
        f"a bit of the {part} predictions": on(lambda file: _flip(file, -5)),
        f"a folder of {part} predictions": on(_become_folder),
        f"gigabytes of {part} predictions": on(lambda file: _grow(file, 2 * GIGABYTES)),
        f"{part} predictions of another run": _of_another_run(part),
        f"a header of gigabytes before the {part} predictions": on(
            lambda file: file.write_bytes(GIGABYTES.to_bytes(8, "little") + file.read_bytes()[8:])
        ),
        f"no number in the {part} predictions": _predictions(
            part, lambda found: found._replace(probabilities=_with_nan(found.probabilities))
        ),
        f"a label too high in the {part} predictions": _predictions(
            part, lambda found: found._replace(labels=np.where(found.labels == 3, 99, found.labels))
        ),
        f"labels too few in the {part} predictions": _predictions(
            part, lambda found: found._replace(labels=found.labels[:-1])
        ),
        f"{part} probabilities of no sense": _predictions(
            part, lambda found: found._replace(probabilities=found.probabilities * 7)
        ),
        f"no number in {part} predictions without a checksum": _without_checksum(
            part, lambda arrays: arrays | {"probabilities": _with_nan(arrays["probabilities"])}
        ),
        f"other arrays as {part} predictions": _without_checksum(part, lambda arrays: {"labels": arrays["labels"]}),
    }


DAMAGED_TEST_PREDICTIONS: dict[str, Damage] = {
    "no test predictions": lambda directory: (directory / "test.safetensors").unlink(),
    **_of_part("test"),
    "test predictions of other images, without a checksum": _without_checksum(
        "test", lambda arrays: {name: values[:500] for name, values in arrays.items()}
    ),
}
DAMAGED_VALIDATION_PREDICTIONS: dict[str, Damage] = _of_part("validation")

DAMAGED_FAMILIARITY: dict[str, Damage] = {
    "empty familiarity": lambda directory: (directory / "familiarity.safetensors").write_bytes(b""),
    "cut familiarity": lambda directory: _cut(directory / "familiarity.safetensors", 0.8),
    "a bit of the familiarity": lambda directory: _flip(directory / "familiarity.safetensors", -5),
    "other arrays as familiarity": lambda directory: (directory / "familiarity.safetensors").write_bytes(
        save_safetensors({"labels": np.zeros(3)})
    ),
}

DAMAGED_STATES: dict[str, Damage] = {
    "no file of the state": _on_newest(Path.unlink, "state"),
    "an empty state": _on_newest(lambda file: file.write_bytes(b""), "state"),
    "a cut state": _on_newest(lambda file: _cut(file, 0.5), "state"),
    "a state of gigabytes": _on_newest(lambda file: _grow(file, GIGABYTES), "state"),
    "a state with weights of another shape": _weights(
        arrays=partial(_change_first, lambda values: values[:-1]), kind="state"
    ),
    "a state with no number in its weights": _weights(arrays=partial(_change_first, _with_nan), kind="state"),
    "a state without its progress": _weights(manifest=lambda told: told.update(progress=None), kind="state"),
    "a state before its start": _weights(manifest=lambda told: told["progress"].update(step=-1), kind="state"),
    "a state after its end": _weights(manifest=lambda told: told["progress"].update(epoch=10**9), kind="state"),
}
