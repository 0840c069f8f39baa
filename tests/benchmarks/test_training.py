"""The benchmark of the training engine: its rows are whole, and one of them runs."""

import ast
import json

import pytest

from benchmarks.training import FULL, QUICK, ROWS, contests, main
from core.system.paths import PROJECT


def test_every_row_of_the_target_table_is_there():
    assert {row.number.rstrip("abcdef") for row in ROWS} == {str(number) for number in range(1, 12)}
    assert len({row.number for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_row_asks_for_something_and_its_contest_has_its_programs(row):
    programs = contests(FULL, "root")[row.contest]

    assert row.target
    assert {row.ours, row.peer or row.ours, "roof" if row.network else row.ours} <= programs.keys()


@pytest.mark.parametrize("scale", [FULL, QUICK], ids=["full", "quick"])
def test_every_program_is_a_function_that_takes_these_options(scale):
    for programs in contests(scale, "root").values():
        for program in programs.values():
            module, _, name = program.function.partition(":")
            tree = ast.parse((PROJECT / f"{module.replace('.', '/')}.py").read_text())
            (found,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
            taken = {argument.arg for argument in found.args.kwonlyargs}
            assert taken <= program.options.keys()
            assert found.args.kwarg or taken == program.options.keys()


@pytest.mark.slow
def test_quick_row_is_measured_on_both_sides(capsys):
    code = main(["--rows", "6a", "--quick", "--json"])

    report = json.loads(capsys.readouterr().out)
    (result,) = report["results"]
    assert result["number"] == "6a"
    assert result["failure"] == ""
    low, high = result["spread"]
    assert low <= result["ratio"] <= high
    assert code == (0 if result["met"] else 1)
    assert report["versions"].keys() >= {"torch", "tensorflow"}


def test_unknown_row_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["--rows", "12"])

    assert refused.value.code == 2
    assert "expected some of 1, 2, 3a" in capsys.readouterr().err
