"""What each framework can compute on here, found out in a process of its own.

    devices = known_devices("keras")     # at once: what was found last time, or just the CPU
    refresh_in_background()                   # once a start: asks both again, if the answer may be another one

`python -m core.jobs.devices` asks both and prints the answer; it is what runs in the background. That imports two
frameworks, so it is left out while nothing has changed that the answer depends on.
"""

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple, get_args

import psutil

from core.config import Framework
from core.engines import available_cores, get_engine
from core.system.background import Job
from core.system.files import write_json
from core.system.paths import data_dir


class Device(NamedTuple):
    """A processor that a framework can use: its name in a run's settings and a description."""

    name: str
    title: str


class Devices(NamedTuple):
    """The devices of a framework; `probed` is False while nobody has asked it yet."""

    devices: tuple[Device, ...]
    probed: bool


def known_devices(framework: Framework) -> Devices:
    """Return the devices of a framework without importing it."""
    try:
        found = _last_answer()[framework]
        return Devices(tuple(Device(**device) for device in found), probed=True)
    except (OSError, ValueError, KeyError, TypeError):  # nobody has asked yet, or the answer is another version's
        return Devices((Device("cpu", f"CPU, {available_cores()} cores"),), probed=False)


def refresh_in_background() -> bool:
    """Start a process that asks both frameworks; `known_devices` knows the answer when it has ended.

    Returns:
        Whether one was started. None is while another one asks, nor where the answer that is there was given under
        the same circumstances.
    """
    return Job(data_dir() / "devices").start("core.jobs.devices", unless=_is_current)


def _is_current() -> bool:
    """Say whether the last answer was given under the same circumstances."""
    try:
        return _last_answer()["under"] == _cache_key()
    except (OSError, ValueError, KeyError, TypeError):  # as in `known_devices`
        return False


def _cache_key() -> dict[str, Any]:
    """Return what decides which devices there are: packages and drivers come and go, and so do cards."""
    return {
        "python": sys.executable,
        "packages": Path(sysconfig.get_path("purelib")).stat().st_mtime_ns,
        "boot": int(psutil.boot_time()),
        "nodes": sorted(str(node) for kind in _DEVICE_NODES for node in Path("/dev").glob(kind)),
        "chosen": {name: os.environ.get(name) for name in _CHOOSING},
        "cores": available_cores(),
    }


# What Linux's drivers of NVIDIA, AMD and Intel, and of Windows's Linux, make in /dev.
_DEVICE_NODES = ("nvidia*", "kfd", "dri/*", "dxg")
_CHOOSING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LD_LIBRARY_PATH")


def _last_answer() -> dict[str, Any]:
    return json.loads(_file().read_text())


def _file() -> Path:
    return data_dir() / "devices.json"


def main() -> int:
    """Ask both frameworks, remember the answer and print it."""
    under = _cache_key()
    found = {framework: get_engine(framework).devices() for framework in get_args(Framework)}
    write_json(_file(), {**found, "under": under})
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
