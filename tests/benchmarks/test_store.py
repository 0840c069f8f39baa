"""The benchmark of the store measures all that it promises, on a small one."""

import pytest

from benchmarks import store as benchmark
from core.system.paths import PROJECT


@pytest.mark.slow  # it opens every page
def test_a_small_store_is_filled_and_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(benchmark, "REPEATS", 1)

    benchmark.main(["--runs", "60", "--points", "60000"])

    table = capsys.readouterr().out
    pages = [f"page: {path.stem.capitalize()}" for path in (PROJECT / "pages").glob("*.py")]
    views = ["page: Results, its errors", "page: Compare, settings", "page: Compare, a pair"]
    for what in ("list: searched", "table: by learning rate", *pages, *views, "curve of 6,000 points"):
        assert f"| {what} |" in table
    assert "of 6,000: yes." in table
