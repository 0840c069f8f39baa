"""The quick form of each case of the fault suite, and how the suite tells what was lost."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.faults.__main__ import as_document, as_line, main, verdict
from tests.faults.case import CannotTryError, Case, Result, Trial, try_out
from tests.faults.place import Place, a_place
from tests.faults.registry import CASES

_LONG = {
    "out of memory",
    "killed dashboard",
    "killed scheduler",
    "clicks at once",
    "twenty runs in order",
    "twenty runs disturbed",
    "halted, in another clock",
    "resumed bit for bit",
    "killed while saving",
    "full disk with database",
    "staying reader",
}
"""Cases whose quick form takes longer than six seconds, most of it for trainings that are started and ended."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * (case.name in _LONG), id=case.name) for case in CASES],
)
def test_duet_survives(case: Case, unpacked_datasets: Path):
    with a_place(seed=0, long=False, unpacked=unpacked_datasets) as place:
        result = try_out(case, place, case.quick)

    if result.untried:
        pytest.skip(result.untried)
    assert not result.losses, "\n".join(result.losses)
    assert result.trials == result.survived == case.quick


@pytest.fixture
def place(unpacked_datasets: Path) -> Iterator[Place]:
    with a_place(seed=0, long=False, unpacked=unpacked_datasets) as place:
        yield place


def case_of(trial: Trial) -> Case:
    return Case(99, "tried", "something is done", lambda _place: trial, quick=3, long=3)


def test_loss_of_one_trial_is_told_and_the_others_are_made(place):
    def lose_the_second(number: int) -> None:
        assert number != 1, "A step is missing."

    result = try_out(case_of(lose_the_second), place, trials=3)

    assert (result.trials, result.survived) == (3, 2)
    assert result.losses == ("Trial 2: A step is missing.",)
    assert "2 of 3 survived" in as_line(result)
    assert "Trial 2: A step is missing." in as_line(result)
    assert "**1** lost" in verdict([result])


def test_unforeseen_error_is_a_loss_that_says_where(place):
    def fail(_number: int) -> None:
        raise ValueError("There is no run.")

    (loss, *_) = try_out(case_of(fail), place, trials=1).losses

    assert "ValueError: There is no run. (fail, line" in loss


def test_case_that_cannot_be_tried_loses_nothing_and_says_why(place):
    def prepare(_place: Place) -> Trial:
        raise CannotTryError("only root may do that")

    result = try_out(Case(15, "full disk", "something is done", prepare, quick=1, long=1), place, trials=1)

    assert (result.trials, result.losses, result.untried) == (0, (), "only root may do that")
    assert "not tried: only root may do that" in as_document([report(result)])
    assert "1 cases could not be tried" in verdict([result])


def report(*results: Result) -> dict[str, object]:
    described = {"command": "python -m tests.faults", "date": "2026-11-25", "commit": "3f9c0a1", "machine": "a machine"}
    return {**described, "seed": 0, "results": [asdict(result) for result in results]}


def test_pieces_of_the_long_form_are_told_as_one(tmp_path, capsys):
    case = CASES[0]
    whole = Result(case.number, case.name, "a run is killed", trials=60, survived=60, seconds=30.0)
    other = replace(whole, trials=40, survived=39, losses=("Trial 7: It was tried again.",))
    paths = [tmp_path / f"{number}.json" for number in range(2)]
    for path, result in zip(paths, (whole, other), strict=True):
        path.write_text(json.dumps(report(result)))

    assert main(["--markdown", "--read", *map(str, paths)]) == 1

    document = capsys.readouterr().out
    assert "| 1 | A run is killed | 100 | **99** | 1 min |" in document
    assert "- Case 1, killed trainings: Trial 7: It was tried again." in document
    assert "SIGKILL does not simulate a power cut" in document


def test_unknown_case_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--case", "99"])

    assert caught.value.code == 2
    assert "expected some of 1, 2," in capsys.readouterr().err


def test_names_of_cases_tell_them_apart():
    assert {case.name for case in CASES} > _LONG
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.number for case in CASES} == set(range(1, 20))
