"""The profile of a step: every operation once, the longest first, and shares of a whole."""

import pytest

from benchmarks.step_profile import as_markdown, measure
from core.config import FRAMEWORK_TITLES

OPERATIONS = {"pytorch": "addmm", "keras": "MatMul"}
each_framework = pytest.mark.parametrize("framework", FRAMEWORK_TITLES)


@pytest.mark.slow
@each_framework
def test_profile_accounts_for_the_whole_step(framework):
    shares = measure(framework, "ann-100", batch_size=8, steps=2)

    assert any(OPERATIONS[framework] in one.operation for one in shares)
    assert sum(one.share for one in shares) == pytest.approx(1)
    assert [one.milliseconds for one in shares] == sorted((one.milliseconds for one in shares), reverse=True)


@each_framework
def test_table_adds_up_what_it_does_not_show(framework):
    shares = measure(framework, "ann-100", batch_size=8, steps=2)

    text = as_markdown(framework, "ann-100", 8, shares, (200.0, 20.0), "command")

    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")][2:]
    assert rows[-1][1].strip() == "all others"
    assert sum(float(row[2]) for row in rows) == pytest.approx(sum(one.milliseconds for one in shares), abs=0.01)


@pytest.mark.slow
def test_limits_of_the_machine_are_those_of_real_work():
    from benchmarks.roof import machine_limits

    gflops, gigabytes = machine_limits()

    assert gflops > 1
    assert gigabytes > 0.1
