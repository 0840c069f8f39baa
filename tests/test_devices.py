"""Devices: asked for in a process of their own, known without importing a framework."""

import json
import subprocess
from typing import get_args

import pytest

from core import devices
from core.backends import available_cores, get_backend
from core.config import Framework, configure
from core.devices import Device, Devices, known_devices

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)
UNKNOWN = Devices((Device("cpu", f"CPU, {available_cores()} cores"),), probed=False)


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestKnownDevices:
    def test_are_the_cpu_before_anybody_has_asked(self, framework):
        assert known_devices(framework) == UNKNOWN

    def test_are_those_that_were_found(self, framework, duet_home):
        found = [{"name": "cpu", "title": "CPU, 8 cores"}, {"name": "gpu:0", "title": "Größe 1"}]
        (duet_home / "devices.json").write_text(json.dumps(dict.fromkeys(FRAMEWORKS, found)))

        assert known_devices(framework) == Devices(
            (Device("cpu", "CPU, 8 cores"), Device("gpu:0", "Größe 1")), probed=True
        )

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "null",
            "[]",
            "{}",
            '{"pytorch": null, "tensorflow": null}',
            '{"pytorch": ["cpu"], "tensorflow": ["cpu"]}',
            '{"pytorch": [{"name": "cpu"}], "tensorflow": [{"name": "cpu"}]}',
            '{"pytorch": [{"name": "cpu", "title": "CPU", "memory": 1}], "tensorflow": [{"memory": 1}]}',
        ],
    )
    def test_are_the_cpu_where_the_answer_is_no_use(self, framework, content, duet_home):
        (duet_home / "devices.json").write_text(content)

        assert known_devices(framework) == UNKNOWN

    def test_are_what_the_framework_says_once_asked(self, framework, capsys):
        assert devices.main() == 0

        expected = get_backend(framework).devices()
        assert json.loads(capsys.readouterr().out)[framework] == expected
        assert known_devices(framework) == Devices(tuple(Device(**device) for device in expected), probed=True)
        assert all(configure(device=device.name) for device in known_devices(framework).devices)


def test_asking_happens_in_another_process(monkeypatch):
    started = []
    monkeypatch.setattr(devices, "spawn", lambda module, **options: started.append((module, options)))

    devices.refresh_in_background()

    assert started == [("core.devices", {"log": subprocess.DEVNULL})]
