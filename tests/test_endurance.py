"""What a day of use in small tells of its samples; the runs themselves are made by `python -m tests.endurance`."""

import pytest

from tests.endurance import MEASURES, as_table, main, table


def samples(count: int, **changed) -> list[dict[str, float]]:
    """Return samples of which all are 10, but for `changed`: a measure with the value of each sample."""
    return [
        {measure.name: 10.0 for measure in MEASURES}
        | {name.replace("_", " "): values[i] for name, values in changed.items()}
        for i in range(count)
    ]


def test_what_stays_is_flat():
    assert all(row.flat for row in table(samples(20)))


def test_what_grows_with_each_run_is_not_flat():
    leak = [100.0 + 2 * i for i in range(40)]
    rows = {row.measure.name: row for row in table(samples(40, memory_of_the_dashboard=leak))}

    row = rows.pop("memory of the dashboard")
    assert (row.start, row.middle, row.end) == (110.0, 144.0, 176.0)
    assert not row.flat
    assert all(other.flat for other in rows.values())
    assert "| memory of the dashboard | 110.0 MB | 144.0 MB | 176.0 MB | **no** |" in as_table([row])


def test_what_is_taken_once_at_the_beginning_is_flat():
    rows = table(samples(20, memory_of_the_scheduler=[5.0, *[300.0] * 19]))

    assert all(row.flat for row in rows)


def test_too_few_runs_are_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--runs", "3"])

    assert caught.value.code == 2
    assert "expected at least 10, received 3" in capsys.readouterr().err
