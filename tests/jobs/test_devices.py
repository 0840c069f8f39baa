"""Devices: asked for in a process of their own, known without importing a framework."""

import json
from types import SimpleNamespace
from typing import get_args

import psutil
import pytest

from core.config import Framework, configure
from core.engines import available_cores, get_engine
from core.jobs import devices
from core.jobs.devices import Device, Devices, known_devices
from core.system import background

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
            '{"pytorch": null, "keras": null}',
            '{"pytorch": ["cpu"], "keras": ["cpu"]}',
            '{"pytorch": [{"name": "cpu"}], "keras": [{"name": "cpu"}]}',
            '{"pytorch": [{"name": "cpu", "title": "CPU", "memory": 1}], "keras": [{"memory": 1}]}',
        ],
    )
    def test_are_the_cpu_where_the_answer_is_no_use(self, framework, content, duet_home):
        (duet_home / "devices.json").write_text(content)

        assert known_devices(framework) == UNKNOWN

    def test_are_what_the_framework_says_once_asked(self, framework, capsys):
        assert devices.main() == 0

        expected = get_engine(framework).devices()
        assert json.loads(capsys.readouterr().out)[framework] == expected
        assert known_devices(framework) == Devices(tuple(Device(**device) for device in expected), probed=True)
        assert all(configure(device=device.name) for device in known_devices(framework).devices)


@pytest.fixture
def started(monkeypatch):
    """What is asked for in the background; this very process stands for the one that does it."""
    started = []

    def spawn(module, **_options):
        started.append(module)
        return psutil.Process()

    monkeypatch.setattr(background, "spawn", spawn)
    return started


@pytest.fixture
def asked(monkeypatch):
    """Frameworks that answer at once have been asked."""
    monkeypatch.setattr(devices, "get_engine", lambda _framework: SimpleNamespace(devices=list))
    devices.main()


def test_asking_happens_in_another_process(started):
    assert devices.refresh_in_background()

    assert started == ["core.jobs.devices"]
    assert not devices.refresh_in_background()  # as it goes on
    assert len(started) == 1


@pytest.mark.usefixtures("asked")
def test_nobody_is_asked_again_while_all_is_as_it_was(started):
    assert not devices.refresh_in_background()
    assert started == []


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("where", "what", "instead"),
    [
        (devices.sys, "executable", "/another/python"),
        (devices.sysconfig, "get_path", lambda _name: "/"),  # a package came or went
        (devices.psutil, "boot_time", lambda: 1.0),
        (devices, "_DEVICE_NODES", ("null",)),  # as a driver's would appear
        (devices, "available_cores", lambda: 3),
    ],
)
def test_asked_again_once_something_has_changed(started, monkeypatch, where, what, instead):
    monkeypatch.setattr(where, what, instead)

    devices.refresh_in_background()

    assert len(started) == 1


@pytest.mark.usefixtures("asked")
def test_asked_again_when_other_devices_are_to_be_seen(started, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")

    devices.refresh_in_background()

    assert len(started) == 1


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"pytorch": [], "keras": []}'])
def test_asked_again_where_the_answer_is_no_use(started, content, duet_home):
    (duet_home / "devices.json").write_text(content)

    devices.refresh_in_background()

    assert len(started) == 1
