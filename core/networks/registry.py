"""The networks there are, by name: the built-in ones, and those that users have made.

    names()                                   # the built-in ones first
    architecture = get_architecture("my-cnn")
    save(Architecture(name="my-cnn", description="…", layers=…))
    delete("my-cnn", used_by); restore("my-cnn")
    save_variant(changed)                     # for runs alone: on no list

A network of a user's is one file, `data_dir()/networks/NAME.json`; what a search makes of one, by the hundred, lies in
a folder of its own beside them. A name stands for the same layers for
good, also when it was deleted, so that what runs say about their network stays true.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from core.networks.layers import Architecture, Layer
from core.networks.pretrained import PRETRAINED
from core.networks.zoo import ARCHITECTURES
from core.system.files import make_folder, write_json
from core.system.paths import data_dir
from core.system.text import quoted, shortened
from core.system.trash import Trash

_BUILT_IN = ARCHITECTURES | {name: known.architecture for name, known in PRETRAINED.items()}

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def names() -> list[str]:
    """Return the names of the networks there are: the built-in ones first, then the others in alphabetical order."""
    return [*_BUILT_IN, *custom_names()]


def custom_names() -> list[str]:
    """Return the names of the networks that users have made, without deleted ones."""
    return sorted(path.stem for path in _place().glob("*.json") if _NAME.fullmatch(path.stem))


def get_architecture(name: str) -> Architecture:
    """Return the network called `name`.

    Raises:
        ValueError: if there is none, with those there are, or if its file is damaged.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if _NAME.fullmatch(name) and (variant := _variants() / f"{name}.json").exists():
        return _read(variant)
    if name not in custom_names():
        raise ValueError(f"Network (--architecture): expected one of {', '.join(names())}, received {quoted(name)}.")
    return _read(_place() / f"{name}.json")


def get_including_deleted(name: str) -> Architecture:
    """Return the network that a run was launched with, also if it was deleted since.

    Raises:
        ValueError: if there never was one of that name, or its file is damaged.
    """
    deleted = _trash().find(name)
    return _read(deleted) if deleted else get_architecture(name)


def save(architecture: Architecture) -> None:
    """Keep a network under its name; one that is there already with the same layers stays as it is.

    Raises:
        ValueError: if the name is none, or stands for other layers.
    """
    name = architecture.name
    if not _NAME.fullmatch(name):
        raise ValueError(
            "Name: expected 1 to 40 small letters, digits and hyphens, such as my-cnn, not beginning with a hyphen, "
            f"received {quoted(name[:60])}."
        )
    if name in _BUILT_IN:
        raise ValueError(f"Name: {name} is a network that comes with Duet: choose another name.")
    with _lock():
        path, deleted = _place() / f"{name}.json", _trash().find(name)
        for known in (path, deleted):
            if known and known.exists() and _read(known).layers != architecture.layers:
                which = "another network" if known == path else "a network that was deleted"
                raise ValueError(f"Name: {name} is the name of {which}, with other layers: choose another name.")
        if path.exists():
            return
        if deleted:
            _trash().restore(name)
        else:
            write_json(path, architecture.model_dump(mode="json"))


def save_variant(layers: tuple[Layer, ...], base: Architecture, changes: str) -> str:
    """Keep what was made of a network by changing settings of its layers, for runs to train; return its name.

    The same layers get the same name. It is on no list: `names` does not have it.
    """
    digest = hashlib.sha256(Architecture(name="", description="", layers=layers).model_dump_json().encode()).hexdigest()
    name = f"{base.name[:31]}-{digest[:8]}"
    path = _variants() / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        description = f"{base.name} with {changes}."
        write_json(path, Architecture(name=name, description=description, layers=layers).model_dump(mode="json"))
    return name


def delete(name: str, used_by: Callable[[str], list[str]]) -> None:
    """Take a user's network away; `restore` brings it back. Runs that have ended keep their own description.

    Args:
        used_by: gives the ids of the runs that wait or train with a network.

    Raises:
        ValueError: if there is none of that name, it is built in, or runs wait or train with it.
    """
    if name in _BUILT_IN:
        raise ValueError(f"{name} comes with Duet and cannot be deleted.")
    if name not in custom_names():
        raise ValueError(f"Expected the name of a network, received {quoted(name)}.")
    if runs := used_by(name):
        raise ValueError(
            f"{name} cannot be deleted while runs wait or train with it: stop {shortened(runs)}, or wait for their end."
        )
    with _lock():
        _trash().delete(name)


def restore(name: str) -> None:
    """Bring back a network that was deleted.

    Raises:
        ValueError: if none of that name was deleted, or it is there again.
    """
    with _lock():
        _trash().restore(name)


def free_name(base: str) -> str:
    """Return a name for a changed copy of the network `base` that stands for nothing yet."""
    stem = f"my-{base.removeprefix('my-')[:30]}"
    taken = {*names(), *_trash().names()}
    return next(name for name in (stem, *(f"{stem}-{i}" for i in range(2, 10_000))) if name not in taken)


def _read(path: Path) -> Architecture:
    try:
        return Architecture.model_validate_json(path.read_bytes())
    except ValueError:
        name = path.stem.partition("~")[0]
        raise ValueError(f"Network {name}: its file {path} is damaged: delete it, and make it again.") from None


def _place() -> Path:
    return make_folder(data_dir() / "networks")


def _variants() -> Path:
    return _place() / "variants"


def _trash() -> Trash:
    return Trash("network", _place(), data_dir() / "trash" / "networks", ".json")


def _lock() -> FileLock:
    return FileLock(data_dir() / "networks.lock")
