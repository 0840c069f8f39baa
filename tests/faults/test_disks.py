"""On a disk that is full or read-only, all that only reads goes on, all else is a sentence, and nothing is lost."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from core.cli import COMMANDS
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.inference.answers import Prediction
from core.inference.service import prediction_service
from core.runs import Store
from core.system.paths import PROJECT
from tests import processes
from tests.browser.app import Server
from tests.page import plain
from tests.sample_data import make_dataset, noise
from tests.sample_data import store as keep_dataset
from tests.session import PageSession

PAGES = sorted("" if path.stem == "home" else path.stem for path in (PROJECT / "pages").glob("*.py"))
NO_ROOM = {"full": "No space left on device. Free some room", "read-only": "Read-only file system. Set DUET_HOME"}
"""What the system says, for what is no database."""
NOT_KEPT = NO_ROOM | {"full": "Disk I/O error: that disk is full, or it fails. Free some room"}
"""What is said of the runs' database: SQLite does not tell a full disk from a failing one."""

pytestmark = pytest.mark.slow


@dataclass
class Disk:
    """A small file system in memory, with a home that has a finished run, a data set, and no room for MNIST."""

    home: Path
    run_id: str
    image: Path
    state: Literal["full", "read-only"]

    def refuse(self) -> None:
        if self.state == "full":
            with suppress(OSError), (self.home / "filler").open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        else:
            self._mount("remount,ro")

    def allow(self) -> None:
        if self.state == "full":
            (self.home / "filler").unlink()
        else:
            self._mount("remount,rw")

    def content(self) -> dict[str, str]:
        """Return the hash of each file that must stay what it is; locks and what SQLite keeps beside are made anew."""
        passing = (".lock", "-shm", "-wal", ".log", "filler")
        return {
            str(path.relative_to(self.home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.home.rglob("*")
            if path.is_file() and not path.name.endswith(passing)
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "core", *arguments],
            cwd=PROJECT,
            env={**os.environ, "DUET_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "duet-faults", str(self.home.parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here ({done.stderr.strip()})")


@pytest.fixture(scope="module", params=["full", "read-only"])
def disk(
    request: pytest.FixtureRequest, trained_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place = tmp_path_factory.mktemp("disk")
    image = tmp_path_factory.mktemp("image") / "seven.png"
    image.write_bytes(png(load("mnist").test.images[0]))
    disk = Disk(place / "home", "", image, request.param)
    disk._mount("size=24m")
    try:
        shutil.copytree(trained_home, disk.home, ignore=shutil.ignore_patterns("datasets", "*.log", "*.lock"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DUET_HOME", str(disk.home))
            keep_dataset(make_dataset(noise(10), np.tile([0, 1], 5), noise(4, seed=1), np.tile([0, 1], 2)))
            store = Store(f"sqlite:///{disk.home / 'duet.sqlite3'}")
            disk.run_id = store.find(states=("done",))[0].id
            store.close()  # a disk with open files would not become read-only
            disk.refuse()
            yield disk
            prediction_service("pytorch").close()
            processes.end(disk.home)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


READS = {
    "runs": [],
    "datasets": [],
    "networks": [],
    "recipes": [],
    "predict": ["{run}", "{image}"],
    "export": ["{run}", "--format", "pytorch-script", "--output", "{image}.py"],
}
WRITES = {
    "train": ["--architecture", "ann-100", "--dataset", "tiny", "--epochs", "1"],
    "replicate": ["--recipe", "ann-100", "--quick"],
    "parity": ["--architecture", "ann-100", "--optimizer", "sgd", "--steps", "1"],
}


@pytest.mark.parametrize("name", [*COMMANDS, "runs tag", "runs check", "datasets import"])
def test_each_command_reads_or_says_what_to_do(disk: Disk, name: str) -> None:
    """One that is new, and not told of above, is tried without arguments where it asks for none."""
    before = disk.content()
    more = {"runs tag": [disk.run_id, "x"], "runs check": [], "datasets import": [str(disk.image.parent)]}
    arguments = READS.get(name) or WRITES.get(name) or more.get(name) or ([] if name in READS else ["--help"])

    done = disk.command(*name.split(), *(each.format(run=disk.run_id, image=disk.image) for each in arguments))

    assert "Traceback" not in done.stderr
    if name in (*READS, "runs check"):
        assert done.returncode == 0, done.stderr
    if name in ("runs", "predict"):
        assert done.stdout.count("\n") == {"runs": 2, "predict": 1}[name]
    if name == "datasets":
        assert done.stdout.startswith("tiny ")
        assert f"MNIST cannot be unpacked in {disk.home}/datasets: {NO_ROOM[disk.state]}" in done.stderr
    if name in ("train", "runs tag"):
        assert (done.returncode, NOT_KEPT[disk.state] in done.stderr) == (1, True)
    assert before.items() <= disk.content().items()


def test_finished_network_predicts(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_HOME", str(disk.home))

    assert isinstance(prediction_service("pytorch").read(disk.run_id, disk.image.read_bytes(), "seven.png"), Prediction)


def test_server_starts_and_shows_each_page(disk: Disk, tmp_path: Path) -> None:
    before = disk.content()
    server = Server(disk.home, log=tmp_path / "server.log")
    server.start()
    try:
        with PageSession(server.url) as session:
            for address, query in [
                *((page, {}) for page in PAGES),
                ("results", {"run": disk.run_id}),
                ("data", {"dataset": "tiny"}),
                *(("data", {"dataset": "tiny", "view": view}) for view in ("Images", "Health", "Map")),
                *(("compare", {"comparison": view}) for view in ("Seeds", "Parity")),
                ("predict", {"run": disk.run_id, "from": "Test image"}),
            ]:
                session.open(address, **query)
                assert session.failures == [], (address, query)
                told = [plain(alert) for alert in session.alerts]
                assert f"All can be looked at, but nothing can be kept. {NOT_KEPT[disk.state]}" in told[0]
                if address == "data" and not query:
                    assert any("MNIST cannot be unpacked" in sentence for sentence in told[1:])
    finally:
        server.close()
    assert "Traceback" not in server.log
    assert before.items() <= disk.content().items()


def test_all_goes_on_where_there_is_room_again(disk: Disk) -> None:
    disk.allow()

    tagged = disk.command("runs", "tag", disk.run_id, "kept", "--json")
    checked = disk.command("runs", "check")

    assert json.loads(tagged.stdout)[0]["tags"] == ["kept"]
    assert [line.split()[1] for line in checked.stdout.splitlines()] == ["whole", "whole"]
