"""Memory that a step needs, by hand, and what is left of the machine, of a limit, and of a container."""

import math
import subprocess
import sys

import pytest

from core.jobs import memory
from core.networks.layers import layer_rows
from core.networks.zoo import ARCHITECTURES
from core.system.paths import PROJECT

MIB = 2**20


def rows(name):
    return layer_rows(ARCHITECTURES[name], (28, 28, 1), 10)


def test_needs_what_comes_to_each_layer_that_learns_and_the_largest_output():
    assert memory.step_bytes(rows("ann-100"), 64, "float32") == 64 * 4 * (784 + 100 + 100)
    kept = 28 * 28 + 14 * 14 * 64 + 7 * 7 * 32 + 4 * 4 * 32 + 100
    assert memory.step_bytes(rows("cnn-64-32-32"), 10, "float64") == 10 * 8 * (kept + 28 * 28 * 64)


def test_too_little_is_refused_in_figures(monkeypatch):
    monkeypatch.setattr(memory, "left_bytes", lambda: 300_000_000)
    memory.check(300_000_000)

    with pytest.raises(MemoryError, match="at least 301 MB of memory, of which 300 MB are left"):
        memory.check(301_000_000)


def test_this_machine_has_some_left():
    assert 0 < memory.left_bytes() < math.inf


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_a_limit_of_its_own_counts():
    code = """
import psutil, resource
from core.jobs.memory import left_bytes
most = psutil.Process().memory_info().vms + 50 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print(left_bytes())
"""
    left = int(subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=True).stdout)

    assert 30 * MIB < left <= 50 * MIB


@pytest.mark.parametrize(("most", "left"), [("200000000", 130_000_000), ("50000000", 0), ("max", math.inf)])
def test_the_limit_of_a_container_counts_without_what_it_can_give_back(monkeypatch, tmp_path, most, left):
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text(f"{most}\n")
    (tmp_path / "memory.current").write_text("100000000\n")
    (tmp_path / "memory.stat").write_text("anon 60000000\ninactive_file 30000000\n")

    assert memory._left_of_container() == left
