"""What each framework can compute on here, found out in a process of its own.

    devices = known_devices("tensorflow")     # at once: what was found last time, or just the CPU
    refresh_in_background()                   # once a start: asks both frameworks again

`python -m core.devices` asks both and prints the answer; it is what runs in the background.
"""

import json
import subprocess
import sys
from typing import NamedTuple, get_args

from core.backends import available_cores, get_backend
from core.checkpoints import write_json
from core.config import Framework
from core.home import home
from core.processes import spawn


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
        found = json.loads(_file().read_text())[framework]
        return Devices(tuple(Device(**device) for device in found), probed=True)
    except (OSError, ValueError, KeyError, TypeError):  # nobody has asked yet, or the answer is another version's
        return Devices((Device("cpu", f"CPU, {available_cores()} cores"),), probed=False)


def refresh_in_background() -> subprocess.Popen:
    """Start a process that asks both frameworks; `known_devices` knows the answer when it has ended."""
    return spawn("core.devices", log=subprocess.DEVNULL)


def _file():
    return home() / "devices.json"


def main() -> int:
    """Ask both frameworks, remember the answer and print it."""
    found = {framework: get_backend(framework).devices() for framework in get_args(Framework)}
    write_json(_file(), found)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
