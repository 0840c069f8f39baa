"""Rows of a benchmark's table: what is made of measurements, and when a target is met."""

import pytest

from benchmarks.rows import Row, as_line, as_table, judge, most_megabytes, seconds_to, step_flops, unmeasured
from benchmarks.turns import Measured


def timed(*seconds: float) -> Measured:
    return Measured([{"seconds": value} for value in seconds])


def trained(*turns: tuple[float, float]) -> Measured:
    return Measured([{"seconds": seconds, "accuracy": accuracy} for seconds, accuracy in turns])


def test_ratio_is_the_median_of_the_rounds_with_their_extremes():
    row = Row("1", "an epoch", contest="c", peer="peer", least_ratio=4)

    result = judge(row, {"ours": timed(1, 2, 3), "peer": timed(8, 10, 9)}, images=100)

    assert (result.ours, result.peer, result.ratio) == (2, 9, 5)
    assert result.spread == (3, 8)
    assert result.met


@pytest.mark.parametrize(("ours", "met"), [(2, True), (3, False)])
def test_ours_may_be_limited_as_well(ours, met):
    row = Row("7", "training", contest="c", peer="peer", least_ratio=10, most=2)

    assert judge(row, {"ours": timed(ours), "peer": timed(100)}, images=100).met is met


@pytest.mark.parametrize(("gflops", "met"), [(1.0, True), (2.0, False)])
def test_share_of_the_roof_is_that_of_the_operations_needed(gflops, met):
    row = Row("5", "share", contest="c", network="ann-100", least_share=0.65)
    seconds = step_flops("ann-100") * 1000 / 0.8e9

    result = judge(row, {"ours": timed(seconds), "roof": Measured([{"gflops": gflops}])}, images=1000)

    assert result.share == pytest.approx(0.8 / gflops)
    assert result.images_per_second == pytest.approx(1000 / seconds)
    assert result.met is met


def test_what_is_spent_outside_of_the_engine_is_told_where_it_is_told_apart():
    row = Row("9", "recorded", contest="c", engine=True)
    turns = [{"seconds": 10.0, "engine": 9.9}, {"seconds": 20.0, "engine": 19.0}, {"seconds": 10.0, "engine": 9.8}]

    result = judge(row, {"ours": Measured(turns)}, images=100)

    assert result.outside == pytest.approx(0.02)
    assert "2.0%" in as_line(result)


def test_step_of_a_dense_network_is_counted_by_hand():
    first, second = 784 * 100, 100 * 10

    assert step_flops("ann-100") == 2 * (2 * first + 3 * second)


def test_time_to_accuracy_ends_with_the_epoch_whose_mean_reaches_it():
    measured = Measured(
        [
            {"epoch": epoch, "seconds": seconds, "accuracy": accuracy}
            for epoch, seconds, accuracy in (
                (1, 10.0, 0.98),
                (1, 20.0, 0.99),
                (2, 12.0, 0.995),
                (2, 12.0, 0.985),
                (3, 99.0, 0.999),
                (3, 99.0, 0.999),
            )
        ]
    )

    assert seconds_to(0.99)(measured) == 15 + 12


def test_time_to_accuracy_of_whole_trainings_is_their_mean():
    assert seconds_to(0.99)(trained((3, 0.992), (5, 0.989))) == 4


def test_accuracy_that_is_not_reached_is_no_figure():
    row = Row("7", "training", contest="c", figure=seconds_to(0.99), most=10)

    result = judge(row, {"ours": trained((3, 0.9), (3, 0.91))}, images=100)

    assert result.failure == "reached 0.9050 instead of 0.99"
    assert result.ours is None
    assert not result.met


def test_memory_is_the_largest_of_the_turns():
    row = Row("11", "memory", contest="c", unit="MB", figure=most_megabytes, most=900)

    assert judge(row, {"ours": Measured([{"bytes": 8e8}, {"bytes": 9e8}])}, images=100).ours == 900


def test_program_that_failed_is_named():
    row = Row("1", "an epoch", contest="c", peer="peer", least_ratio=4)

    result = judge(row, {"ours": timed(1), "peer": Measured(failure="ImportError: no torchvision")}, images=100)

    assert result.failure == "peer failed: ImportError: no torchvision"


def test_results_as_text_and_table():
    row = Row("3b", "an epoch", contest="c", peer="peer", peer_title="fit", least_ratio=4, most=2)
    missed = judge(row, {"ours": timed(0.5), "peer": timed(1)}, images=100)
    lacking = unmeasured(row, "no such recipe yet: fast-99")

    assert as_line(missed) == "3b  an epoch\n    500 ms; 1 s: fit; 2× (2–2) (asked: ≥ 4×, ≤ 2 s); MISSED"
    assert as_line(lacking) == "3b  an epoch\n    no such recipe yet: fast-99; (asked: ≥ 4×, ≤ 2 s); not measured"
    assert as_table([missed]).splitlines()[2] == (
        "| 3b | an epoch | 500 ms | 1 s: fit | 2× (2–2) | ≥ 4×, ≤ 2 s | **no** |  |"
    )
