"""The benchmark of the store measures all that it promises, on a small one."""

import pytest

from benchmarks import store as benchmark


def test_a_small_store_is_filled_and_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(benchmark, "REPEATS", 1)

    benchmark.main(["--runs", "60", "--points", "60000"])

    table = capsys.readouterr().out
    for what in ("list: searched", "list: the whole page", "live tick of a running run", "curve of 6,000 points"):
        assert f"| {what} |" in table
    assert "of 6,000: yes." in table
